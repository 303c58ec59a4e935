// Faults under concurrent writers, who share commits; and a disk that fills up slowly.
#include <gtest/gtest.h>

#include <cstring>
#include <iostream>
#include <map>
#include <thread>
#include <vector>

#include "base/error.hpp"
#include "durability/database.hpp"
#include "durability/fault_shim.h"
#include "durability/harness.hpp"

namespace vecstore::durability {
namespace {

constexpr int kThreads = 4;
constexpr int kEach = 15;

// Shared with the parent; plain stores, since each thread has its own and the reader comes after the
// process's end.
struct Writers {
  shim_state shim;
  int begun[kThreads];
  int acknowledged[kThreads];
  int failed[kThreads];
  std::uint64_t creation;  // calls of the creation, which is swept elsewhere
  char failure[512];
};

Item item_of(int thread, int i) {
  return {concat("thread-", thread, "-", i),
          {1.0f + static_cast<float>(thread), static_cast<float>(i), 3, 4},
          concat("text ", i, " of ", thread),
          100 * thread + i};
}

void write_all(const std::string& directory, Writers& w) {
  Database database(directory, std::uint64_t{1} << 30, true);
  database.apply({Step::Kind::kCreate});
  w.creation = w.shim.calls;
  std::vector<std::jthread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        w.begun[t] = i + 1;
        try {
          database.apply({Step::Kind::kUpsert, {item_of(t, i)}});
        } catch (const Error& e) {
          const bool full = w.shim.fault == SHIM_ENOSPC_STAYS;
          shim_space();
          if (e.code() == ErrorCode::kDiskFull && full) {
            --i;  // there is space again: the same handle takes it
            continue;
          }
          if (e.code() != ErrorCode::kUnknownOutcome && (full || e.code() != ErrorCode::kIo)) {
            std::snprintf(w.failure, sizeof w.failure, "%s", e.what());
          }
          w.failed[t] = 1;
          return;  // whoever shared that commit may not know either
        }
        w.acknowledged[t] = i + 1;
      }
    });
  }
}

std::string check(const std::string& directory, const Writers& w) {
  Database database(directory, std::uint64_t{1} << 30, true);
  const Content found = database.content();
  std::size_t known = 0;
  for (int t = 0; t < kThreads; ++t) {
    for (int i = 0; i < kEach; ++i) {
      const Item item = item_of(t, i);
      const auto at = found.find(item.id);
      known += at != found.end();
      if (at == found.end() && i < w.acknowledged[t])
        return concat(item.id, " was acknowledged and is missing");
      if (at != found.end() && i >= w.begun[t]) return concat(item.id, " was never written");
      if (at != found.end() && at->second != describe(item)) return concat(item.id, " differs");
    }
  }
  if (known != found.size()) return "there are records that nobody wrote";
  if (const std::string damages = database.damages(); !damages.empty()) return damages;
  database.apply({Step::Kind::kCreate});
  database.apply({Step::Kind::kUpsert, {Item{"probe", {-1, -2, -3, -4}, "a probe", 1}}});
  return database.content().contains("probe") ? "" : "a new write is not there";
}

std::string run(const std::string& root, Writers& w, std::uint64_t target, shim_fault fault, bool* killed) {
  std::memset(&w, 0, sizeof w);
  std::strncpy(w.shim.root, root.c_str(), sizeof w.shim.root - 1);
  w.shim.target = target;
  w.shim.fault = fault;
  const std::string ended = in_child(
      [&] {
        shim_attach(&w.shim, nullptr);
        write_all(root + "/db", w);
      },
      killed);
  return ended.empty() ? std::string(w.failure) : ended;
}

const std::map<shim_fault, std::string> kNames = {
    {SHIM_KILL, "kill"}, {SHIM_EIO, "eio"}, {SHIM_ENOSPC_STAYS, "disk_full"}};

class Threads : public ::testing::TestWithParam<shim_fault> {};

// How writers meet in commits differs from run to run, so a place is a number of calls and not a step.
TEST_P(Threads, LoseNothing) {
  const shim_fault fault = GetParam();
  std::uint64_t creation = 0;
  std::uint64_t calls = 0;
  {
    const Scratch scratch;
    const Shared<Writers> w;
    ASSERT_EQ(run(scratch.path(), *w, 0, SHIM_NONE, nullptr), "");
    for (int t = 0; t < kThreads; ++t) ASSERT_EQ(w->acknowledged[t], kEach);
    ASSERT_EQ(check(scratch.path() + "/db", *w), "");
    creation = w->creation;
    calls = w->shim.calls;
  }
  const std::uint64_t step = stride(11);
  const Findings found = in_parallel([&](std::uint64_t first, std::uint64_t jobs, Findings& findings) {
    const Scratch scratch;
    const Shared<Writers> w;
    for (std::uint64_t target = creation + 1 + step * first; target <= calls; target += step * jobs) {
      scratch.clear();
      bool killed = false;
      std::string wrong = run(scratch.path(), *w, target, fault, &killed);
      ++findings.counts["runs"];
      findings.counts["fired"] += w->shim.fired;
      for (int t = 0; t < kThreads; ++t)
        findings.counts["writers_failed"] += static_cast<std::uint64_t>(w->failed[t]);
      if (wrong.empty()) {
        wrong = in_child([&] {
          const std::string bad = check(scratch.path() + "/db", *w);
          std::snprintf(w->failure, sizeof w->failure, "%s", bad.c_str());
        });
        if (wrong.empty()) wrong = w->failure;
      }
      if (!wrong.empty())
        findings.fail(
            concat("call ", target, " of ", static_cast<const char*>(w->shim.fired_path), ": ", wrong));
    }
  });
  std::cout << kThreads << " writers, fault " << kNames.at(fault) << ": " << found.summary() << "\n";
  for (const std::string& failure : found.failures) ADD_FAILURE() << failure;
  EXPECT_GT(found.counts.at("fired"), 0u);
}

INSTANTIATE_TEST_SUITE_P(Durability, Threads, ::testing::Values(SHIM_KILL, SHIM_EIO, SHIM_ENOSPC_STAYS),
                         [](const auto& p) { return kNames.at(p.param); });

// Before the disk is really full inserts are refused, and what frees space still works.
TEST(DiskFull, IsRefusedEarlyAndErasingHelps) {
  const Scratch scratch;
  const Shared<shim_state> shim;
  std::strncpy(shim->root, scratch.path().c_str(), sizeof shim->root - 1);
  const std::string ended = in_child([&] {
    shim_attach(&*shim, nullptr);
    const auto expect = [](bool good, const char* what) {
      if (!good) throw std::runtime_error(what);
    };
    Database database(scratch.path() + "/db", std::uint64_t{1} << 30, true);
    database.apply({Step::Kind::kCreate});
    for (int i = 0; i < 5; ++i) database.apply({Step::Kind::kUpsert, {item_of(0, i)}});
    shim->free_bytes = 1 << 20;
    ErrorCode code{};
    try {
      database.apply({Step::Kind::kUpsert, {item_of(0, 5)}});
    } catch (const Error& e) {
      code = e.code();
    }
    expect(code == ErrorCode::kDiskFull, "an upsert on a full disk is kDiskFull");
    expect(database.content().size() == 5, "reads work on a full disk");
    database.apply({Step::Kind::kErase, {item_of(0, 0)}});
    expect(database.content().size() == 4, "erasing works on a full disk");
    shim->free_bytes = 0;
    database.apply({Step::Kind::kUpsert, {item_of(0, 5)}});
    expect(database.content().size() == 5 && database.damages().empty(), "the same handle goes on");
  });
  EXPECT_EQ(ended, "");
}

}  // namespace
}  // namespace vecstore::durability
