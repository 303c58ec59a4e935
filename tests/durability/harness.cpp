#include "durability/harness.hpp"
#include "seed.hpp"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <stdexcept>
#include <thread>

namespace vecstore::durability {
namespace {

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text && *text ? std::strtoull(text, nullptr, 10) : otherwise;
}

// One line per count ("name<tab>n") or failure ("!text").
std::string serialize(const Findings& findings) {
  std::string out;
  for (const auto& [name, n] : findings.counts) out += name + "\t" + std::to_string(n) + "\n";
  for (std::string text : findings.failures) {
    for (char& c : text) c = c == '\n' ? ' ' : c;
    out += "!" + text + "\n";
  }
  return out;
}

void add_serialized(const std::string& text, Findings& findings) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    at = end + 1;
    if (line.starts_with("!")) {
      findings.failures.push_back(line.substr(1));
    } else if (const std::size_t tab = line.find('\t'); tab != std::string::npos) {
      findings.counts[line.substr(0, tab)] += std::strtoull(line.c_str() + tab + 1, nullptr, 10);
    }
  }
}

}  // namespace

Scratch::Scratch() {
  std::error_code ignored;
  const bool memory = std::filesystem::is_directory("/dev/shm", ignored) && ::access("/dev/shm", W_OK) == 0;
  std::string name = (memory ? std::string("/dev/shm") : std::filesystem::temp_directory_path().string()) +
                     "/vecstore-XXXXXX";
  if (!::mkdtemp(name.data())) throw std::runtime_error("cannot make a scratch directory");
  path_ = name;
}

Scratch::~Scratch() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void Scratch::clear() const {
  for (const auto& entry : std::filesystem::directory_iterator(path_))
    std::filesystem::remove_all(entry.path());
}

SharedMemory::SharedMemory(std::size_t bytes) : bytes_(bytes) {
  void* p = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) throw std::runtime_error("cannot map shared memory");
  data_ = static_cast<char*>(p);
}

SharedMemory::~SharedMemory() { ::munmap(data_, bytes_); }

std::string in_child(const std::function<void()>& work, bool* killed) {
  std::cout.flush();
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("cannot fork");
  if (child == 0) {
    try {
      work();
    } catch (const std::exception& e) {
      std::cerr << "child: " << e.what() << std::endl;
      ::_exit(3);
    }
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  if (WIFSIGNALED(status)) {
    if (killed && WTERMSIG(status) == SIGKILL) {
      *killed = true;
      return {};
    }
    return "ended by signal " + std::to_string(WTERMSIG(status));
  }
  return "ended with status " + std::to_string(WEXITSTATUS(status));
}

void Findings::fail(std::string what) {
  ++counts["failures"];
  if (failures.size() < 10) failures.push_back(std::move(what));
}

std::string Findings::summary() const {
  std::string out;
  for (const auto& [name, n] : counts) out += (out.empty() ? "" : ", ") + name + " " + std::to_string(n);
  return out;
}

Findings in_parallel(const Worker& work) {
  const std::uint64_t jobs = std::max<std::uint64_t>(
      1, number_from("VECSTORE_DURABILITY_JOBS", std::thread::hardware_concurrency()));
  struct Child {
    pid_t pid;
    int out;
  };
  std::vector<Child> children;
  const SharedMemory notes(jobs * Findings::kNoteBytes);
  std::cout.flush();
  for (std::uint64_t w = 0; w < jobs; ++w) {
    int ends[2];
    if (::pipe(ends) != 0) throw std::runtime_error("cannot make a pipe");
    const pid_t pid = ::fork();
    if (pid < 0) throw std::runtime_error("cannot fork");
    if (pid == 0) {
      ::close(ends[0]);
      Findings findings;
      findings.note = notes.data() + w * Findings::kNoteBytes;
      try {
        work(w, jobs, findings);
      } catch (const std::exception& e) {
        findings.fail(std::string("a worker stops: ") + e.what());
      }
      const std::string text = serialize(findings);
      for (std::size_t done = 0; done < text.size();) {
        const ssize_t n = ::write(ends[1], text.data() + done, text.size() - done);
        if (n <= 0) ::_exit(4);
        done += static_cast<std::size_t>(n);
      }
      ::_exit(0);
    }
    ::close(ends[1]);
    children.push_back({pid, ends[0]});
  }
  Findings all;
  for (const Child& child : children) {
    std::string text;
    char buffer[4096];
    for (ssize_t n; (n = ::read(child.out, buffer, sizeof buffer)) > 0;)
      text.append(buffer, static_cast<std::size_t>(n));
    ::close(child.out);
    int status = 0;
    ::waitpid(child.pid, &status, 0);
    add_serialized(text, all);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
      const auto w = static_cast<std::size_t>(&child - children.data());
      all.fail("a worker died, wait status " + std::to_string(status) +
               ", at: " + (notes.data() + w * Findings::kNoteBytes));
    }
  }
  return all;
}

std::uint64_t stride(std::uint64_t sanitized, std::uint64_t usual) {
#if defined(__SANITIZE_ADDRESS__)
  usual = sanitized;
#else
  (void)sanitized;
#endif
  return std::max<std::uint64_t>(1, number_from("VECSTORE_DURABILITY_STRIDE", usual));
}

int commits() { return static_cast<int>(number_from("VECSTORE_DURABILITY_COMMITS", 40)); }

unsigned seed() {
  static const unsigned seed = test::seed();
  return seed;
}

}  // namespace vecstore::durability
