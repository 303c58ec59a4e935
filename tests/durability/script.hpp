// Scripts: what the workload does step by step, and what the databases hold after each step.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace vecstore::durability {

struct Item {
  std::string id;
  std::vector<float> vector;
  std::string text;
  std::int64_t number = 0;  ///< The metadata is {"number": number, "tag": "t<number % 7>"}.
};

/// One commit, or the creation of a database.
struct Step {
  enum class Kind { kCreate, kUpsert, kBatch, kErase, kUpdateMetadata, kMixed, kCompact, kOptimize, kAlter };
  Kind kind = Kind::kUpsert;
  /// kAlter: the first item's id is the options of the index, as JSON.
  /// kErase and kUpdateMetadata: the first item's id; kMixed: upserts; kCompact: upserts while it runs.
  std::vector<Item> items;
  std::vector<std::string> erased;  ///< kMixed
};

struct Script {
  std::string name;
  std::uint64_t map_size = std::uint64_t{1} << 30;
  std::vector<Step> steps;
  std::vector<int> database;  ///< Of each step; databases are numbered from 0 and come one after the other.

  /// Rows from which on they are written to segments; the default is never reached.
  std::uint64_t checkpoint_rows = 10'000;
  /// Some databases are found as earlier processes left them that were killed while creating them.
  bool after_crash = false;

  int databases() const { return database.back() + 1; }
  int commits() const;
};

/// What a database holds: each id with everything that is stored under it, as text; and under "/index" how
/// its vectors are indexed, where that was changed.
using Content = std::map<std::string, std::string>;
std::string describe(const Item& item);

/// Content of every database after the first `steps` steps.
class Model {
 public:
  explicit Model(const Script& script);
  const Content& after(std::size_t steps, int database) const;

 private:
  std::vector<std::vector<Content>> states_;  // [database][steps since its creation]
  std::vector<std::size_t> first_;            // step that creates it
};

/// The scenarios; `commits` of the product's own per scenario, at least 40 in the tests.
std::vector<Script> scenarios(unsigned seed, int commits = 40);
Script scenario(const std::string& name, unsigned seed, int commits = 40);
inline const char* const kScenarios[] = {"singles",  "batches",    "changes", "growth",
                                         "creation", "compaction", "segments"};

}  // namespace vecstore::durability
