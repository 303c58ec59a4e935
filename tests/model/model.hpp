// The model: what a database holds, as plain maps, and what it must answer, computed the slow way.
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "vecstore/vecstore.hpp"

namespace vecstore::model {

/// Thrown where database and model differ.
struct Mismatch {
  std::string what;
};

/// A record as the model keeps it: canonical, with the terms of its texts.
struct Doc {
  Record
      record;  ///< Minus zeros are zeros, sparse vectors sorted; ttl empty, expires_at the expected moment.
  std::map<std::string, double> terms;                     ///< Of all fields, by weighted frequency.
  std::vector<std::map<std::string, double>> field_terms;  ///< Of each text field.
  double length = 0;
  bool has_text = false;
};

struct CollectionModel {
  std::map<std::string, VectorField>
      fields;  ///< "" is the vector without a name; dimension 0 = not learned yet.
  std::vector<TextField> text_fields;
  std::string fingerprint;
  std::map<std::string, Doc> docs;
  std::vector<Change> changes;  ///< Rows are not kept.
  SequenceNumber sequence = 0;

  void put(Record record, SequenceNumber sequence);
  void erase(const std::string& id, SequenceNumber sequence);
  void update(const std::string& id, Metadata metadata, SequenceNumber sequence);

 private:
  void index(Doc& doc) const;
};

struct DatabaseModel {
  std::map<std::string, CollectionModel> collections;
  SequenceNumber sequence = 0;
};

/// A filter in the text form and what it means.
struct Condition {
  std::string text;  ///< Empty = no condition.
  std::function<bool(const Doc&)> holds = [](const Doc&) { return true; };
};

/// One record that may be among the hits, with its score in double and how far float may be from it.
struct Candidate {
  std::string id;
  double score = 0;
  double tolerance = 0;
  std::uint64_t tie = 0;  ///< Candidates of the same tie have the same score to the last bit; 0 = none.
};

/// Every record with such a vector that the filter lets through, scored in double.
std::vector<Candidate> score_vectors(const CollectionModel& c, const std::string& field,
                                     const std::vector<float>& query, const Condition& filter);
/// Every record with such a sparse vector that has an index in common with the query.
std::vector<Candidate> score_sparse(const CollectionModel& c, const std::string& field, const Sparse& query,
                                    const Condition& filter);
/// Every record with one of the words, scored by BM25 in double. `plan`: of the answer that is checked, which
/// says how far its statistics still count retired records.
std::vector<Candidate> score_text(const CollectionModel& c, const std::string& query, const Condition& filter,
                                  const std::optional<PlanNode>& plan);
/// Joins two lists of hits as Fusion says.
std::vector<Candidate> fuse(const Fusion& fusion, const Hits& vectors, const Hits& texts);

/// Throws Mismatch unless `hits` are the best of the candidates: right number, right scores, best first,
/// equal ones by id, and nothing left out but for differences that float cannot see.
void check_hits(const std::vector<Candidate>& candidates, const Hits& hits, std::size_t k, std::size_t offset,
                std::optional<float> threshold);

/// Throws Mismatch unless the stored record is the model's.
void check_record(const Record& stored, const Doc& doc, bool with_vectors);

Vector canonical(const Vector& vector);

}  // namespace vecstore::model
