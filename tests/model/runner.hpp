// Runner: does an operation to the database and to the model and compares.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/reading.hpp"

namespace vecstore::model {

class Runner {
 public:
  /// Opens the directory, for itself.
  Runner(std::string directory, const Setting& setting, const OpenOptions& options);
  /// Shares a database with runners in other threads, each with ids of its own. Then statistics of texts,
  /// sequence numbers and whole-collection counts are other threads' business as well and are not compared.
  Runner(VecDatabase db, const Setting& setting, DatabaseModel model);

  /// Throws Mismatch.
  void step(const Op& op);
  /// All kinds of reading, on every collection.
  void check_everything(std::uint64_t seed);

  DatabaseModel& model() { return model_; }
  VecDatabase& db() { return *db_; }

 private:
  struct Failure {
    ErrorCode code;
    std::optional<std::size_t> item;
  };
  CollectionModel* find(const Spec& spec);
  void write(const Op& op, const Spec& spec);
  void write_batch(Kind kind, const Spec& spec, CollectionModel& model);
  void write_chunks(const Spec& spec, CollectionModel& model);
  void write_texts(const Op& op, const Spec& spec, CollectionModel& model);
  void erase_where(const Spec& spec, CollectionModel& model);
  void change_schema(Kind kind, const Spec& spec);
  void reopen();
  void verify();
  void compact();
  std::string read_and_check(const Op& op);
  void check_answer(Kind kind, const Spec& spec, const CollectionModel& model, const Answer& answer);
  void check_query(Kind kind, const Spec& spec, const CollectionModel& model, const Answer& answer);
  void check_hit_contents(const Spec& spec, const CollectionModel& model, const Hits& hits,
                          bool with_vectors);
  void check_hybrid(Kind kind, const Spec& spec, const CollectionModel& model, const Hits& hits,
                    const std::vector<float>& vector);

  std::optional<Failure> expect_failure(const CollectionModel& model, std::span<const Operation> ops,
                                        bool is_batch) const;
  void apply(CollectionModel& model, std::span<const Operation> ops, SequenceNumber sequence);
  /// Runs `call`; true when it went through. Compares its error with the expected one.
  template <class Call>
  bool expect(const std::optional<Failure>& failure, Call&& call);
  /// The sequence number that the next commit should have, or the last one.
  void advance(SequenceNumber returned, bool changed);

  std::string directory_;
  Setting setting_;
  OpenOptions options_;
  bool shared_ = false;
  std::optional<VecDatabase> db_;
  DatabaseModel model_;
  std::set<std::string> embedders_known_;  ///< Collections made since the last open.
  std::unique_ptr<Reader> reader_;
};

}  // namespace vecstore::model
