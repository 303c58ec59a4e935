// What the sweeps share: scratch directories, memory shared with children, children, work spread over the
// cores.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace vecstore::durability {

/// A new directory in memory (/dev/shm) where there is one, so that syncs cost nothing; removed with all that
/// is in it.
class Scratch {
 public:
  Scratch();
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  const std::string& path() const { return path_; }
  /// Removes what is in it.
  void clear() const;

 private:
  std::string path_;
};

/// Zeroed memory shared with children forked later. Pages cost nothing before their first use.
class SharedMemory {
 public:
  explicit SharedMemory(std::size_t bytes);
  ~SharedMemory();
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;
  char* data() const { return data_; }

 private:
  char* data_;
  std::size_t bytes_;
};

template <class T>
class Shared {
 public:
  Shared() : memory_(sizeof(T)) {}
  T* operator->() const { return reinterpret_cast<T*>(memory_.data()); }
  T& operator*() const { return *reinterpret_cast<T*>(memory_.data()); }

 private:
  SharedMemory memory_;
};

/// Runs `work` in a forked child and waits. Empty when it returned or was ended by kill -9 and `killed` is
/// given (which is set then); else how it ended.
std::string in_child(const std::function<void()>& work, bool* killed = nullptr);

/// What a worker found: counts by name, and what is wrong.
struct Findings {
  std::map<std::string, std::uint64_t> counts;
  std::vector<std::string> failures;
  static constexpr std::size_t kNoteBytes = 512;
  char* note = nullptr;  ///< In a worker: what it is at, for the report should it die.

  void fail(std::string what);
  /// "name count, name count, ..."
  std::string summary() const;
};

/// Splits [0, n) over as many forked workers as there are cores (VECSTORE_DURABILITY_JOBS); worker w of k
/// takes w, w + k, ... Adds up what they found; a worker that dies is a failure.
using Worker = std::function<void(std::uint64_t first, std::uint64_t stride, Findings& findings)>;
Findings in_parallel(const Worker& work);

/// Every how many places something is tried; 1 = everywhere. VECSTORE_DURABILITY_STRIDE decides, else
/// `usual`, or under a sanitizer, which makes each try many times slower, `sanitized`.
std::uint64_t stride(std::uint64_t sanitized, std::uint64_t usual = 1);
/// Commits per scenario, VECSTORE_DURABILITY_COMMITS, default 40. The soak raises it.
int commits();
/// Seed of all scripts.
unsigned seed();

}  // namespace vecstore::durability
