// Options: aggregates with defaults in place. Every one is checked once, at the call that takes it.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "vecstore/analyzer_options.hpp"
#include "vecstore/index_options.hpp"
#include "vecstore/metric.hpp"
#include "vecstore/models.hpp"
#include "vecstore/record.hpp"

namespace vecstore {

/// When a write that returned survives.
enum class Durability : std::uint8_t {
  kFull,     ///< Process crash, system crash and power loss. The default.
  kRelaxed,  ///< Process crash; the last commits may roll back, whole, when the machine stops.
};

struct OpenOptions {
  // Behaviour
  bool read_only = false;  ///< Any number of processes may read beside the one that writes.
  bool create = true;      ///< Make the directory when it is missing; false: kNotFound.
  std::chrono::milliseconds lock_timeout{
      0};  ///< How long to wait for another writer; then kLocked with its pid.
  Durability durability = Durability::kFull;
  bool allow_remote_fs = false;  ///< Network file systems break the locks that keep two writers apart.

  // Performance and limits; most programs leave them alone
  std::uint64_t map_size = std::uint64_t{64} << 30;     ///< Bytes of address space at first; grows by itself.
  std::uint64_t max_map_size = std::uint64_t{1} << 42;  ///< Beyond it writes are kQuotaExceeded (store_size).
  unsigned threads = 0;  ///< Threads that one query may use; 0 = one per core, 1 = the caller only.
  std::uint64_t change_retention = 1'000'000;  ///< Changes that `changes` can still deliver.
  unsigned background_threads = 0;  ///< Threads that merging of segments may use; 0 = one per core.
  std::uint64_t checkpoint_rows =
      10'000;                        ///< Rows outside of segments from which on they are written to one.
  std::uint64_t graph_rows = 4'000;  ///< Rows of a segment from which on it gets a graph when merged.
  /// Which share of the data file has to be free or erased before a background thread compacts it; 1 = never,
  /// only `VecDatabase::compact` does.
  double compact_ratio = 0.3;
  std::uint64_t compact_min_bytes = std::uint64_t{64} << 20;  ///< And how many bytes that has to give back.
};

/// One searchable text: the record's `text`, or a string (or array of strings) in its metadata.
struct TextField {
  std::string path = "text";
  /// How the text becomes words: a language or another of `analyzer_names`; stored with the collection.
  std::string analyzer = "english";
  float weight = 1.0f;
  AnalyzerOptions analysis;  ///< Own stop words, synonyms and other refinements; stored with the collection.

  bool operator==(const TextField&) const = default;
};

/// How the components of a vector are stored. The numbers are on disk and frozen.
enum class ElementType : std::uint8_t {
  kF32 = 1,
  kF16 = 2,
  kInt8 = 3,
  kBinary = 4,
  kSparse = 5,
  kMultiF32 = 6
};

/// A vector field of a collection's schema.
struct VectorField {
  Metric metric = Metric::kCosine;
  std::size_t dimension = 0;  ///< 1 to 65,536; 0 = learned from the first vector.
  IndexOptions index;         ///< Can be changed later: Collection::alter_index.

  bool operator==(const VectorField&) const = default;
};

struct CollectionOptions {
  Metric metric = Metric::kCosine;
  std::size_t dimension = 0;                   ///< 0 = the embedder's, else learned from the first vector.
  IndexOptions index;                          ///< Of the vector without a name; see Collection::alter_index.
  std::map<std::string, VectorField> vectors;  ///< Named vectors beside the one without a name.
  std::vector<TextField> text_fields = {TextField{}};
  Embedder embedder;  ///< Its name and fingerprint are stored; it is found again by name.
};

/// Done so far, of how many, doing what. Called on the caller's thread; throwing from it stops the work.
struct Progress {
  std::size_t done = 0;
  std::size_t total = 0;
  std::string_view stage;
};
using ProgressFn = std::function<void(const Progress&)>;

struct CompactOptions {
  ProgressFn progress;   ///< Bytes copied, of about how many.
  std::stop_token stop;  ///< Ends the work with kCancelled; the database is as it was.
};

struct BatchOptions {
  ProgressFn progress;
  std::size_t batch_size = 256;  ///< Texts that are embedded and committed together.
  std::stop_token stop;          ///< Ends the work between two commits with kCancelled.
};

struct GetOptions {
  bool with_vectors = true;
};

struct ScrollOptions {
  std::string after;        ///< Continue after this id; empty = from the first.
  std::size_t limit = 100;  ///< At most 10,000.
  std::string where;        ///< A filter; empty = all.
  bool with_vectors = false;
};

struct ChangesOptions {
  SequenceNumber since = 0;  ///< Deliver what was committed after this.
  std::size_t limit = 10'000;
};

}  // namespace vecstore
