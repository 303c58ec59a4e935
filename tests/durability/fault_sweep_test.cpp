// Every system call that changes files, in five scenarios, is the place of one kill -9, one EIO, one ENOSPC
// and their kin.
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string_view>

#include "base/error.hpp"
#include "durability/harness.hpp"
#include "durability/workload.hpp"

namespace vecstore::durability {
namespace {

struct Fault {
  const char* name;
  shim_fault kind;
  std::uint64_t usual_stride;  // the kin of the three main faults are tried at every third place
};
constexpr Fault kFaults[] = {
    {"kill", SHIM_KILL, 1},           {"eio", SHIM_EIO, 1},           {"disk_full", SHIM_ENOSPC_STAYS, 1},
    {"kill_torn", SHIM_KILL_TORN, 3}, {"eio_done", SHIM_EIO_DONE, 3}, {"enospc", SHIM_ENOSPC, 3},
    {"short_write", SHIM_SHORT, 3},
};
void PrintTo(const Fault& fault, std::ostream* out) { *out << fault.name; }

// One run in a child. Empty, or how the child ended.
std::string run_once(const Script& script, const Model& model, const std::string& root, Trial& run,
                     std::uint64_t target, shim_fault fault, bool* killed) {
  std::memset(&run, 0, sizeof run);
  std::strncpy(run.shim.root, root.c_str(), sizeof run.shim.root - 1);
  run.shim.target = target;
  run.shim.fault = fault;
  return in_child(
      [&] {
        shim_attach(&run.shim, nullptr);
        run_script(script, model, root, run);
      },
      killed);
}

constexpr const char* kCalls[] = {"none",   "write", "truncate", "sync",  "sync_dir",
                                  "create", "mkdir", "rename",   "unlink"};

// What processes leave behind that are killed around the last step of a creation, the renaming of FORMAT, and
// before they tidied up: opening has to remove files then.
class Remains {
 public:
  explicit Remains(Script script) {
    script.steps.resize(1);
    script.database.resize(1);
    const Model model(script);
    const Shared<Trial> run;
    for (std::uint64_t call = 1; !found(*run); ++call) leave(unfinished_, script, model, call, *run);
    leave(finished_, script, model, run->shim.calls + 1, *run);
    for (const Scratch* scratch : {&unfinished_, &finished_}) {
      const std::string path = database_path(scratch->path(), 0);
      std::filesystem::create_directory(path + "/tmp");
      for (const char* name : {"/tmp/one", "/tmp/two", "/CURRENT.tmp-1-1"})
        std::ofstream(path + name) << "rest";
    }
  }

  // Every third database was begun, every third made.
  void lay_out(const Script& script, const std::string& root) const {
    for (int d = 0; d < script.databases(); ++d) {
      if (d % 3 == 0) continue;
      std::filesystem::copy(database_path((d % 3 == 1 ? unfinished_ : finished_).path(), 0),
                            database_path(root, d), std::filesystem::copy_options::recursive);
    }
  }

 private:
  static bool found(const Trial& run) {
    return run.shim.fired_call == SHIM_RENAME &&
           std::string_view(run.shim.fired_path).find("/FORMAT.tmp-") != std::string_view::npos;
  }

  static void leave(const Scratch& scratch, const Script& script, const Model& model, std::uint64_t call,
                    Trial& run) {
    scratch.clear();
    bool killed = false;
    const std::string wrong = run_once(script, model, scratch.path(), run, call, SHIM_KILL, &killed);
    if (!wrong.empty() || !killed)
      throw std::runtime_error(concat("creation, call ", call, ": ", wrong, run.failure));
  }

  Scratch unfinished_, finished_;
};

class Sweep {
 public:
  Sweep(const Script& script, const Fault& fault) : script_(script), fault_(fault), model_(script) {
    if (script.after_crash) remains_ = std::make_unique<Remains>(script);
  }

  Findings all() {
    std::uint64_t calls = 0;
    {
      const Scratch scratch;
      const Shared<Trial> run;
      start(scratch);
      const std::string ended = run_once(script_, model_, scratch.path(), *run, 0, SHIM_NONE, nullptr);
      EXPECT_EQ(ended, "");
      EXPECT_STREQ(run->failure, "");
      EXPECT_EQ(run->acknowledged, script_.steps.size());
#if !defined(__SANITIZE_ADDRESS__)
      // UndefinedBehaviorSanitizer asks whether memory can be read by writing it into a pipe, past libc.
      EXPECT_EQ(run->syscalls_wrong, 0u) << "writing system calls pass the shim";
#endif
      EXPECT_EQ(run->shim.writable_maps, 0u) << "a data file is mapped writable";
      calls = run->shim.calls;
    }
    const std::uint64_t step = stride(17 * fault_.usual_stride, fault_.usual_stride);
    Findings found = in_parallel([&](std::uint64_t first, std::uint64_t jobs, Findings& findings) {
      const Scratch scratch;
      const Shared<Trial> run;
      for (std::uint64_t i = 1 + step * first; i <= calls; i += step * jobs) one(i, scratch, *run, findings);
    });
    found.counts["calls"] = calls;
    return found;
  }

 private:
  void start(const Scratch& scratch) const {
    scratch.clear();
    if (remains_) remains_->lay_out(script_, scratch.path());
  }

  void one(std::uint64_t target, const Scratch& scratch, Trial& run, Findings& findings) {
    start(scratch);
    bool killed = false;
    std::string wrong = run_once(script_, model_, scratch.path(), run, target, fault_.kind, &killed);
    ++findings.counts["runs"];
    if (!run.shim.fired) return findings.fail(place(target, run) + ": the call was not reached");
    const bool kill = fault_.kind == SHIM_KILL || fault_.kind == SHIM_KILL_TORN;
    if (wrong.empty() && killed != kill) wrong = killed ? "was killed" : "was not killed";
    if (wrong.empty()) wrong = run.failure;
    if (wrong.empty() && !kill && run.acknowledged != script_.steps.size()) wrong = "the script did not end";
    if (wrong.empty()) {
      char* const text = run.failure;
      wrong = in_child([&] {
        const std::string bad = check_result(script_, model_, scratch.path(), run.acknowledged, run.begun);
        std::snprintf(text, sizeof run.failure, "%s", bad.c_str());
      });
      if (wrong.empty()) wrong = run.failure;
    }
    ++findings.counts[std::string("at_") + kCalls[run.shim.fired_call]];
    if (run.disk_full) ++findings.counts["threw_disk_full"];
    if (run.io) ++findings.counts["threw_io"];
    if (run.unknown_outcome) ++findings.counts["threw_unknown_outcome"];
    if (!kill && !run.disk_full && !run.io && !run.unknown_outcome) ++findings.counts["threw_nothing"];
    if (!wrong.empty()) findings.fail(place(target, run) + ": " + wrong);
  }

  std::string place(std::uint64_t target, const Trial& run) const {
    return concat(script_.name, ", ", fault_.name, " at call ", target, " (", kCalls[run.shim.fired_call],
                  run.shim.fired_sync ? " with O_DSYNC" : "", " of ",
                  static_cast<const char*>(run.shim.fired_path), "), step ", run.acknowledged);
  }

  const Script& script_;
  const Fault& fault_;
  const Model model_;
  std::unique_ptr<Remains> remains_;
};

class FaultSweep : public ::testing::TestWithParam<std::tuple<const char*, Fault>> {};

TEST_P(FaultSweep, LosesNothing) {
  const auto& [name, fault] = GetParam();
  const Script script = scenario(name, seed(), commits());
  const Findings found = Sweep(script, fault).all();
  std::cout << name << " (" << script.commits() << " commits), " << fault.name << ": " << found.summary()
            << "\n";
  for (const std::string& failure : found.failures) ADD_FAILURE() << failure;
  EXPECT_GE(script.commits(), 40);
  EXPECT_GT(found.counts.at("runs"), 0u);
  if (script.after_crash && stride(2) == 1) {
    EXPECT_TRUE(found.counts.contains("at_unlink"));
  }
}

INSTANTIATE_TEST_SUITE_P(Durability, FaultSweep,
                         ::testing::Combine(::testing::ValuesIn(kScenarios), ::testing::ValuesIn(kFaults)),
                         [](const auto& p) {
                           return std::string(std::get<0>(p.param)) + "_" + std::get<1>(p.param).name;
                         });

// Killed while creating, killed again while making good for it: the third process has to get a database all
// the same.
TEST(Compound, KillWhileRecovering) {
  Script script = scenario("creation", seed(), 4);
  script.steps.resize(2);  // creation and one commit, which may be made twice
  script.database.resize(2);
  const Model model(script);
  const std::uint64_t step = stride(7);
  const Findings found = in_parallel([&](std::uint64_t first, std::uint64_t jobs, Findings& findings) {
    const Scratch scratch;
    const Shared<Trial> run;
    bool reached = true;
    for (std::uint64_t one = 1 + step * first; reached; one += step * jobs) {
      bool again = true;
      for (std::uint64_t two = 1; again && reached; two += step) {
        scratch.clear();
        bool killed = false;
        (void)run_once(script, model, scratch.path(), *run, one, SHIM_KILL, &killed);
        const std::uint64_t acknowledged = run->acknowledged;
        reached = killed;
        if (!reached) break;
        killed = false;
        std::string wrong = run_once(script, model, scratch.path(), *run, two, SHIM_KILL, &killed);
        again = killed;
        if (wrong.empty()) wrong = run->failure;
        if (wrong.empty()) {
          const std::uint64_t known = std::max(acknowledged, run->acknowledged);
          char* const text = run->failure;
          wrong = in_child([&] {
            const std::string bad = check_result(script, model, scratch.path(), known, script.steps.size());
            std::snprintf(text, sizeof run->failure, "%s", bad.c_str());
          });
          if (wrong.empty()) wrong = run->failure;
        }
        ++findings.counts["runs"];
        if (!wrong.empty())
          findings.fail(concat("kill at call ", one, " and then at call ", two, ": ", wrong));
      }
    }
  });
  std::cout << "kill, kill again: " << found.summary() << "\n";
  for (const std::string& failure : found.failures) ADD_FAILURE() << failure;
  EXPECT_GT(found.counts.at("runs"), 0u);
}

}  // namespace
}  // namespace vecstore::durability
