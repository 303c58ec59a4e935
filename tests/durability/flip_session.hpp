// A store with everything in it, what it holds, and a session that asks for all of that again: what the
// program that flips bits compares with.
#pragma once
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "vecstore/vecstore.hpp"

namespace vecstore::durability {

/// One collection: what was written, and what the sound store answers.
struct FlipCollection {
  std::string name;
  CollectionOptions options;
  std::map<std::string, Record> records;
  std::set<std::string> erased;
  std::vector<std::vector<float>> probes;
  std::vector<Hits> answers;                             ///< By question; empty while they are being learned.
  std::vector<std::map<std::string, float>> all_scores;  ///< By probe: the score of every record.
  std::uint64_t matching = 0;
  CollectionStats stats;
  std::vector<Change> changes;
};

struct FlipModel {
  std::vector<FlipCollection> collections;
  DatabaseStats stats;
};

/// What one session met; plain memory, since it has to outlive the process that fills it.
struct FlipOutcome {
  static constexpr std::size_t kText = 300;
  char stage[64] = {};
  bool opened = false;
  bool done = false;           ///< The session came to its end.
  bool verified = false;       ///< verify answered.
  bool stale = false;          ///< An older version came after this session replaced it.
  std::uint64_t errors = 0;    ///< Calls that threw.
  std::uint64_t degraded = 0;  ///< Sum of Hits::degraded.
  std::uint64_t damages = 0;   ///< That verify found, or 1 when it threw an Error.
  char wrong[kText] = {};      ///< A value that was never written.
  char missing[kText] = {};  ///< Something that was written and did not come, without an error of that call.
  char foreign[kText] = {};  ///< An exception that is no vecstore::Error.

  bool reported() const { return (done && !opened) || errors > 0 || degraded > 0 || damages > 0; }
};

/// About 1,600 records in three collections: short and long vectors, lone writes and batches, long texts,
/// changed metadata, erased records. Closed again.
FlipModel build_flip_store(const std::string& directory, unsigned seed);
/// Asks the sound store; throws when it differs from what was written.
void learn_answers(const std::string& directory, FlipModel& model);
/// Opens, asks for everything by every call, compares, and verifies last. With `write`: opens for writing,
/// and between reading and verifying changes some records and asks again.
void run_flip_session(const std::string& directory, FlipModel& model, bool write, FlipOutcome& out);
/// Verifies alone: the directory without the engine, then the opened database.
void run_flip_verify(const std::string& directory, FlipOutcome& out);

}  // namespace vecstore::durability
