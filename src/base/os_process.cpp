#include "base/os_process.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <string_view>

#include "base/error.hpp"

namespace vecstore {
namespace {

// The files of /proc are read whole by one call; none that is used here is longer.
std::string read_small(const char* path) {
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  char buffer[1024];
  ssize_t n;
  do n = ::read(fd, buffer, sizeof buffer);
  while (n < 0 && errno == EINTR);
  ::close(fd);
  return n > 0 ? std::string(buffer, static_cast<std::size_t>(n)) : std::string();
}

struct ProcessStat {
  bool found = false;
  char state = '?';
  std::uint64_t start_time = 0;
};

// The command name, field 2, may contain blanks and parentheses: fields are counted from the last ')'.
ProcessStat process_stat(std::int64_t pid) {
  const std::string text = read_small(concat("/proc/", pid, "/stat").c_str());
  const std::size_t end_of_name = text.rfind(')');
  if (end_of_name == std::string::npos) return {};
  ProcessStat out;
  std::string_view rest(text);
  rest.remove_prefix(end_of_name + 1);
  constexpr int kState = 3, kStartTime = 22;
  for (int field = kState; !rest.empty(); ++field) {
    rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
    const std::string_view value = rest.substr(0, rest.find(' '));
    if (field == kState && !value.empty()) out.state = value.front();
    if (field == kStartTime) {
      const auto parsed = std::from_chars(value.data(), value.data() + value.size(), out.start_time);
      out.found = parsed.ec == std::errc();
      return out;
    }
    rest.remove_prefix(value.size());
  }
  return {};
}

std::string boot_id() {
  std::string id = read_small("/proc/sys/kernel/random/boot_id");
  while (!id.empty() && (id.back() == '\n' || id.back() == ' ')) id.pop_back();
  return id;
}

std::atomic<std::uint64_t> g_fork_generation{0};

// Registered when the library is loaded, so before any handle can exist.
[[maybe_unused]] const int g_registered =
    ::pthread_atfork(nullptr, nullptr, [] { g_fork_generation.fetch_add(1, std::memory_order_relaxed); });

}  // namespace

std::int64_t process_id() noexcept { return ::getpid(); }

ProcessIdentity this_process() {
  const std::int64_t pid = process_id();
  return {pid, process_stat(pid).start_time, boot_id()};
}

bool is_alive(const ProcessIdentity& process) {
  if (process.pid <= 0) return false;
  if (!process.boot_id.empty()) {
    const std::string now = boot_id();
    if (!now.empty() && now != process.boot_id) return false;
  }
  const ProcessStat stat = process_stat(process.pid);
  if (stat.found) {
    if (stat.state == 'Z' || stat.state == 'X') return false;
    return process.start_time == 0 || process.start_time == stat.start_time;
  }
  return ::kill(static_cast<pid_t>(process.pid), 0) == 0 || errno == EPERM;
}

std::uint64_t fork_generation() noexcept { return g_fork_generation.load(std::memory_order_relaxed); }

}  // namespace vecstore
