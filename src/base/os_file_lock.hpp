// FileLock: one holder per file on this machine, with a name to put into the error message.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/os_file.hpp"
#include "base/os_process.hpp"

namespace vecstore::os {

/// An exclusive advisory lock (flock) on a file that is made when missing and never removed. The kernel
/// releases it when the holder ends, however it ends. Two FileLocks on one file exclude each other within a
/// process too.
///
/// fork(): the lock stays with the parent. The child's copy of the descriptor is closed while fork() runs in
/// the child, so that a parent that ends releases the lock although children live on; a FileLock object in
/// the child is dead (`held()` is false, its destructor does nothing). A program that calls clone() by hand
/// has to close its copy itself.
class FileLock {
 public:
  /// Takes the lock, waiting up to `timeout` (0: one attempt), and writes the caller's identity into the
  /// file. Throws kLocked with the holder's pid; kReadOnly, kPermissionDenied, kNotFound, ... when the file
  /// cannot be opened.
  static FileLock acquire(const std::string& path,
                          std::chrono::milliseconds timeout = std::chrono::milliseconds(0));

  /// A hold on an existing file that many may have at a time, `try_exclusive` one that goes with no other.
  /// Without waiting; nullopt when a hold of the other kind, of any process or of this one, is in the way.
  /// The file is opened for reading and stays as it is. Throws what opening throws, and kIo where files
  /// cannot be locked.
  static std::optional<FileLock> try_shared(const std::string& path);
  static std::optional<FileLock> try_exclusive(const std::string& path);

  FileLock() = default;
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&& other) noexcept;
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  ~FileLock();

  bool held() const noexcept;
  void release() noexcept;

 private:
  static std::optional<FileLock> try_existing(const std::string& path, int operation);
  File file_;
  std::uint64_t generation_ = 0;
};

/// Who wrote its name into a lock file last, and still runs. Not proof that the lock is held: for messages
/// only.
std::optional<ProcessIdentity> lock_owner(const std::string& path);

}  // namespace vecstore::os
