#include "base/os_file_lock.hpp"

#include <pthread.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <sstream>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/os_error.hpp"

namespace vecstore::os {
namespace {

// Descriptors of locks that are held or waited for. flock belongs to the open file description, which a
// forked child shares: only closing the child's copies keeps the lock's life tied to the parent's.
struct LockFiles {
  std::mutex mutex;
  std::vector<int> fds;

  // Registered before it can be locked, and under the mutex that fork() waits for: no child gets a copy
  // unseen.
  File open(const std::string& path, OpenMode mode) {
    const std::lock_guard guard(mutex);
    fds.reserve(fds.size() + 1);
    File file = File::open(path, mode);
    fds.push_back(file.fd());
    return file;
  }
  void remove(int fd) {
    const std::lock_guard guard(mutex);
    fds.erase(std::remove(fds.begin(), fds.end(), fd), fds.end());
  }
};

LockFiles& lock_files() {
  static LockFiles* const locks = [] {
    // Never destroyed: a fork may come after the destructors of static objects.
    static LockFiles* const made = new LockFiles;
    ::pthread_atfork([] { made->mutex.lock(); }, [] { made->mutex.unlock(); },
                     [] {
                       for (const int fd : made->fds) ::close(fd);
                       made->fds.clear();
                       made->mutex.unlock();
                     });
    return made;
  }();
  return *locks;
}

bool try_lock(const File& file, int operation = LOCK_EX) {
  for (;;) {
    if (::flock(file.fd(), operation | LOCK_NB) == 0) return true;
    if (errno == EWOULDBLOCK) return false;
    if (errno != EINTR) fail_os(errno, "lock", file.path());
  }
}

void write_owner(File& file) {
  const ProcessIdentity me = this_process();
  const std::string text =
      concat(me.pid, " ", me.start_time, " ", me.boot_id.empty() ? "-" : me.boot_id, "\n");
  file.truncate(0);
  file.pwrite(std::as_bytes(std::span(text.data(), text.size())), 0);
}

}  // namespace

FileLock FileLock::acquire(const std::string& path, std::chrono::milliseconds timeout) {
  using Clock = std::chrono::steady_clock;
  FileLock lock;
  lock.file_ = lock_files().open(path, OpenMode::kCreate);
  lock.generation_ = fork_generation();
  const auto give_up =
      Clock::now() + std::min<std::chrono::milliseconds>(timeout, std::chrono::hours(24 * 365));
  std::chrono::milliseconds pause(1);
  while (!try_lock(lock.file_)) {
    const auto left = give_up - Clock::now();
    if (left <= Clock::duration::zero()) {
      const auto owner = lock_owner(path);
      const std::string who = owner ? concat("process ", owner->pid) : std::string("another process");
      fail(ErrorCode::kLocked, path, ": locked by ", who, ", waited ", timeout.count(), " ms");
    }
    std::this_thread::sleep_for(std::min<Clock::duration>(pause, left));
    pause = std::min(pause * 2, std::chrono::milliseconds(50));
  }
  // The name only serves messages: a full disk must not keep a writer from opening (it may want to erase).
  try {
    write_owner(lock.file_);
  } catch (const Error&) {
  }
  return lock;
}

std::optional<FileLock> FileLock::try_existing(const std::string& path, int operation) {
  FileLock lock;
  lock.file_ = lock_files().open(path, OpenMode::kRead);
  lock.generation_ = fork_generation();
  if (!try_lock(lock.file_, operation)) return std::nullopt;
  return lock;
}

std::optional<FileLock> FileLock::try_shared(const std::string& path) { return try_existing(path, LOCK_SH); }
std::optional<FileLock> FileLock::try_exclusive(const std::string& path) {
  return try_existing(path, LOCK_EX);
}

FileLock::FileLock(FileLock&& other) noexcept
    : file_(std::move(other.file_)), generation_(std::exchange(other.generation_, 0)) {}

FileLock& FileLock::operator=(FileLock&& other) noexcept {
  if (this != &other) {
    release();
    file_ = std::move(other.file_);
    generation_ = other.generation_;
  }
  return *this;
}

FileLock::~FileLock() { release(); }

bool FileLock::held() const noexcept { return file_.is_open() && generation_ == fork_generation(); }

void FileLock::release() noexcept {
  if (!file_.is_open()) return;
  if (generation_ != fork_generation()) {
    // The child's copy was closed during fork(); its number may name another file by now.
    file_.abandon();
    return;
  }
  lock_files().remove(file_.fd());
  // Explicitly, in case a child made without fork() handlers still holds a copy.
  ::flock(file_.fd(), LOCK_UN);
  file_.close();
}

std::optional<ProcessIdentity> lock_owner(const std::string& path) {
  const auto file = File::open_if_exists(path, OpenMode::kRead);
  if (!file) return std::nullopt;
  std::string text(256, '\0');
  text.resize(file->pread_some(std::as_writable_bytes(std::span(text.data(), text.size())), 0));
  std::istringstream in(text);
  ProcessIdentity owner;
  if (!(in >> owner.pid >> owner.start_time >> owner.boot_id)) return std::nullopt;
  if (owner.boot_id == "-") owner.boot_id.clear();
  if (!is_alive(owner)) return std::nullopt;
  return owner;
}

}  // namespace vecstore::os
