// Operations: what the model test does, made from a kind and a seed alone, so that any part of a list of them
// can be run again by itself.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "model/model.hpp"
#include "model/random.hpp"

namespace vecstore::model {

enum class Kind : std::uint8_t {
  // Writing
  kInsert,
  kUpsert,
  kBatchUpsert,
  kBatchInsert,
  kExecute,
  kUpdate,
  kErase,
  kEraseMany,
  kEraseWhere,
  kChunks,
  kUpsertText,
  kTexts,
  // Schema and life of collections
  kCreate,
  kGetOrCreate,
  kDrop,
  kAddVector,
  kDropVector,
  // Reading: the answer depends on nothing but the directory
  kGet,
  kGetMany,
  kScroll,
  kCount,
  kChanges,
  kInfo,
  kDense,
  kText,
  kHybrid,
  kSparse,
  kSparseHybrid,
  kQueryText,
  kQueryBatch,
  // The program itself
  kReopen,
  kVerify,
  kCompact,
  kOptimize,
  kAskReader,
  kRestartReader,
};
const char* to_string(Kind kind);
inline bool is_read(Kind kind) { return kind >= Kind::kGet && kind <= Kind::kQueryBatch; }

struct Op {
  Kind kind = Kind::kGet;
  std::uint8_t slot = 0;   ///< Which collection.
  std::uint64_t seed = 0;  ///< Everything else.
};

/// What the operations of one run have in common.
struct Setting {
  std::string prefix;         ///< Of all ids, and a condition of all filters; empty = all ids are this run's.
  std::size_t ids = 220;      ///< Distinct ids per collection.
  std::size_t dimension = 0;  ///< Of the vector without a name; 0 = as the collection's kind has it.
};

inline constexpr std::uint8_t kSlots = 4;
std::string collection_name(std::uint8_t slot);
/// `declared`: with dimensions, not learned ones.
CollectionOptions collection_options(std::uint8_t slot, const Setting& setting, bool declared = false);

/// The embedder of slot 3: counts letters.
class TinyEmbedder {
 public:
  explicit TinyEmbedder(std::string fingerprint = "tiny-1") : fingerprint_(std::move(fingerprint)) {}
  std::string name() const { return "tiny"; }
  std::string fingerprint() const { return fingerprint_; }
  std::size_t dimension() const { return 5; }
  void embed_batch(std::span<const std::string_view> texts, std::span<float> out) const;

 private:
  std::string fingerprint_;
};

/// Everything that an operation may need; each kind uses its part.
struct Spec {
  std::string collection;
  std::uint8_t slot = 0;
  // Writing
  std::vector<Operation> operations;
  std::vector<std::string> ids;
  std::string source;
  std::vector<Chunk> chunks;
  std::vector<std::string> texts;
  std::string vector_name;
  VectorField field;
  // Reading
  Condition filter;
  std::vector<float> vector;
  Sparse sparse;
  std::string text;
  std::int64_t k = 10;
  std::int64_t offset = 0;
  std::optional<float> threshold;
  Fusion fusion = Fusion::rrf();
  bool default_fusion = true;
  Mode mode = Mode::kHybrid;
  bool with_vectors = false;
  bool bare = false;  ///< Hits without text and metadata: what segments know is not read again.
  std::size_t limit = 100;
  SequenceNumber since = 0;
};
Spec make_spec(const Op& op, const Setting& setting);

/// A list of operations, mostly ordinary ones.
std::vector<Op> make_ops(std::uint64_t seed, std::size_t count, bool concurrent);
std::string describe(const Op& op, const Setting& setting);

Record random_record(Rng& rng, std::uint8_t slot, const Setting& setting);
/// In no order; some values are negative, zero or out of the ordinary.
Sparse random_sparse(Rng& rng);
std::vector<float> random_vector(Rng& rng, Metric metric, std::size_t dimension);
Condition random_condition(Rng& rng, const Setting& setting);
Metadata random_metadata(Rng& rng);
std::string random_text(Rng& rng, std::size_t most);

}  // namespace vecstore::model
