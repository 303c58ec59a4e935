// Power cuts: all writes, syncs and changes of names of a run are recorded, and every image that the medium
// may hold is opened. The same record shows that nothing is acknowledged before it is synced.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>
#include <iostream>
#include <unordered_set>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "durability/disk.hpp"
#include "durability/harness.hpp"
#include "durability/workload.hpp"

namespace vecstore::durability {
namespace {

constexpr std::size_t kLogBytes = std::size_t{1} << 30;

// What one or two processes did below a directory.
class Record {
 public:
  Record() : log_(kLogBytes) {}

  // Adds a run in a child to the record. How the child ended, or empty.
  std::string add(const std::function<void(Trial&)>& work, std::uint64_t target = 0,
                  shim_fault fault = SHIM_NONE, bool* killed = nullptr) {
    const std::uint64_t before = run_->shim.log_bytes;
    std::memset(&*run_, 0, sizeof(Trial));
    run_->shim.log_bytes = before;
    run_->shim.log_capacity = kLogBytes;
    run_->shim.target = target;
    run_->shim.fault = fault;
    std::strncpy(run_->shim.root, scratch_.path().c_str(), sizeof run_->shim.root - 1);
    std::string ended = in_child(
        [&] {
          shim_attach(&run_->shim, log_.data());
          work(*run_);
        },
        killed);
    if (run_->shim.log_overflow) ended = "the log is full";
    return ended.empty() ? std::string(run_->failure) : ended;
  }
  void clear() {
    scratch_.clear();
    run_->shim.log_bytes = 0;
  }
  Trial& run() { return *run_; }
  const std::string& root() const { return scratch_.path(); }
  std::vector<Logged> operations() const { return read_log(log_.data(), run_->shim.log_bytes); }

 private:
  Scratch scratch_;
  Shared<Trial> run_;
  SharedMemory log_;
};

struct Progress {
  std::uint64_t begun = 0;
  std::uint64_t acknowledged = 0;

  void mark(const Logged& o) {
    if (o.entry.mark == kBegin) begun = o.entry.offset + 1;
    if (o.entry.mark == kAcknowledged) acknowledged = o.entry.offset + 1;
  }
};

bool takes_effect(const Logged& o) {
  return o.entry.call == SHIM_SYNC || o.entry.call == SHIM_SYNC_DIR ||
         (o.entry.call == SHIM_WRITE && o.entry.sync);
}

// Opens images and counts.
class Checker {
 public:
  Checker(const Script& script, const Model& model, const std::string& recorded_root, Findings& findings)
      : script_(script), model_(model), recorded_root_(recorded_root), findings_(findings) {}

  void check(const char* kind, const Image& image, const Progress& progress, std::uint64_t operation) {
    const std::uint64_t begun = std::max<std::uint64_t>(progress.begun, 1);
    // Databases are written one after the other: older ones no longer change.
    const int first = std::max(0, script_.database[begun - 1] - 1);
    scratch_.clear();
    write_image(image, recorded_root_, scratch_.path(), [&](const std::string& path) {
      for (int d = first; d < script_.databases(); ++d) {
        const std::string db = database_path(recorded_root_, d);
        if (path == db || path.starts_with(db + "/")) return true;
      }
      return false;
    });
    const std::string where =
        concat(script_.name, ", ", kind, " after operation ", operation, ", step ", progress.acknowledged);
    std::snprintf(findings_.note, Findings::kNoteBytes, "%s", where.c_str());
    ++findings_.counts[kind];
    const std::string wrong =
        check_result(script_, model_, scratch_.path(), progress.acknowledged, progress.begun, first);
    if (!wrong.empty()) findings_.fail(concat(where, ": ", wrong));
  }

 private:
  const Script& script_;
  const Model& model_;
  const std::string& recorded_root_;
  Findings& findings_;
  Scratch scratch_;
};

class PowerLoss : public ::testing::TestWithParam<const char*> {
 protected:
  PowerLoss() : script_(scenario(GetParam(), seed(), commits())), model_(script_) {
    const std::string wrong =
        record_.add([&](Trial& run) { run_script(script_, model_, record_.root(), run); });
    EXPECT_EQ(wrong, "");
    EXPECT_EQ(record_.run().acknowledged, script_.steps.size());
    operations_ = record_.operations();
  }

  // Every image between two syncs belongs to one worker, which opens each different one once.
  void replay(std::uint64_t first, std::uint64_t jobs, Findings& findings, bool honest) {
    Checker checker(script_, model_, record_.root(), findings);
    Disk disk;
    Progress progress;
    std::unordered_set<std::uint64_t> seen;
    std::uint64_t epoch = 0;
    const std::uint64_t step = stride(29);
    for (std::uint64_t i = 0; i < operations_.size(); ++i) {
      const Logged& o = operations_[i];
      const auto images = [&] {
        if (epoch % jobs != first || i % step != 0) return;
        std::mt19937 random(static_cast<unsigned>(seed() + i));
        disk.each_image(random, [&](const char* kind, const Image& image) {
          const bool fresh =
              seen.insert(hash_of(image) ^ mix64(progress.acknowledged * 1000003 + progress.begun)).second;
          if (fresh)
            checker.check(kind, image, progress, i);
          else
            ++findings.counts["seen_before"];
        });
      };
      if (o.entry.call == SHIM_MARK) {
        progress.mark(o);
      } else {
        disk.issue(o);
        images();
        if (!takes_effect(o) || !honest) continue;
        disk.finish(o);
        ++epoch;
        seen.clear();
      }
      images();
    }
  }

  Script script_;
  Model model_;
  Record record_;
  std::vector<Logged> operations_;
};

std::uint64_t states(const Findings& found) {
  std::uint64_t n = 0;
  for (const auto& [name, count] : found.counts) {
    if (name != "seen_before" && name != "failures") n += count;
  }
  return n;
}

TEST_P(PowerLoss, KeepsWhatWasAcknowledged) {
  const Findings found = in_parallel([&](std::uint64_t first, std::uint64_t jobs, Findings& findings) {
    replay(first, jobs, findings, true);
  });
  std::cout << script_.name << " (" << script_.commits() << " commits), power loss: states " << states(found)
            << " (" << found.summary() << ")\n";
  for (const std::string& failure : found.failures) ADD_FAILURE() << failure;
  EXPECT_GE(script_.commits(), 40);
  if (stride(29) == 1) {
    EXPECT_GE(states(found), 1000u);
  }
}

// Between call and return of every acknowledged write everything that was written is synced.
TEST_P(PowerLoss, SyncsBeforeItAcknowledges) {
  Disk disk;
  Progress progress;
  std::uint64_t acknowledged = 0;
  std::uint64_t writes = 0;
  std::uint64_t bytes = 0;
  std::uint64_t syncs = 0;
  std::uint64_t since_begin = 0;
  for (const Logged& o : operations_) {
    if (o.entry.call == SHIM_MARK) {
      progress.mark(o);
      if (o.entry.mark == kBegin) since_begin = 0;
      if (o.entry.mark != kAcknowledged) continue;
      ++acknowledged;
      EXPECT_EQ(disk.unsynced(), "") << "step " << o.entry.offset
                                     << " was acknowledged before these were durable";
      EXPECT_GT(since_begin, 0u) << "step " << o.entry.offset << " was acknowledged without a write";
      continue;
    }
    disk.issue(o);
    disk.finish(o);
    syncs += takes_effect(o);
    if (o.entry.call != SHIM_WRITE) continue;
    ++writes;
    ++since_begin;
    bytes += o.entry.data_bytes;
  }
  EXPECT_EQ(acknowledged, script_.steps.size());
  std::cout << script_.name << ", trace: " << acknowledged << " acknowledged, " << writes << " writes, "
            << bytes << " bytes, " << syncs << " syncs\n";
}

INSTANTIATE_TEST_SUITE_P(Durability, PowerLoss, ::testing::ValuesIn(kScenarios),
                         [](const auto& p) { return std::string(p.param); });

using PowerLossOfALiar = PowerLoss;

// The harness can fail: on a disk that only pretends to sync, acknowledged writes are lost, and it must see
// that.
TEST_P(PowerLossOfALiar, IsNoticed) {
  const Findings found = in_parallel([&](std::uint64_t first, std::uint64_t jobs, Findings& findings) {
    if (first != 0) return;
    operations_.resize(std::min<std::size_t>(operations_.size(), 45));
    replay(0, jobs, findings, false);
  });
  EXPECT_GT(found.failures.size(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Durability, PowerLossOfALiar, ::testing::Values("singles"),
                         [](const auto& p) { return std::string(p.param); });

// A process is killed at every call, the next one goes on and writes, and then the power fails: what the
// first one left in the cache only must not take the second one's acknowledged write with it.
TEST(Compound, KillThenPowerLoss) {
  Script script = scenario("creation", seed(), 4);
  script.steps.resize(3);  // creation and two commits
  script.database.resize(3);
  const Model model(script);
  std::uint64_t calls = 0;
  {
    Record record;
    ASSERT_EQ(record.add([&](Trial& run) { run_script(script, model, record.root(), run); }), "");
    calls = record.run().shim.calls;
  }
  const Findings found = in_parallel([&](std::uint64_t first, std::uint64_t jobs, Findings& findings) {
    Record record;
    for (std::uint64_t target = 1 + first; target <= calls; target += jobs) {
      record.clear();
      bool killed = false;
      std::string wrong = record.add([&](Trial& run) { run_script(script, model, record.root(), run); },
                                     target, SHIM_KILL, &killed);
      if (wrong.empty() && !killed) wrong = "was not killed";
      const std::string place = concat("kill at call ", target, ", step ", record.run().acknowledged);
      if (wrong.empty())
        wrong = record.add([&](Trial& run) { run_script(script, model, record.root(), run); });
      if (!wrong.empty()) {
        findings.fail(concat(place, ": ", wrong));
        continue;
      }
      // The second run repeats all steps: what counts is its acknowledgement of each.
      const std::vector<Logged> operations = record.operations();
      Checker checker(script, model, record.root(), findings);
      Disk disk;
      Progress progress;
      std::uint64_t begins = 0;
      for (std::uint64_t i = 0; i < operations.size(); ++i) {
        const Logged& o = operations[i];
        if (o.entry.call != SHIM_MARK) {
          disk.issue(o);
          disk.finish(o);
          continue;
        }
        begins += o.entry.mark == kBegin && o.entry.offset == 0;
        if (begins < 2 || o.entry.mark != kAcknowledged) continue;
        progress.mark(o);
        progress.begun = script.steps.size();  // the first run may have come as far
        checker.check(place.c_str(), disk.durable(), progress, i);
      }
    }
  });
  std::uint64_t n = 0;
  for (const auto& [name, count] : found.counts) n += name == "failures" ? 0 : count;
  std::cout << "kill, go on, power loss: " << n << " states\n";
  for (const std::string& failure : found.failures) ADD_FAILURE() << failure;
  EXPECT_GE(n, calls);
}

// A sync fails and the kernel drops the pages that it could not write, as Linux does: nothing acknowledged
// before or after may rest on them.
TEST(Compound, FailedSyncDropsItsPages) {
  const Script script = scenario("changes", seed(), 12);
  const Model model(script);
  std::vector<std::uint64_t> syncs;
  {
    Record record;
    ASSERT_EQ(record.add([&](Trial& run) { run_script(script, model, record.root(), run); }), "");
    std::uint64_t call = 0;
    for (const Logged& o : record.operations()) {
      if (o.entry.call == SHIM_MARK) continue;
      ++call;
      if (takes_effect(o)) syncs.push_back(call);
    }
    ASSERT_EQ(call, record.run().shim.calls);
  }
  const Findings found = in_parallel([&](std::uint64_t first, std::uint64_t jobs, Findings& findings) {
    Record record;
    for (const shim_fault fault : {SHIM_EIO, SHIM_EIO_DONE}) {
      for (std::uint64_t s = first; s < syncs.size(); s += jobs) {
        record.clear();
        const std::string wrong =
            record.add([&](Trial& run) { run_script(script, model, record.root(), run); }, syncs[s], fault);
        const std::string place = concat("EIO at call ", syncs[s]);
        if (!wrong.empty()) {
          findings.fail(concat(place, ": ", wrong));
          continue;
        }
        Disk disk;
        Progress progress;
        const std::vector<Logged> operations = record.operations();
        Checker checker(script, model, record.root(), findings);
        for (std::uint64_t i = 0; i < operations.size(); ++i) {
          const Logged& o = operations[i];
          if (o.entry.call == SHIM_MARK) {
            progress.mark(o);
            if (o.entry.mark == kAcknowledged) checker.check(place.c_str(), disk.durable(), progress, i);
          } else {
            disk.issue(o);
            disk.finish(o);
          }
        }
      }
    }
  });
  std::uint64_t n = 0;
  for (const auto& [name, count] : found.counts) n += name == "failures" ? 0 : count;
  std::cout << "failed sync, dropped pages, power loss: " << syncs.size() << " syncs, " << n << " states\n";
  for (const std::string& failure : found.failures) ADD_FAILURE() << failure;
  EXPECT_GE(n, syncs.size());
}

}  // namespace
}  // namespace vecstore::durability
