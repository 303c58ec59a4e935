// The directory operations of file.hpp.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <system_error>

#include "base/error.hpp"
#include "base/os_error.hpp"
#include "base/os_file.hpp"

namespace vecstore::os {
namespace {

std::string parent_of(const std::string& path) {
  const std::size_t end = path.find_last_not_of('/');
  if (end == std::string::npos) return "/";
  const std::size_t slash = path.rfind('/', end);
  if (slash == std::string::npos) return ".";
  const std::size_t last = path.find_last_not_of('/', slash);
  return last == std::string::npos ? "/" : path.substr(0, last + 1);
}

}  // namespace

Directory::Directory(const std::string& path)
    : fd_(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)), path_(path) {
  if (fd_ < 0) fail_os(errno, "open the directory", path);
}

Directory::~Directory() { ::close(fd_); }

namespace {
int sync_directory(int fd) {
  int error = 0;
  do error = ::fsync(fd) == 0 ? 0 : errno;
  while (error == EINTR);
  // EINVAL: a file system that has no notion of syncing a directory.
  return error == EINVAL ? 0 : error;
}
}  // namespace

void Directory::sync() {
  if (const int error = sync_directory(fd_)) {
    fail(ErrorCode::kUnknownOutcome, path_,
         ": cannot sync the directory: ", std::generic_category().message(error));
  }
}

void Directory::sync_unpublished() {
  if (const int error = sync_directory(fd_)) fail_os(error, "sync the directory", path_);
}

void fsync_dir(const std::string& dir) { Directory(dir).sync(); }

bool make_directory(const std::string& path) {
  if (::mkdir(path.c_str(), kDirectoryPermissions) == 0) return true;
  const int error = errno;
  if (is_directory(path)) return false;
  fail_os(error, "create the directory", path);
}

bool make_directories(const std::string& path) {
  if (path.empty()) invalid("the path of a directory is empty");
  if (path.find('\0') != std::string::npos) invalid("a path contains a NUL byte");
  if (::mkdir(path.c_str(), kDirectoryPermissions) == 0) {
    fsync_dir(parent_of(path));
    return true;
  }
  const int error = errno;
  if (error == ENOENT) {
    const std::string parent = parent_of(path);
    if (parent != path && !exists(parent)) {
      make_directories(parent);
      return make_directories(path) || true;
    }
  }
  // Also when the parent cannot be written: what counts is that the directory is there.
  if (is_directory(path)) return false;
  if (error == EEXIST) fail(ErrorCode::kInvalidArgument, path, ": exists and is not a directory");
  fail_os(error, "create the directory", path);
}

std::string read_file(const std::string& path, std::uint64_t limit) {
  const File file = File::open(path, OpenMode::kRead);
  const std::uint64_t size = file.size();
  if (size > limit) fail(ErrorCode::kTooLarge, path, ": ", size, " bytes are above the limit of ", limit);
  std::string out(static_cast<std::size_t>(size), '\0');
  out.resize(file.pread_some(std::as_writable_bytes(std::span(out.data(), out.size())), 0));
  return out;
}

bool remove_file(const std::string& path) {
  if (::unlink(path.c_str()) == 0) return true;
  if (errno == ENOENT) return false;
  fail_os(errno, "remove", path);
}

bool remove_directory(const std::string& path) {
  if (::rmdir(path.c_str()) == 0) return true;
  if (errno == ENOENT) return false;
  fail_os(errno, "remove the directory", path);
}

void rename_file(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) fail_os(errno, "rename " + from + " to this name", to);
}

std::vector<std::string> list_directory(const std::string& dir) {
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::opendir(dir.c_str()), ::closedir);
  if (!stream) fail_os(errno, "list the directory", dir);
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(stream.get());
    if (!entry) {
      if (errno != 0) fail_os(errno, "list the directory", dir);
      break;
    }
    std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(std::move(name));
  }
  std::sort(names.begin(), names.end());
  return names;
}

bool exists(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) == 0) return true;
  if (errno == ENOENT || errno == ENOTDIR) return false;
  fail_os(errno, "stat", path);
}

bool is_directory(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

DiskSpace disk_space(const std::string& path) {
  struct statvfs info{};
  if (::statvfs(path.c_str(), &info) != 0) fail_os(errno, "ask for the free space of", path);
  const std::uint64_t block = info.f_frsize ? info.f_frsize : info.f_bsize;
  return {block * info.f_bavail, block * info.f_blocks};
}

}  // namespace vecstore::os
