// Generations: the truth.N of a directory, which of them is live, and who has one open.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/os_file_lock.hpp"
#include "storage/lmdb_env.hpp"

namespace vecstore::storage {

std::string generation_directory(const std::string& directory, std::uint64_t number);
std::string generation_file(const std::string& directory, std::uint64_t number);
/// The number in CURRENT. kCorruption.
std::uint64_t read_current(const std::string& directory);
/// Durably and at once; errors as of os::atomic_replace.
void write_current(const std::string& directory, std::uint64_t number);
/// All truth.N that are there, ascending.
std::vector<std::uint64_t> list_generations(const std::string& directory);
/// Removes a generation that is not live: at once, or not while a process has it open (false).
bool remove_generation(const std::string& directory, std::uint64_t number);

/// One generation that this process has open. While it lives no process removes its files.
class Generation {
 public:
  /// kBusy when the generation is being removed, and what Env throws.
  Generation(const std::string& directory, std::uint64_t number, const EnvOptions& options);

  std::uint64_t number() const { return number_; }
  Env& env() { return *env_; }
  const std::string& file() const { return file_; }

  /// The transaction whose store record was seen to name this generation live; for processes that follow.
  std::atomic<std::uint64_t> seen_live_at{0};

 private:
  const std::uint64_t number_;
  const std::string file_;
  std::optional<os::FileLock> hold_;
  std::unique_ptr<Env> env_;
};

}  // namespace vecstore::storage
