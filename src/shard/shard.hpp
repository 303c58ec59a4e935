// Shard: one collection's truth and what is derived from it. Later a database may have several per
// collection.
#pragma once
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "base/background.hpp"
#include "base/metadata_names.hpp"
#include "catalog/catalog.hpp"
#include "shard/block_tables.hpp"
#include "shard/field_follower.hpp"
#include "shard/prepared.hpp"
#include "shard/segments.hpp"
#include "shard/sparse_follower.hpp"
#include "shard/text_follower.hpp"
#include "shard/vector_view.hpp"
#include "storage/retired.hpp"
#include "storage/store.hpp"
#include "text/analyzer_pool.hpp"

namespace vecstore::shard {

struct ApplyResult {
  std::uint64_t sequence = 0;
  std::uint64_t existed = 0;   ///< Ids of the batch that were there before, in the version that was expected.
  std::uint64_t next_row = 0;  ///< The collection's, after the commit.
  std::vector<std::size_t> left_out;  ///< Writes that found another version of their record.
};

/// What becomes of rows behind the segments. Chosen when a database is opened.
struct SegmentOptions {
  /// So many rows without a segment are written to one. Below it a collection has none.
  std::uint64_t checkpoint_rows = 10'000;
  /// Parts with at least so many rows get a graph when segments are merged.
  std::uint64_t graph_rows = 4'000;
  /// Threads that one merge may use; 0 = one per core.
  unsigned threads = 0;
  /// So much memory may be taken by terms that are collected for a segment, and by those of the newest rows;
  /// what is more goes through temporary files.
  std::size_t term_bytes = std::size_t{128} << 20;
  /// So many rows have their terms in memory at most.
  std::uint64_t tail_rows = 65'536;
  /// So much memory may be taken by metadata that no segment has; further rows are looked at by each query
  /// that asks for it.
  std::size_t field_bytes = std::size_t{256} << 20;
};

/// One file takes so many rows at most when it is not a merge, so that no writer waits for more.
inline constexpr std::uint64_t kMostRowsPerCheckpoint = 65'536;

/// Whether a part's vectors are like the field's. If not, the file lies.
bool belongs_to(const segment::Segment::PartEntry& part, const catalog::VectorFieldSchema& field);
/// Whether a part is not what the schema asks for, which may have changed since it was made.
bool is_outdated(const segment::Segment::PartEntry& part, const catalog::VectorFieldSchema& field);

/// Thread-safe. Writers go through Store's group commit; each query reads through a ReadView of its own.
class Shard : public std::enable_shared_from_this<Shard> {
 public:
  Shard(std::shared_ptr<storage::Store> store, std::uint32_t collection, std::string name,
        const SegmentOptions& options, std::shared_ptr<Background> background);

  std::uint32_t collection() const { return collection_; }
  const std::string& name() const { return name_; }
  storage::Store& store() { return *store_; }
  FieldNames& field_names() { return names_; }

  /// One durable commit. kAlreadyExists and kNotFound carry the item's index; SchemaChanged asks for another
  /// try.
  ApplyResult apply(const PreparedBatch& batch);
  Segments& segments() { return segments_; }
  const SegmentOptions& segment_options() const { return segment_options_; }
  /// Writes segments for the rows that none covers, if there are `at_least` so many.
  void checkpoint(std::uint64_t at_least, Context& context);
  /// Has that done in the background, in pieces, where it would take a caller too long.
  void catch_up();
  /// One step towards fewer and larger segments, or sound ones in place of damaged ones. False when there is
  /// nothing to do. `all`: whatever it costs, until one segment without retired rows is left. While it builds
  /// it holds neither a transaction nor a session: the map can grow, freed pages are used again, and closing
  /// the store ends it (kClosed).
  bool merge_step(bool all, Context& context);
  /// Checks one segment and makes it quick to search; false when all are.
  bool warm_step(Context& context);
  /// Asks for both in the background.
  void look_after_segments();
  /// After a merge: nobody keeps the files that it replaced, but for searches under way.
  void let_go_of_segments();

  /// Adds a vector field, drops one or changes how it is indexed, without touching records. No commit when
  /// nothing changes.
  void change_schema(const std::function<void(catalog::Schema&)>& change);

  // What read views share. Each is brought up to the view that asks.
  std::shared_ptr<const storage::RetiredRows> retired(const storage::Txn& txn,
                                                      const storage::CollectionState& state);
  std::shared_ptr<const catalog::Schema> schema(const storage::Txn& txn,
                                                const storage::CollectionState& state);
  void load_field_names(const storage::Txn& txn, const storage::CollectionState& state);
  VectorFollower& vectors(const catalog::VectorFieldSchema& field);
  TextFollower& texts() { return texts_; }
  FieldFollower& fields() { return fields_; }
  SparseFollower& sparse(std::uint16_t field);
  /// For queries, of the collection's text fields.
  text::AnalyzerPool& query_analyzers() { return query_analyzers_; }
  /// Of the collection's text fields, which never change.
  std::uint64_t terms_fingerprint(const catalog::Schema& schema);
  BlockTables& block_tables() { return block_tables_; }
  /// Has those made that queries miss; also while the background is paused.
  void ask_for_block_tables();

 private:
  ApplyResult apply_in(storage::Commit& commit, const PreparedBatch& batch);
  void keep_bound(const PreparedBatch& batch);
  /// The first rows without a segment; true when there are more.
  bool checkpoint_piece(std::uint64_t at_least, Context& context);
  bool catch_up_step(Context& context);
  bool merge(bool all, Context& context);
  bool resting() const;
  void rest();

  std::shared_ptr<storage::Store> store_;
  const std::uint32_t collection_;
  const std::string name_;
  const SegmentOptions segment_options_;
  const std::shared_ptr<Background> background_;
  FieldNames names_;
  TextFollower texts_;
  FieldFollower fields_;
  text::AnalyzerPool query_analyzers_;
  std::atomic<std::uint64_t> terms_fingerprint_{0};  // 0: not known yet, or no text fields
  Segments segments_;
  BlockTables block_tables_;
  std::mutex checkpoint_mutex_;  // one at a time; taken before any transaction
  std::mutex merge_mutex_;       // likewise; taken without a session
  std::atomic<std::uint64_t> covered_before_{~std::uint64_t{0}};     // when the background looked last
  std::atomic<std::chrono::steady_clock::time_point> rest_until_{};  // after a failure
  std::atomic<bool> behind_{false};                                  // catch_up was called
  std::atomic<std::uint64_t> next_row_{0};                           // after the last commit of this process
  std::atomic<std::uint64_t> unindexed_schema_{0};  // number of one under which no field is indexed

  std::mutex mutex_;        // guards what follows
  std::mutex names_mutex_;  // one loader of field names at a time
  std::shared_ptr<const storage::RetiredRows> retired_;
  std::uint64_t retired_sequence_ = 0;
  std::shared_ptr<const catalog::Schema> schema_;
  std::uint64_t schema_number_ = 0;
  std::map<std::uint16_t, std::unique_ptr<VectorFollower>> vectors_;
  std::map<std::uint16_t, std::unique_ptr<SparseFollower>> sparse_;
};

}  // namespace vecstore::shard
