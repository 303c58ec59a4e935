// Every system call that changes files, in five scenarios, is the place of one kill -9, one EIO, one ENOSPC
// and their kin.
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <iostream>

#include "base/error.hpp"
#include "durability/harness.hpp"
#include "durability/workload.hpp"

namespace vecstore::durability {
namespace {

struct Fault {
  const char* name;
  shim_fault kind;
};
constexpr Fault kFaults[] = {
    {"kill", SHIM_KILL},         {"kill_torn", SHIM_KILL_TORN}, {"eio", SHIM_EIO},
    {"eio_done", SHIM_EIO_DONE}, {"enospc", SHIM_ENOSPC},       {"disk_full", SHIM_ENOSPC_STAYS},
    {"short_write", SHIM_SHORT},
};

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

class Sweep {
 public:
  Sweep(const Script& script, const Fault& fault) : script_(script), fault_(fault), model_(script) {}

  Findings all() {
    std::uint64_t calls = 0;
    {
      const Scratch scratch;
      const Shared<Trial> run;
      const std::string ended = run_once(script_, model_, scratch.path(), *run, 0, SHIM_NONE, nullptr);
      EXPECT_EQ(ended, "");
      EXPECT_STREQ(run->failure, "");
      EXPECT_EQ(run->acknowledged, script_.steps.size());
      EXPECT_EQ(run->syscalls_wrong, 0u) << "writing system calls pass the shim";
      EXPECT_EQ(run->shim.writable_maps, 0u) << "a data file is mapped writable";
      calls = run->shim.calls;
    }
    const std::uint64_t step = stride(17);
    Findings found = in_parallel([&](std::uint64_t first, std::uint64_t jobs, Findings& findings) {
      const Scratch scratch;
      const Shared<Trial> run;
      for (std::uint64_t i = 1 + step * first; i <= calls; i += step * jobs) one(i, scratch, *run, findings);
    });
    found.counts["calls"] = calls;
    return found;
  }

 private:
  void one(std::uint64_t target, const Scratch& scratch, Trial& run, Findings& findings) {
    scratch.clear();
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
}

INSTANTIATE_TEST_SUITE_P(Durability, FaultSweep,
                         ::testing::Combine(::testing::ValuesIn(kScenarios), ::testing::ValuesIn(kFaults)),
                         [](const auto& p) {
                           return std::string(std::get<0>(p.param)) + "_" + std::get<1>(p.param).name;
                         });

}  // namespace
}  // namespace vecstore::durability
