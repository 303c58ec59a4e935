// Collection: a named set of records with one schema.
#pragma once
#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vecstore/aggregate.hpp"
#include "vecstore/metadata_changes.hpp"
#include "vecstore/options.hpp"
#include "vecstore/query.hpp"
#include "vecstore/record.hpp"
#include "vecstore/text.hpp"

namespace vecstore {

/// One committed change. What the record held then is not kept: read it by id.
struct Change {
  enum class Operation : std::uint8_t { kUpsert = 1, kErase = 2, kUpdateMetadata = 3 };
  SequenceNumber sequence = 0;
  Operation operation = Operation::kUpsert;
  std::string id;
  std::uint64_t row = 0;
};

/// What a collection is, as create_collection and the first write fixed it, and alter_index changed it.
struct CollectionInfo {
  std::string name;
  Metric metric = Metric::kCosine;
  std::size_t dimension = 0;  ///< 0 until the first vector.
  IndexOptions index;         ///< As given at creation or to alter_index; stats() tells what they come to.
  std::map<std::string, VectorField> vectors;
  std::vector<TextField> text_fields;
  std::string embedder_name;
  std::string embedder_fingerprint;
};

/// How far a vector field's index is. Rows that are in none of these counts are read from the truth.
struct IndexStats {
  IndexSettings settings;           ///< What is wanted now, for as many rows as there are.
  std::uint64_t graph_rows = 0;     ///< Rows in graphs.
  std::uint64_t scanned_rows = 0;   ///< Rows in codes that are scanned.
  std::uint64_t sparse_rows = 0;    ///< Rows in the inverted index of sparse vectors.
  std::uint64_t outdated_rows = 0;  ///< Of these: made with other settings; the background makes them anew.
};

struct CollectionStats {
  std::uint64_t count = 0;            ///< Live records.
  std::uint64_t stored_rows = 0;      ///< Rows on disk, retired ones included.
  std::uint64_t live_bytes = 0;       ///< Bytes of the live records: vectors, text, metadata, ids.
  std::uint64_t digest = 0;           ///< Equal for equal sets of records; verify recomputes it.
  SequenceNumber sequence = 0;        ///< The last commit that changed the collection.
  std::uint64_t segments = 0;         ///< Files of derived data.
  std::uint64_t segment_bytes = 0;    ///< Their size.
  std::uint64_t rows_outside = 0;     ///< Rows that no segment covers: a query reads them from the truth.
  std::uint64_t segment_damages = 0;  ///< Damaged or missing files met since the database was opened.
  /// Of vectors by name, their dense and sparse parts together; "" is the one without a name.
  std::map<std::string, IndexStats> indexes;
};

/// A write in a batch that mixes kinds; see Collection::batch_execute.
struct Operation {
  enum class Kind : std::uint8_t { kInsert, kUpsert, kErase, kUpdateMetadata };
  Kind kind = Kind::kUpsert;
  Record record;  ///< kErase reads only the id, kUpdateMetadata only id and metadata.
  std::optional<SequenceNumber> if_sequence;  ///< See WriteCondition.
};

/// What has to hold when a record is written: else kConflict, which tells what is stored, and nothing is
/// changed. Of two writers that saw the same version, one succeeds.
struct WriteCondition {
  std::optional<SequenceNumber> if_sequence;  ///< The stored version (Record::sequence); 0 = there is none.
  Filter if_matches;  ///< The stored record matches, for example Filter::parse("version = 3").
};

/// The next page of a scroll.
struct ScrollPage {
  std::vector<Record> records;
  std::string next;  ///< Pass it as ScrollOptions::after; empty = this was the last page.
  std::vector<std::string> warnings;
};

/// Cheap to copy, safe to share between threads. Calls throw kClosed after the database was closed, kNotFound
/// after the collection was deleted, and kForked in a child process.
///
/// A write is durable and can be found when it returns; it returns the sequence number of its commit. A batch
/// is one commit: all of it or nothing, and the error names the item (Error::item). A batch holds at most
/// 10,000 records and 64 MiB (kTooLarge), and each id once.
class Collection {
 public:
  const std::string& name() const;
  CollectionInfo info() const;

  // ---- Writing
  /// Stores a new record; kAlreadyExists when the id is taken.
  SequenceNumber insert(const Record& record);
  SequenceNumber insert(std::string_view id, Vector vector, Metadata metadata = {});
  /// Stores a record, replacing the one with the same id whole.
  SequenceNumber upsert(const Record& record);
  SequenceNumber upsert(const Record& record, const WriteCondition& condition);
  SequenceNumber upsert(std::string_view id, Vector vector, Metadata metadata = {});
  SequenceNumber upsert_vector(std::string_view id, Vector vector, Metadata metadata = {});
  /// Embeds the text with the collection's model (or the one given, whose fingerprint has to agree) and
  /// stores both.
  SequenceNumber upsert_text(std::string_view id, std::string_view text, Metadata metadata = {});
  SequenceNumber upsert_text(std::string_view id, std::string_view text, const Embedder& model,
                             Metadata metadata = {});
  SequenceNumber batch_upsert(std::span<const Record> records);
  SequenceNumber batch_insert(std::span<const Record> records);
  /// Embeds and stores texts; ids are "0", "1", ... unless `metadata` gives "_id". Commits every
  /// options.batch_size.
  using TextMetadata = std::function<Metadata(std::string_view text, std::size_t i)>;
  SequenceNumber batch_upsert_texts(std::span<const std::string> texts, const TextMetadata& metadata = {},
                                    const BatchOptions& options = {});
  /// Replaces everything that `source` had by these chunks, in one commit: ids "source#0", "source#1", ...;
  /// source, part, start and end (bytes) are set. An empty list erases the source.
  using ChunkMetadata = std::function<Metadata(const Chunk& chunk, std::size_t i)>;
  SequenceNumber upsert_chunks(std::string_view source, std::span<const Chunk> chunks,
                               const Embedder& model = {}, const ChunkMetadata& metadata = {},
                               const BatchOptions& options = {});
  /// Any mix of writes in one commit, applied in order.
  SequenceNumber batch_execute(std::span<const Operation> operations);
  /// Replaces the metadata; vectors and text stay. kNotFound for an unknown id.
  SequenceNumber update_metadata(std::string_view id, Metadata metadata,
                                 const WriteCondition& condition = {});
  /// Changes some of the metadata. Changes of other writers in between are not lost.
  template <std::same_as<MetadataChanges> Changes>
  SequenceNumber update_metadata(std::string_view id, const Changes& changes,
                                 const WriteCondition& condition = {}) {
    return change_metadata(id, changes, condition);
  }
  /// Changes the metadata of each record that matches now, once, and returns how many; in commits of at most
  /// 10,000 records. A record that is changed meanwhile is changed as it is then, if it still matches. A
  /// change that one of the records does not allow (MetadataChanges) ends it with an error that names the id;
  /// what was committed before stays.
  std::uint64_t update_where(const Filter& filter, const MetadataChanges& changes);
  std::uint64_t update_where(std::string_view filter, const MetadataChanges& changes) {
    return update_where(Filter::parse(filter), changes);
  }
  /// Erases by id and returns how many existed; an unknown id is not an error.
  std::uint64_t erase(std::string_view id);
  std::uint64_t erase(std::string_view id, const WriteCondition& condition);
  std::uint64_t erase(std::span<const std::string> ids);
  /// Erases what matches, in commits of at most 10,000 records, and returns how many.
  std::uint64_t erase_where(const Filter& filter);
  std::uint64_t erase_where(std::string_view filter) { return erase_where(Filter::parse(filter)); }
  /// Adds or drops a named vector without rewriting records.
  void add_vector(std::string_view name, const VectorField& field);
  void drop_vector(std::string_view name);
  /// Changes how a vector field is indexed. `index` takes the place of all its options; metric and dimension
  /// stay. One durable commit; what was built before goes on serving queries and is built anew in the
  /// background, or at once by optimize. Codes kF32 hold from the next query on. Readers in other processes
  /// follow. kNotFound, kInvalidArgument.
  void alter_index(std::string_view vector_name, const IndexOptions& index);
  void alter_index(const IndexOptions& index) { alter_index("", index); }

  /// Brings everything derived into one segment without retired rows, and returns when that is done; queries
  /// and writes go on meanwhile. kCancelled when `stop` is requested. Seconds per 100,000 records.
  void optimize(std::stop_token stop = {});

  // ---- Reading
  std::optional<Record> get(std::string_view id, const GetOptions& options = {}) const;
  /// In the order of the ids; an unknown one is left out.
  std::vector<Record> get(std::span<const std::string> ids, const GetOptions& options = {}) const;
  /// Records by the bytes of their ids (of ids above 480 bytes, the first 464), in consistent pages.
  ScrollPage scroll(const ScrollOptions& options = {}) const;
  std::uint64_t count() const;
  std::uint64_t count(const Filter& filter) const;
  std::uint64_t count(std::string_view filter) const { return count(Filter::parse(filter)); }
  /// Counts, and sums of numbers, over the records that match; by the values of a field if wanted. From field
  /// indexes: about 5 ns per record that matches and field; memory: some 200 bytes per distinct value and
  /// field.
  Aggregates aggregate(const AggregateOptions& options) const;
  /// The most frequent values of a field.
  Aggregates facet(std::string_view path, const Filter& where = {}, std::size_t limit = 10) const;
  CollectionStats stats() const;
  /// What was committed after options.since, oldest first. kNotFound when that part of the log was cut: then
  /// read the whole collection by scroll and go on from stats().sequence.
  std::vector<Change> changes(const ChangesOptions& options = {}) const;

  // ---- Searching
  Hits query(const Query& query) const;
  Hits query(Vector vector, std::int64_t k = 10) const { return query(Query(std::move(vector)).k(k)); }
  std::vector<Hits> query_batch(std::span<const Query> queries) const;
  Hits hybrid_query(const HybridQuery& query) const;
  Hits query_text(std::string_view text, std::int64_t k = 10) const;
  Hits query_text(std::string_view text, const TextQueryOptions& options) const;

  class Impl;
  explicit Collection(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

 private:
  SequenceNumber change_metadata(std::string_view id, const MetadataChanges& changes,
                                 const WriteCondition& condition);

  std::shared_ptr<Impl> impl_;
};

}  // namespace vecstore
