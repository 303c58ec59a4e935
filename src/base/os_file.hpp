// Files: RAII handles whose reads and writes are whole, and the few directory operations that durability
// needs. Every failure is an Error that names the file and the operation; nothing here prints or retries a
// failed sync.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vecstore::os {

inline constexpr unsigned kFilePermissions =
    0600;  ///< Stores hold private data; the umask may take more away.
inline constexpr unsigned kDirectoryPermissions = 0700;

enum class OpenMode {
  kRead,       ///< Read only; must exist.
  kReadWrite,  ///< Must exist.
  kCreate,     ///< Read and write; made when missing.
  kCreateNew,  ///< Read and write; kAlreadyExists when it exists.
};

/// An open regular file. Movable; closed by the destructor. One File may be used by several threads at a time
/// (all calls name their offset). Never inherited by a program that is started (O_CLOEXEC).
class File {
 public:
  /// Throws kNotFound, kAlreadyExists, kPermissionDenied, kReadOnly, kInvalidArgument (a directory), kIo, ...
  static File open(std::string path, OpenMode mode, unsigned permissions = kFilePermissions);
  /// The same, but a missing file is nullopt.
  static std::optional<File> open_if_exists(std::string path, OpenMode mode);

  File() = default;
  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File();

  bool is_open() const noexcept { return fd_ >= 0; }
  int fd() const noexcept { return fd_; }
  const std::string& path() const noexcept { return path_; }

  /// Fills `out`; kCorruption when the file ends before.
  void pread(std::span<std::byte> out, std::uint64_t offset) const;
  /// Reads up to out.size() bytes; fewer only at the end of the file.
  std::size_t pread_some(std::span<std::byte> out, std::uint64_t offset) const;
  /// Writes all of `data`; short writes and EINTR are continued. After an error any part may have been
  /// written.
  void pwrite(std::span<const std::byte> data, std::uint64_t offset);
  /// Waits until data and size are durable (fdatasync). An error is kUnknownOutcome: the kernel may have
  /// dropped the dirty pages, so trying again could report a success that is none. Throw the file away, or
  /// reopen and check.
  void sync();
  /// sync() for a file that nothing refers to yet (it will be renamed into place): an error is an ordinary
  /// one, since the old state still holds.
  void sync_unpublished();
  std::uint64_t size() const;
  void truncate(std::uint64_t size);
  /// Closes early; a later destructor does nothing. Errors of close() are of no use after sync() and are not
  /// reported.
  void close() noexcept;
  /// Forgets the descriptor without closing it: for a forked child whose copy is closed already.
  void abandon() noexcept { fd_ = -1; }

 private:
  File(int fd, std::string path) noexcept : fd_(fd), path_(std::move(path)) {}

  int fd_ = -1;
  std::string path_;
};

/// A whole file mapped for reading. Movable; unmapped by the destructor. The mapping outlives the name: the
/// file may be renamed over or unlinked. Nobody may truncate it (the access would raise SIGBUS), which holds
/// for files that are written once through atomic_replace.
class MappedFile {
 public:
  enum class Access { kNormal, kRandom, kSequential, kWillNeed };

  static MappedFile open(const std::string& path);

  MappedFile() = default;
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }
  const std::string& path() const noexcept { return path_; }
  /// A hint for a range; the range is clipped to the file. Never fails.
  void advise(Access access, std::size_t offset, std::size_t length) const noexcept;

 private:
  void unmap() noexcept;

  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::string path_;
};

/// An open directory, to make durable what happens in it. Opened before a rename, so that running out of
/// descriptors cannot come between the rename and its sync. Not copyable.
class Directory {
 public:
  explicit Directory(const std::string& path);
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory();
  /// Makes renames, creations and removals durable. An error is kUnknownOutcome.
  void sync();
  /// sync() for names that nothing refers to yet: an error is an ordinary one.
  void sync_unpublished();

 private:
  int fd_;
  std::string path_;
};

/// Makes `bytes` the content of dir/name, durably and at once: readers and a crash see the old file or the
/// new one. Writes a temporary file beside it (name + ".tmp-<pid>-<n>", removed on error), syncs, renames,
/// syncs the directory. An error before the rename leaves the old file; kUnknownOutcome means that the new
/// one is in place but perhaps not durable.
void atomic_replace(const std::string& dir, const std::string& name, std::span<const std::byte> bytes);
void atomic_replace(const std::string& dir, const std::string& name, std::string_view text);

/// The name for a temporary file that will replace dir/name; no two calls on a machine get the same.
std::string temporary_path(const std::string& dir, const std::string& name);
/// Directory(dir).sync().
void fsync_dir(const std::string& dir);
/// Creates one directory; false when it is there. Not durable before fsync_dir of its parent.
bool make_directory(const std::string& path);
/// Creates `path` and its missing parents, durably. True when something was made; an existing directory is
/// fine.
bool make_directories(const std::string& path);
/// The whole content. Files longer than `limit` bytes are kTooLarge.
std::string read_file(const std::string& path, std::uint64_t limit = std::uint64_t{1} << 30);
/// Removes a file; false when there was none. Not durable before fsync_dir.
bool remove_file(const std::string& path);
/// Removes an empty directory; false when there was none. Not durable before fsync_dir.
bool remove_directory(const std::string& path);
/// rename(2), replacing `to`. Not durable before fsync_dir.
void rename_file(const std::string& from, const std::string& to);
/// Names in a directory without "." and "..", sorted.
std::vector<std::string> list_directory(const std::string& dir);
bool exists(const std::string& path);
bool is_directory(const std::string& path);

struct DiskSpace {
  std::uint64_t free_bytes = 0;  ///< What this user may still write.
  std::uint64_t total_bytes = 0;
};
DiskSpace disk_space(const std::string& path);

/// True for NFS, SMB, 9p, AFS, Ceph and other file systems whose locks and mappings other machines can break.
/// A path that does not exist yet is judged by its nearest existing parent. FUSE is judged by the mount's
/// type (sshfs is remote).
bool is_remote_filesystem(const std::string& path);

}  // namespace vecstore::os
