// Single flipped bits in the data file of a database that is then used through the public API. The engine
// below trusts what it maps, so a damaged page may end the process; what must not happen is a wrong value, or
// a loss that neither the call, nor the open, nor verify tells of.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <random>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "durability/flip_session.hpp"
#include "durability/harness.hpp"
#include "storage/lmdb_file.hpp"

namespace vecstore::durability {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::uint64_t kUsualFlips = 60;
constexpr unsigned kSeconds = 120;
#else
constexpr std::uint64_t kUsualFlips = 400;
constexpr unsigned kSeconds = 20;
#endif
constexpr std::uint64_t kWriteEvery = 8;  // of the flips, this share is tried for writing as well

enum PageKind : std::size_t { kMeta, kBranch, kLeaf, kValue, kPageKinds };
constexpr const char* kKindNames[kPageKinds] = {"meta", "branch", "leaf", "value"};
constexpr const char* kOutcomes[] = {"identical", "refused", "error",  "degraded", "verify",
                                     "crash",     "timeout", "silent", "WRONG",    "verify-crash"};

using Pages = std::array<std::vector<std::uint64_t>, kPageKinds>;

std::uint64_t flips() {
  const char* text = std::getenv("VECSTORE_FLIPS");
  return text ? std::strtoull(text, nullptr, 10) : kUsualFlips;
}

/// The pages in use, by kind: those of the trees of data, and the root of the free list.
Pages pages_by_kind(const std::string& path, std::uint32_t& page_size) {
  const storage::PageFile file(path);
  page_size = file.page_size();
  const storage::MetaPages metas = storage::read_meta_pages(file, path);
  const storage::MetaPage meta = metas.pages[metas.newest].value();
  storage::PageWalk walk(file, meta, [](std::string_view, const std::string& detail) {
    throw std::runtime_error("the sound file is damaged: " + detail);
  });
  walk.walk_data({});
  Pages out;
  std::vector<char> bytes(page_size);
  for (std::uint64_t p = 0; p <= meta.last_page; ++p) {
    if (!walk.taken(p) && p != meta.free.root) continue;
    if (!file.read(p, 0, bytes)) throw std::runtime_error("cannot read a page");
    const bool numbered = load<std::uint64_t>(bytes.data()) == p;
    const auto flags = load<std::uint16_t>(bytes.data() + 10);
    const PageKind kind = p < storage::kMetaPages  ? kMeta
                          : numbered && flags == 1 ? kBranch
                          : numbered && flags == 2 ? kLeaf
                                                   : kValue;
    out[kind].push_back(p);
  }
  return out;
}

void flip(const std::string& path, std::uint64_t bit) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  char byte = 0;
  const auto at = static_cast<off_t>(bit / 8);
  bool good = fd >= 0 && ::pread(fd, &byte, 1, at) == 1;
  byte = static_cast<char>(byte ^ (1 << (bit % 8)));
  good = good && ::pwrite(fd, &byte, 1, at) == 1;
  ::close(fd);
  if (!good) throw std::runtime_error("cannot flip a bit of " + path);
}

enum class End { kDone, kCrashed, kTimeout };

/// Runs `work` in a child that may die. What it met until then is in `out`.
template <class F>
End in_doomed_child(const Shared<FlipOutcome>& out, const F& work) {
  *out = FlipOutcome{};
  const pid_t pid = ::fork();
  if (pid < 0) throw std::runtime_error("cannot fork");
  if (pid == 0) {
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    if (const int quiet = ::open("/dev/null", O_WRONLY); quiet >= 0 && !std::getenv("VECSTORE_FLIP_LOUD"))
      ::dup2(quiet, STDERR_FILENO);  // the engine's assertions, the sanitizer's reports
    ::alarm(kSeconds);
    try {
      work(*out);
    } catch (...) {
      ::_exit(3);
    }
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) return End::kTimeout;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 && out->done ? End::kDone : End::kCrashed;
}

/// One worker's copy of the store, and what becomes of it.
class Victim {
 public:
  Victim(const std::string& sound, FlipModel& model) : sound_(sound), model_(model) {
    std::filesystem::copy(sound, dir(), std::filesystem::copy_options::recursive);
  }

  /// The name of the outcome; what has to fail goes to `findings`.
  std::string try_flip(std::uint64_t bit, bool write, const std::string& what, Findings& findings) {
    std::string dir = this->dir();
    if (write) {
      dir = scratch_.path() + "/written";
      std::filesystem::remove_all(dir);
      std::filesystem::copy(sound_, dir, std::filesystem::copy_options::recursive);
    }
    flip(data(dir), bit);
    const std::string outcome = session(dir, write, what, findings);
    if (!write) flip(data(dir), bit);
    return outcome;
  }
  static std::string data(const std::string& dir) { return dir + "/truth.1/data.mdb"; }

 private:
  std::string dir() const { return scratch_.path() + "/db"; }

  std::string session(const std::string& dir, bool write, const std::string& what, Findings& findings) {
    const End end =
        in_doomed_child(out_, [&](FlipOutcome& out) { run_flip_session(dir, model_, write, out); });
    const std::string at = out_->stage;
    if (out_->foreign[0]) findings.fail(what + ": not a vecstore::Error: " + out_->foreign);
    if (out_->wrong[0]) {
      findings.fail(concat(what, ": wrong value: ", out_->wrong, "; ", out_->errors, " errors, ",
                           out_->degraded, " degraded, ", out_->damages, " damages"));
      return "WRONG";
    }
    if (end != End::kDone) {
      if (std::getenv("VECSTORE_FLIP_LOUD")) std::cerr << what << ": died in " << at << "\n";
      ++findings.counts["died in: " + at];
      bool verify_died = at == "verify";
      if (!verify_died) {
        in_doomed_child(out_, [&](FlipOutcome& out) { run_flip_verify(dir, out); });
        verify_died = !out_->done && std::string(out_->stage).starts_with("verify");
        ++findings
              .counts[out_->damages > 0 ? "died, and verify reports" : "died, and verify reports nothing"];
      }
      if (verify_died) {
        findings.fail(what + ": verify dies");
        return "verify-crash";
      }
      return end == End::kTimeout ? "timeout" : "crash";
    }
    if (out_->missing[0] && !out_->reported()) {
      findings.fail(what + ": silent loss: " + out_->missing);
      return "silent";
    }
    if (out_->stale) ++findings.counts["older version after a write, damage reported"];
    if (!out_->opened) return "refused";
    if (out_->errors > 0) return "error";
    if (out_->degraded > 0) return "degraded";
    return out_->damages > 0 ? "verify" : "identical";
  }

  std::string sound_;
  FlipModel& model_;
  Scratch scratch_;
  Shared<FlipOutcome> out_;
};

void print_table(const std::string& title, const Findings& all) {
  std::printf("%s\n  %-8s", title.c_str(), "");
  for (const char* outcome : kOutcomes) std::printf(" %12s", outcome);
  std::printf("\n");
  for (const char* kind : kKindNames) {
    std::printf("  %-8s", kind);
    for (const char* outcome : kOutcomes) {
      const auto n = all.counts.find(title + " " + kind + " " + outcome);
      std::printf(" %12llu", static_cast<unsigned long long>(n == all.counts.end() ? 0 : n->second));
    }
    std::printf("\n");
  }
}

TEST(BitFlips, OfAnOpenedDatabase) {
  const Scratch scratch;
  const std::string dir = scratch.path() + "/db";
  FlipModel model = build_flip_store(dir, seed());
  learn_answers(dir, model);
  std::uint32_t page_size = 0;
  const Pages pages = pages_by_kind(Victim::data(dir), page_size);
  std::printf("seed %u, %llu flips; pages: %zu meta, %zu branch, %zu leaf, %zu value\n", seed(),
              static_cast<unsigned long long>(flips()), pages[kMeta].size(), pages[kBranch].size(),
              pages[kLeaf].size(), pages[kValue].size());
  for (const auto& list : pages) ASSERT_FALSE(list.empty());

  // Without a flip everything is as it was written.
  const Shared<FlipOutcome> sound;
  for (const bool write : {false, true}) {
    const Scratch copy;
    std::filesystem::copy(dir, copy.path() + "/db", std::filesystem::copy_options::recursive);
    ASSERT_EQ(in_doomed_child(
                  sound, [&](FlipOutcome& out) { run_flip_session(copy.path() + "/db", model, write, out); }),
              End::kDone)
        << sound->stage;
    ASSERT_STREQ(sound->wrong, "");
    ASSERT_STREQ(sound->missing, "");
    ASSERT_TRUE(sound->opened && sound->verified && !sound->reported()) << sound->foreign;
  }

  const char* only = std::getenv("VECSTORE_FLIP_ONLY");
  const Findings all = in_parallel([&](std::uint64_t first, std::uint64_t step, Findings& findings) {
    Victim victim(dir, model);
    for (std::uint64_t i = first; i < flips(); i += step) {
      if (only && std::strtoull(only, nullptr, 10) != i) continue;
      std::mt19937_64 random(seed() * 1'000'003ULL + i);
      const auto kind = static_cast<PageKind>(i % kPageKinds);
      const std::uint64_t page = pages[kind][random() % pages[kind].size()];
      // What a meta page holds, and of the others every second flip, lies at the page's beginning.
      const std::uint64_t reach = kind == kMeta ? 152 : random() % 2 ? 64 : page_size;
      const std::uint64_t bit = (page * page_size + random() % reach) * 8 + random() % 8;
      const bool also_write = i / kPageKinds % kWriteEvery == 0;
      for (int write = 0; write <= (also_write ? 1 : 0); ++write) {
        const std::string mode = write ? "for writing" : "read only";
        const std::string what = concat("flip ", i, ", ", kKindNames[kind], " page ", page, " byte ",
                                        bit / 8 % page_size, " bit ", bit % 8, ", ", mode);
        std::snprintf(findings.note, Findings::kNoteBytes, "%s", what.c_str());
        const std::string outcome = victim.try_flip(bit, write != 0, what, findings);
        ++findings.counts[concat(mode, " ", kKindNames[kind], " ", outcome)];
      }
    }
  });
  print_table("read only", all);
  print_table("for writing", all);
  for (const auto& [name, n] : all.counts) {
    if (name.starts_with("died") || name.starts_with("older"))
      std::printf("  %s: %llu\n", name.c_str(), static_cast<unsigned long long>(n));
  }
  for (const std::string& failure : all.failures) ADD_FAILURE() << failure;
}

}  // namespace
}  // namespace vecstore::durability
