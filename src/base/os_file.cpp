#include "base/os_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <limits>
#include <system_error>
#include <utility>

#include "base/error.hpp"
#include "base/os_error.hpp"
#include "base/os_process.hpp"

namespace vecstore::os {
namespace {

template <class Call>
auto no_eintr(Call call) {
  decltype(call()) result;
  do result = call();
  while (result < 0 && errno == EINTR);
  return result;
}

int flags_of(OpenMode mode) {
  switch (mode) {
    case OpenMode::kRead:
      return O_RDONLY;
    case OpenMode::kReadWrite:
      return O_RDWR;
    case OpenMode::kCreate:
      return O_RDWR | O_CREAT;
    case OpenMode::kCreateNew:
      return O_RDWR | O_CREAT | O_EXCL;
  }
  return O_RDONLY;
}

int open_fd(const std::string& path, OpenMode mode, unsigned permissions) {
  if (path.find('\0') != std::string::npos) invalid("a path contains a NUL byte");
  const int fd = no_eintr([&] { return ::open(path.c_str(), flags_of(mode) | O_CLOEXEC, permissions); });
  if (fd < 0) return fd;
  struct stat info{};
  if (::fstat(fd, &info) == 0 && S_ISREG(info.st_mode)) return fd;
  ::close(fd);
  fail(ErrorCode::kInvalidArgument, path, ": not a regular file");
}

// Offsets above this do not fit off_t, whatever the file system allows.
void check_range(const std::string& path, std::uint64_t offset, std::uint64_t length) {
  constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<off_t>::max());
  if (offset > kMax || length > kMax - offset) {
    fail(ErrorCode::kTooLarge, path, ": offset ", offset, " + length ", length, " is above the limit of ",
         kMax);
  }
}

}  // namespace

File File::open(std::string path, OpenMode mode, unsigned permissions) {
  const int fd = open_fd(path, mode, permissions);
  if (fd < 0) fail_os(errno, "open", path);
  return File(fd, std::move(path));
}

std::optional<File> File::open_if_exists(std::string path, OpenMode mode) {
  const int fd = open_fd(path, mode, kFilePermissions);
  if (fd < 0 && errno == ENOENT) return std::nullopt;
  if (fd < 0) fail_os(errno, "open", path);
  return File(fd, std::move(path));
}

File::File(File&& other) noexcept : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)) {}

File& File::operator=(File&& other) noexcept {
  if (this != &other) {
    close();
    fd_ = std::exchange(other.fd_, -1);
    path_ = std::move(other.path_);
  }
  return *this;
}

File::~File() { close(); }

void File::close() noexcept {
  // Linux releases the descriptor even when close() reports EINTR: it must not be called again.
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

std::size_t File::pread_some(std::span<std::byte> out, std::uint64_t offset) const {
  check_range(path_, offset, out.size());
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t n = no_eintr([&] {
      return ::pread(fd_, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    });
    if (n < 0) fail_os(errno, "read", path_);
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  return done;
}

void File::pread(std::span<std::byte> out, std::uint64_t offset) const {
  const std::size_t n = pread_some(out, offset);
  if (n < out.size()) {
    fail(ErrorCode::kCorruption, path_, ": ends at byte ", offset + n, ", ", out.size(), " bytes at ", offset,
         " were wanted");
  }
}

void File::pwrite(std::span<const std::byte> data, std::uint64_t offset) {
  check_range(path_, offset, data.size());
  for (std::size_t done = 0; done < data.size();) {
    const ssize_t n = no_eintr([&] {
      return ::pwrite(fd_, data.data() + done, data.size() - done, static_cast<off_t>(offset + done));
    });
    if (n < 0) fail_os(errno, "write", path_);
    if (n == 0) fail_os(ENOSPC, "write", path_);
    done += static_cast<std::size_t>(n);
  }
}

void File::sync() {
  if (no_eintr([&] { return ::fdatasync(fd_); }) == 0) return;
  fail(ErrorCode::kUnknownOutcome, path_, ": cannot sync: ", std::generic_category().message(errno));
}

void File::sync_unpublished() {
  if (no_eintr([&] { return ::fdatasync(fd_); }) != 0) fail_os(errno, "sync", path_);
}

std::uint64_t File::size() const {
  struct stat info{};
  if (::fstat(fd_, &info) != 0) fail_os(errno, "stat", path_);
  return static_cast<std::uint64_t>(info.st_size);
}

void File::truncate(std::uint64_t size) {
  check_range(path_, size, 0);
  if (no_eintr([&] { return ::ftruncate(fd_, static_cast<off_t>(size)); }) != 0)
    fail_os(errno, "truncate", path_);
}

MappedFile MappedFile::open(const std::string& path) {
  const File file = File::open(path, OpenMode::kRead);
  const std::uint64_t size = file.size();
  MappedFile out;
  out.path_ = path;
  if (size == 0) return out;
  if (size > std::numeric_limits<std::size_t>::max())
    fail(ErrorCode::kTooLarge, path, ": ", size, " bytes cannot be mapped");
  void* data = ::mmap(nullptr, static_cast<std::size_t>(size), PROT_READ, MAP_SHARED, file.fd(), 0);
  if (data == MAP_FAILED) fail_os(errno, "map", path);
  out.data_ = static_cast<const std::byte*>(data);
  out.size_ = static_cast<std::size_t>(size);
  return out;
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      path_(std::move(other.path_)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  if (this != &other) {
    unmap();
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
    path_ = std::move(other.path_);
  }
  return *this;
}

MappedFile::~MappedFile() { unmap(); }

void MappedFile::unmap() noexcept {
  if (data_) ::munmap(const_cast<std::byte*>(data_), size_);
  data_ = nullptr;
  size_ = 0;
}

void MappedFile::advise(Access access, std::size_t offset, std::size_t length) const noexcept {
  if (offset >= size_) return;
  length = std::min(length, size_ - offset);
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t begin = offset / page * page;
  int advice = MADV_NORMAL;
  switch (access) {
    case Access::kNormal:
      advice = MADV_NORMAL;
      break;
    case Access::kRandom:
      advice = MADV_RANDOM;
      break;
    case Access::kSequential:
      advice = MADV_SEQUENTIAL;
      break;
    case Access::kWillNeed:
      advice = MADV_WILLNEED;
      break;
  }
  ::madvise(const_cast<std::byte*>(data_) + begin, offset + length - begin, advice);
}

std::string temporary_path(const std::string& dir, const std::string& name) {
  static std::atomic<std::uint64_t> counter{0};
  for (;;) {
    std::string path = concat(dir, "/", name, ".tmp-", process_id(), "-", counter.fetch_add(1));
    // A crashed process may have had the same number.
    if (!exists(path)) return path;
  }
}

void atomic_replace(const std::string& dir, const std::string& name, std::span<const std::byte> bytes) {
  Directory directory(dir);
  const std::string temp = temporary_path(dir, name);
  struct Cleanup {
    const std::string* path;
    ~Cleanup() {
      if (path) ::unlink(path->c_str());
    }
  } cleanup{nullptr};
  {
    File file = File::open(temp, OpenMode::kCreateNew);
    cleanup.path = &temp;
    file.pwrite(bytes, 0);
    file.sync_unpublished();
  }
  rename_file(temp, dir + "/" + name);
  cleanup.path = nullptr;
  directory.sync();
}

void atomic_replace(const std::string& dir, const std::string& name, std::string_view text) {
  atomic_replace(dir, name, std::as_bytes(std::span(text.data(), text.size())));
}

}  // namespace vecstore::os
