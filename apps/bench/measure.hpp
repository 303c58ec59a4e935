// What the parts of vecstore-bench share: a clock, and a folder that goes when it is no longer needed.
#pragma once
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>

namespace vecstore::bench {

using Clock = std::chrono::steady_clock;

inline double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// A new one in `wanted`, or in the folder for temporary files when that is empty.
struct Folder {
  explicit Folder(const std::string& wanted) {
    namespace fs = std::filesystem;
    std::string t =
        (fs::path(wanted.empty() ? fs::temp_directory_path() : fs::path(wanted)) / "bench-XXXXXX").string();
    if (!mkdtemp(t.data())) throw std::runtime_error("cannot make a folder in " + t);
    path = t;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::filesystem::path path;
};

}  // namespace vecstore::bench
