#include "base/os_file.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/os_error.hpp"
#include "base/os_file_lock.hpp"
#include "base/os_process.hpp"

namespace vecstore::os {
namespace {

class FileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "vecstore-file-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }
  std::string at(const std::string& name) const { return dir_ + "/" + name; }
  void put(const std::string& name, std::string_view text) const {
    std::ofstream(at(name), std::ios::binary) << text;
  }

  std::string dir_;
};

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}
std::span<std::byte> writable(std::string& text) {
  return std::as_writable_bytes(std::span(text.data(), text.size()));
}

Error error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& e) {
    return e;
  }
  ADD_FAILURE() << "no error was thrown";
  return Error(ErrorCode::kClosed, "none");
}

int exit_status(pid_t child) {
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

TEST_F(FileTest, WritesReadsAndTruncates) {
  File file = File::open(at("a"), OpenMode::kCreateNew);
  file.pwrite(bytes_of("hello world"), 0);
  file.pwrite(bytes_of("HELLO"), 100);
  file.sync();
  EXPECT_EQ(file.size(), 105u);
  std::string text(5, ' ');
  file.pread(writable(text), 6);
  EXPECT_EQ(text, "world");
  file.truncate(11);
  EXPECT_EQ(read_file(at("a")), "hello world");
  text.assign(100, 'x');
  EXPECT_EQ(file.pread_some(writable(text), 6), 5u);
  EXPECT_EQ(file.pread_some(writable(text), 600), 0u);
}

TEST_F(FileTest, ReadingPastTheEndNamesFileAndPlace) {
  put("short", "abc");
  const File file = File::open(at("short"), OpenMode::kRead);
  std::string text(10, ' ');
  const Error e = error_of([&] { file.pread(writable(text), 1); });
  EXPECT_EQ(e.code(), ErrorCode::kCorruption);
  EXPECT_NE(std::string(e.what()).find(at("short")), std::string::npos);
  EXPECT_NE(std::string(e.what()).find("ends at byte 3"), std::string::npos);
}

TEST_F(FileTest, OpenModesAndTheirErrors) {
  EXPECT_EQ(error_of([&] { File::open(at("none"), OpenMode::kRead); }).code(), ErrorCode::kNotFound);
  EXPECT_FALSE(File::open_if_exists(at("none"), OpenMode::kRead));
  EXPECT_FALSE(exists(at("none")));
  File::open(at("x"), OpenMode::kCreate);
  EXPECT_TRUE(File::open_if_exists(at("x"), OpenMode::kRead));
  EXPECT_EQ(error_of([&] { File::open(at("x"), OpenMode::kCreateNew); }).code(), ErrorCode::kAlreadyExists);
  EXPECT_EQ(error_of([&] { File::open(dir_, OpenMode::kRead); }).code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(error_of([&] { File::open(at("x/y"), OpenMode::kRead); }).code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(error_of([&] { File::open(std::string("a\0b", 3), OpenMode::kRead); }).code(),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(
      error_of([&] { File::open(at("x"), OpenMode::kRead).pread_some({}, std::uint64_t{1} << 63); }).code(),
      ErrorCode::kTooLarge);
}

TEST_F(FileTest, DescriptorsAreNotInheritedByPrograms) {
  const File file = File::open(at("x"), OpenMode::kCreate);
  EXPECT_TRUE(::fcntl(file.fd(), F_GETFD) & FD_CLOEXEC);
}

TEST_F(FileTest, MovesOwnTheDescriptor) {
  File a = File::open(at("x"), OpenMode::kCreate);
  const int fd = a.fd();
  File b = std::move(a);
  EXPECT_FALSE(a.is_open());
  EXPECT_EQ(b.fd(), fd);
  b = File();
  EXPECT_EQ(::fcntl(fd, F_GETFD), -1);
}

TEST_F(FileTest, ErrnoBecomesACode) {
  const auto code = [&](int error) { return code_from_errno(error, dir_); };
  EXPECT_EQ(code(ENOSPC), ErrorCode::kDiskFull);
  EXPECT_EQ(code(EDQUOT), ErrorCode::kDiskFull);
  EXPECT_EQ(code(EACCES), ErrorCode::kPermissionDenied);
  EXPECT_EQ(code(EPERM), ErrorCode::kPermissionDenied);
  EXPECT_EQ(code(EROFS), ErrorCode::kReadOnly);
  EXPECT_EQ(code(ENOENT), ErrorCode::kNotFound);
  EXPECT_EQ(code(EMFILE), ErrorCode::kBusy);
  EXPECT_EQ(code(ENFILE), ErrorCode::kBusy);
  EXPECT_EQ(code(ENOMEM), ErrorCode::kOutOfMemory);
  EXPECT_EQ(code_from_errno(EIO, ""), ErrorCode::kIo);
  EXPECT_EQ(code(ENOTTY), ErrorCode::kIo);
}

TEST_F(FileTest, ADeviceIsNotAFile) {
  EXPECT_EQ(error_of([&] { File::open("/dev/null", OpenMode::kReadWrite); }).code(),
            ErrorCode::kInvalidArgument);
}

TEST_F(FileTest, AFileSizeLimitIsAnErrorOfTheWrite) {
  // The child limits file sizes; the write of 1 MiB is cut short at 64 KiB and then fails.
  const std::string path = at("limited");
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{64 << 10, 64 << 10};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    try {
      File file = File::open(path, OpenMode::kCreate);
      const std::string data(1 << 20, 'x');
      file.pwrite(bytes_of(data), 0);
    } catch (const Error& e) {
      ::_exit(e.code() == ErrorCode::kTooLarge ? 0 : 2);
    }
    ::_exit(1);
  }
  EXPECT_EQ(exit_status(child), 0);
  EXPECT_EQ(std::filesystem::file_size(path), 64u << 10);
}

TEST_F(FileTest, TooManyOpenFilesIsBusy) {
  const std::string path = at("x");
  put("x", "x");
  const pid_t child = ::fork();
  if (child == 0) {
    // AddressSanitizer opens a file of its own at a process's first exception.
    (void)error_of([&] { File::open(path + "x", OpenMode::kRead); });
    const rlimit limit{16, 16};
    ::setrlimit(RLIMIT_NOFILE, &limit);
    std::vector<File> files;
    try {
      for (int i = 0; i < 32; ++i) files.push_back(File::open(path, OpenMode::kRead));
    } catch (const Error& e) {
      ::_exit(e.code() == ErrorCode::kBusy && e.retryable() ? 0 : 2);
    }
    ::_exit(1);
  }
  EXPECT_EQ(exit_status(child), 0);
}

TEST_F(FileTest, MapsAFileThatIsReplacedMeanwhile) {
  atomic_replace(dir_, "m", "first");
  const MappedFile map = MappedFile::open(at("m"));
  map.advise(MappedFile::Access::kWillNeed, 0, 1000);
  map.advise(MappedFile::Access::kRandom, 1000, 1000);
  atomic_replace(dir_, "m", "second");
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(map.bytes().data()), map.bytes().size()), "first");
  EXPECT_EQ(read_file(at("m")), "second");
  MappedFile moved = MappedFile::open(at("m"));
  MappedFile target = std::move(moved);
  EXPECT_TRUE(moved.bytes().empty());
  EXPECT_EQ(target.bytes().size(), 6u);
  put("empty", "");
  EXPECT_TRUE(MappedFile::open(at("empty")).bytes().empty());
}

TEST_F(FileTest, AtomicReplaceLeavesNoTemporaryFile) {
  atomic_replace(dir_, "CURRENT", "1");
  atomic_replace(dir_, "CURRENT", "2");
  EXPECT_EQ(list_directory(dir_), std::vector<std::string>{"CURRENT"});
  // A directory of that name makes the rename fail: the temporary file goes away.
  make_directories(at("busy/inner"));
  EXPECT_THROW(atomic_replace(dir_, "busy", "x"), Error);
  EXPECT_EQ(list_directory(dir_), (std::vector<std::string>{"CURRENT", "busy"}));
  EXPECT_EQ(error_of([&] { atomic_replace(at("nowhere"), "x", "y"); }).code(), ErrorCode::kNotFound);
}

TEST_F(FileTest, Directories) {
  EXPECT_TRUE(make_directories(at("a/b/c/")));
  EXPECT_FALSE(make_directories(at("a/b/c")));
  EXPECT_FALSE(make_directories("/"));
  EXPECT_TRUE(is_directory(at("a/b/c")));
  put("file", "x");
  EXPECT_EQ(error_of([&] { make_directories(at("file")); }).code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(error_of([&] { make_directories(at("file/x")); }).code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(error_of([&] { make_directories(""); }).code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(error_of([&] { list_directory(at("none")); }).code(), ErrorCode::kNotFound);
  EXPECT_EQ(error_of([&] { fsync_dir(at("none")); }).code(), ErrorCode::kNotFound);
  EXPECT_TRUE(remove_file(at("file")));
  EXPECT_FALSE(remove_file(at("file")));
  EXPECT_GT(disk_space(dir_).total_bytes, 0u);
  EXPECT_EQ(error_of([&] { (void)disk_space(at("none")); }).code(), ErrorCode::kNotFound);
}

TEST_F(FileTest, OneDirectoryAtATime) {
  EXPECT_TRUE(make_directory(at("one")));
  EXPECT_FALSE(make_directory(at("one")));
  EXPECT_EQ(error_of([&] { make_directory(at("none/two")); }).code(), ErrorCode::kNotFound);
  Directory(at("one")).sync_unpublished();
  EXPECT_TRUE(make_directory(at("one/two")));
  EXPECT_NO_THROW(error_of([&] { remove_directory(at("one")); }));
  EXPECT_TRUE(is_directory(at("one"))) << "it is not empty";
  EXPECT_TRUE(remove_directory(at("one/two")));
  EXPECT_TRUE(remove_directory(at("one")));
  EXPECT_FALSE(remove_directory(at("one")));
}

TEST_F(FileTest, RelativeDirectories) {
  const auto old = std::filesystem::current_path();
  std::filesystem::current_path(dir_);
  EXPECT_TRUE(make_directories("one"));
  EXPECT_TRUE(make_directories("two//three"));
  EXPECT_FALSE(make_directories("./two"));
  std::filesystem::current_path(old);
}

TEST_F(FileTest, ReadFileHasALimit) {
  put("big", std::string(1000, 'x'));
  EXPECT_EQ(error_of([&] { read_file(at("big"), 999); }).code(), ErrorCode::kTooLarge);
  EXPECT_EQ(read_file(at("big"), 1000).size(), 1000u);
}

TEST_F(FileTest, RemoteIsDecidedForPathsThatDoNotExistYet) {
  EXPECT_EQ(is_remote_filesystem(dir_), is_remote_filesystem(at("not/yet/there")));
  EXPECT_FALSE(is_remote_filesystem("/proc"));
}

TEST_F(FileTest, OneHolderAndAMessageWithItsPid) {
  FileLock lock = FileLock::acquire(at("WRITER"));
  EXPECT_TRUE(lock.held());
  ASSERT_TRUE(lock_owner(at("WRITER")));
  EXPECT_EQ(*lock_owner(at("WRITER")), this_process());
  const Error e = error_of([&] { FileLock::acquire(at("WRITER")); });
  EXPECT_EQ(e.code(), ErrorCode::kLocked);
  EXPECT_TRUE(e.retryable());
  EXPECT_NE(std::string(e.what()).find(concat("process ", process_id())), std::string::npos) << e.what();
  FileLock moved = std::move(lock);
  EXPECT_FALSE(lock.held());
  EXPECT_TRUE(moved.held());
  moved.release();
  EXPECT_FALSE(moved.held());
  EXPECT_TRUE(FileLock::acquire(at("WRITER")).held());
}

TEST_F(FileTest, SharedHoldsKeepOneAloneOut) {
  EXPECT_EQ(error_of([&] { FileLock::try_shared(at("data")); }).code(), ErrorCode::kNotFound);
  put("data", "content");
  auto one = FileLock::try_shared(at("data"));
  auto two = FileLock::try_shared(at("data"));
  ASSERT_TRUE(one && two);
  EXPECT_FALSE(FileLock::try_exclusive(at("data")));
  one.reset();
  EXPECT_FALSE(FileLock::try_exclusive(at("data")));
  two.reset();
  auto alone = FileLock::try_exclusive(at("data"));
  ASSERT_TRUE(alone && alone->held());
  EXPECT_FALSE(FileLock::try_shared(at("data")));
  EXPECT_FALSE(FileLock::try_exclusive(at("data")));
  alone.reset();
  EXPECT_TRUE(FileLock::try_shared(at("data")));
  EXPECT_EQ(read_file(at("data")), "content") << "locking changes nothing";
}

TEST_F(FileTest, WaitsForTheLock) {
  FileLock lock = FileLock::acquire(at("WRITER"));
  std::thread release([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(60));
    lock.release();
  });
  EXPECT_TRUE(FileLock::acquire(at("WRITER"), std::chrono::seconds(30)).held());
  release.join();
}

TEST_F(FileTest, AKilledHolderFreesTheLock) {
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const FileLock lock = FileLock::acquire(at("WRITER"));
    (void)!::write(ready[1], "x", 1);
    for (;;) ::pause();
  }
  char c;
  ASSERT_EQ(::read(ready[0], &c, 1), 1);
  const Error e = error_of([&] { FileLock::acquire(at("WRITER")); });
  EXPECT_NE(std::string(e.what()).find(concat("process ", child)), std::string::npos) << e.what();
  ::kill(child, SIGKILL);
  EXPECT_EQ(exit_status(child), 1000 + SIGKILL);
  EXPECT_FALSE(lock_owner(at("WRITER"))) << "a dead process is no owner";
  EXPECT_TRUE(FileLock::acquire(at("WRITER")).held());
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST_F(FileTest, AForkedChildNeitherHoldsNorFreesTheLock) {
  auto lock = std::make_unique<FileLock>(FileLock::acquire(at("WRITER")));
  const std::uint64_t generation = fork_generation();
  int go[2], tried[2];
  ASSERT_EQ(::pipe(go), 0);
  ASSERT_EQ(::pipe(tried), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    if (fork_generation() != generation + 1 || lock->held()) ::_exit(1);
    // A descriptor that reuses the number must survive the dead lock's destructor.
    const File other = File::open(at("other"), OpenMode::kCreate);
    lock.reset();
    if (::fcntl(other.fd(), F_GETFD) < 0) ::_exit(2);
    try {
      FileLock::acquire(at("WRITER"));
      ::_exit(3);
    } catch (const Error& e) {
      if (e.code() != ErrorCode::kLocked) ::_exit(4);
    }
    char c = 'x';
    (void)!::write(tried[1], &c, 1);
    (void)!::read(go[0], &c, 1);
    ::_exit(0);
  }
  ::close(tried[1]);
  char c;
  EXPECT_EQ(::read(tried[0], &c, 1), 1) << "the child gave up";
  EXPECT_EQ(fork_generation(), generation);
  EXPECT_TRUE(lock->held());
  lock.reset();
  // The child lives on, the lock is free all the same.
  EXPECT_TRUE(FileLock::acquire(at("WRITER"), std::chrono::seconds(5)).held());
  (void)!::write(go[1], "x", 1);
  EXPECT_EQ(exit_status(child), 0);
  ::close(tried[0]);
  ::close(go[0]);
  ::close(go[1]);
}

TEST_F(FileTest, AParentThatDiesLeavesNoLockWithItsChildren) {
  int report[2];
  ASSERT_EQ(::pipe(report), 0);
  const pid_t parent = ::fork();
  if (parent == 0) {
    const FileLock lock = FileLock::acquire(at("WRITER"));
    const pid_t grandchild = ::fork();
    if (grandchild == 0) {
      for (;;) ::pause();
    }
    (void)!::write(report[1], &grandchild, sizeof grandchild);
    ::_exit(0);  // Without destructors, as a crash would.
  }
  pid_t grandchild = 0;
  ASSERT_EQ(::read(report[0], &grandchild, sizeof grandchild), static_cast<ssize_t>(sizeof grandchild));
  EXPECT_EQ(exit_status(parent), 0);
  EXPECT_TRUE(FileLock::acquire(at("WRITER"), std::chrono::seconds(5)).held());
  ::kill(grandchild, SIGKILL);
  ::close(report[0]);
  ::close(report[1]);
}

TEST_F(FileTest, AGarbledOwnerIsNoOwner) {
  for (const char* text : {"", "x", "-5 1 boot\n", "99999999999999999999 1 b\n", "1 2\n", "0 0 -\n"}) {
    put("WRITER", text);
    EXPECT_FALSE(lock_owner(at("WRITER"))) << text;
    EXPECT_TRUE(FileLock::acquire(at("WRITER")).held());
  }
}

TEST(Process, IdentityTellsLifeAndBoot) {
  ProcessIdentity me = this_process();
  EXPECT_EQ(me.pid, ::getpid());
  EXPECT_TRUE(is_alive(me));
  if (me.start_time != 0) {
    ProcessIdentity later = me;
    ++later.start_time;
    EXPECT_FALSE(is_alive(later)) << "the number was given to another process";
  }
  if (!me.boot_id.empty()) {
    me.boot_id = "another boot";
    EXPECT_FALSE(is_alive(me));
  }
}

TEST(Process, AZombieIsDead) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  siginfo_t info;
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), 0);
  EXPECT_FALSE(is_alive({child, 0, ""}));
  EXPECT_EQ(exit_status(child), 0);
}

TEST(ClockTest, SystemAndManual) {
  EXPECT_GT(Clock::system().wall_ms(), 1'600'000'000'000);
  ManualClock clock(5);
  clock.advance(10);
  EXPECT_EQ(clock.wall_ms(), 15);
  clock.set(1);
  EXPECT_EQ(clock.wall_ms(), 1);
}

}  // namespace
}  // namespace vecstore::os
