#include "storage/generation.hpp"

#include <algorithm>
#include <charconv>

#include "base/error.hpp"
#include "base/os_file.hpp"

namespace vecstore::storage {
namespace {

constexpr std::string_view kPrefix = "truth.";

// Shared by all who have a generation open, on its data file: the kernel ends it with the process. The lock
// file would not do, since closing it gives up the engine's own locks. A file system that cannot lock (or
// locks for writers only) loses nothing but this: what is removed stays readable to those who have it open.
std::optional<os::FileLock> hold(const std::string& file) {
  try {
    auto lock = os::FileLock::try_shared(file);
    if (!lock) fail(ErrorCode::kBusy, "'", file, "' is being removed");
    return lock;
  } catch (const Error& e) {
    if (e.code() != ErrorCode::kIo) throw;
    return std::nullopt;
  }
}

}  // namespace

std::string generation_directory(const std::string& directory, std::uint64_t number) {
  return concat(directory, "/", kPrefix, number);
}

std::string generation_file(const std::string& directory, std::uint64_t number) {
  return generation_directory(directory, number) + "/data.mdb";
}

std::uint64_t read_current(const std::string& directory) {
  const std::string path = directory + "/CURRENT";
  if (!os::exists(path)) fail(ErrorCode::kCorruption, "'", path, "' is missing");
  const std::string text = os::read_file(path, 64);
  std::uint64_t n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc() || n == 0 || std::string_view(end, text.data() + text.size()) != "\n") {
    fail(ErrorCode::kCorruption, "'", path, "' does not hold a number and a line end");
  }
  return n;
}

void write_current(const std::string& directory, std::uint64_t number) {
  os::atomic_replace(directory, "CURRENT", concat(number, "\n"));
}

std::vector<std::uint64_t> list_generations(const std::string& directory) {
  std::vector<std::uint64_t> out;
  for (const std::string& name : os::list_directory(directory)) {
    if (!name.starts_with(kPrefix)) continue;
    std::uint64_t n = 0;
    const auto [end, error] = std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), n);
    if (error == std::errc() && end == name.data() + name.size() && n > 0) out.push_back(n);
  }
  std::sort(out.begin(), out.end());
  return out;
}

// The data file goes before the lock file: beside a live data file a new lock file would let two writers in.
bool remove_generation(const std::string& directory, std::uint64_t number) {
  const std::string home = generation_directory(directory, number);
  const std::string file = generation_file(directory, number);
  if (!os::exists(home)) return true;
  if (os::exists(file)) {
    const auto alone = os::FileLock::try_exclusive(file);
    if (!alone) return false;
    os::remove_file(file);
  }
  for (const std::string& name : os::list_directory(home)) os::remove_file(home + "/" + name);
  os::fsync_dir(home);
  os::remove_directory(home);
  return true;
}

Generation::Generation(const std::string& directory, std::uint64_t number, const EnvOptions& options)
    : number_(number), file_(generation_file(directory, number)) {
  if (!options.create) hold_ = hold(file_);
  env_ = std::make_unique<Env>(generation_directory(directory, number), options);
  if (options.create) hold_ = hold(file_);
}

}  // namespace vecstore::storage
