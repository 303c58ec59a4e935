// A directory of one test, in memory where the system has room for that, so that syncs cost nothing.
#pragma once
#include <unistd.h>

#include <filesystem>
#include <stdexcept>
#include <string>

namespace vecstore::test {

class Scratch {
 public:
  explicit Scratch(bool in_memory = true) {
    const std::filesystem::path memory = "/dev/shm";
    const bool use =
        in_memory && std::filesystem::is_directory(memory) && ::access(memory.c_str(), W_OK) == 0;
    std::string name =
        ((use ? memory : std::filesystem::temp_directory_path()) / "vecstore-test-XXXXXX").string();
    if (!::mkdtemp(name.data())) throw std::runtime_error("no directory for the test: " + name);
    path_ = name;
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace vecstore::test
