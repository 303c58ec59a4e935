// What the system refuses: rows 48 to 51.
#include <lmdb.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <atomic>
#include <iostream>

#include "bad_input/fixture.hpp"
#include "base/os_file.hpp"

namespace {
std::atomic<bool> fail_syncs{false};
std::atomic<int> syncs{0};

int sync_call(long number, int fd) {
  ++syncs;
  if (!fail_syncs) return static_cast<int>(::syscall(number, fd));
  errno = EIO;
  return -1;
}
}  // namespace

// In front of libc's, for the whole program.
extern "C" int fdatasync(int fd) { return sync_call(SYS_fdatasync, fd); }
extern "C" int fsync(int fd) { return sync_call(SYS_fsync, fd); }

namespace vecstore {
namespace {

namespace fs = std::filesystem;
const OpenOptions kOneThread{.threads = 1};

Record record(int i, std::size_t text_bytes) {
  std::string text(text_bytes, 'x');
  std::uint64_t x = static_cast<std::uint64_t>(i) + 1;
  for (char& c : text)
    c = static_cast<char>('a' + ((x = x * 6364136223846793005ULL + 1442695040888963407ULL) >> 57) % 26);
  return {.id = "r" + std::to_string(i), .vector = {1, static_cast<float>(i), 2}, .text = text};
}

// Fills a disk of 32 MiB and goes on: run in a child process with a mount of its own.
std::string fill_a_disk(const std::string& at) {
  if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return "skip: needs the right to mount";
  if (::mount("tmpfs", at.c_str(), "tmpfs", 0, "size=32m") != 0) return "skip: needs the right to mount";
  auto db = VecDatabase::open(at + "/db", kOneThread);
  auto c = db.create_collection("docs");
  int stored = 0;
  ErrorCode code = ErrorCode::kIo;
  for (; stored < 2000; ++stored) {
    try {
      c.upsert(record(stored, 60'000));
    } catch (const Error& e) {
      code = e.code();
      if (!e.retryable()) return concat("not retryable: ", e.what());
      break;
    }
  }
  if (code != ErrorCode::kDiskFull) return concat("after ", stored, " records: ", to_string(code));
  if (stored < 100) return concat("full after ", stored, " records");
  // Nothing is lost, reading works, and so does what makes room.
  if (c.count() != static_cast<std::uint64_t>(stored)) return "the count changed";
  if (c.get("r0")->text != record(0, 60'000).text) return "a record changed";
  if (c.query(Query({1, 0, 2}).k(5)).size() != 5) return "query fails";
  for (const auto& entry : fs::recursive_directory_iterator(at)) {
    if (entry.path().filename().string().find("tmp-") != std::string::npos)
      return concat("left behind: ", entry.path().string());
  }
  const std::uint64_t erased = c.erase_where("_id LIKE '%5'") + c.erase("r1");
  if (erased < 10) return "erasing fails";
  // Space that is free inside the file is used again. The file itself cannot grow, so that writes stay
  // refused only while the disk has less than the reserve; with more room they go on by themselves.
  if (::mount("tmpfs", at.c_str(), "tmpfs", MS_REMOUNT, "size=64m") != 0)
    return "the disk cannot be made larger";
  for (int i = 0; i < 20; ++i) c.upsert(record(5000 + i, 60'000));
  if (!db.verify().ok()) return "verify reports damages";
  db.close();
  auto again = VecDatabase::open(at + "/db", kOneThread);
  if (again.get_collection("docs").count() != static_cast<std::uint64_t>(stored) - erased + 20)
    return "records are missing after opening again";
  return "";
}

TEST_F(BadInput, Row48_DiskFull) {
  const std::string at = scratch_ / "disk";
  fs::create_directory(at);
  const std::string result = in_child([&] { return fill_a_disk(at); });
  if (result.starts_with("skip")) GTEST_SKIP() << result;
  EXPECT_EQ(result, "");
}

TEST_F(BadInput, Row48_FileSizeLimit) {
  // A limit on the size of files is as full as a disk can be, for everybody who may not mount one.
  const std::string result = in_child([&]() -> std::string {
    const std::string at = scratch_ / "limited";
    ::signal(SIGXFSZ, SIG_IGN);
    auto db = VecDatabase::open(at, kOneThread);
    auto c = db.create_collection("docs");
    c.upsert(record(0, 1000));
    const rlimit before = [] {
      rlimit l{};
      ::getrlimit(RLIMIT_FSIZE, &l);
      return l;
    }();
    const rlimit small{4 << 20, before.rlim_max};
    if (::setrlimit(RLIMIT_FSIZE, &small) != 0) return "skip: setrlimit";
    int stored = 1;
    std::string message;
    ErrorCode code = ErrorCode::kIo;
    for (; stored < 500; ++stored) {
      try {
        c.upsert(record(stored, 60'000));
      } catch (const Error& e) {
        code = e.code();
        message = e.what();
        break;
      }
    }
    // Whether the refused write is there nobody can know when the engine says no more than that a write
    // failed.
    if (code != ErrorCode::kDiskFull && code != ErrorCode::kUnknownOutcome)
      return concat("after ", stored, ": ", to_string(code), " ", message);
    if (c.count() != static_cast<std::uint64_t>(stored) || c.get("r0")->text != record(0, 1000).text)
      return "records are missing";
    ::setrlimit(RLIMIT_FSIZE, &before);
    if (code == ErrorCode::kUnknownOutcome) {
      db.close();
      db = VecDatabase::open(at, kOneThread);
      c = db.get_collection("docs");
    }
    c.upsert(record(9999, 60'000));
    if (c.count() < static_cast<std::uint64_t>(stored + 1)) return "records are missing at the end";
    return db.verify().ok() ? "" : "verify reports damages";
  });
  if (result.starts_with("skip")) GTEST_SKIP() << result;
  EXPECT_EQ(result, "");
}

TEST_F(BadInput, Row49_SyncFails) {
  const std::string before = state();
  fail_syncs = true;
  std::string message;
  EXPECT_EQ(code_of([&] { docs_.batch_upsert(std::vector<Record>{record(1, 10), record(2, 10)}); }, &message),
            ErrorCode::kUnknownOutcome);
  EXPECT_NE(message.find("reopen"), std::string::npos) << message;
  fail_syncs = false;
  // The handle writes no more, and nothing syncs again what may be lost: a second sync would report a success
  // that is none.
  const int count = syncs;
  EXPECT_EQ(code_of([&] { docs_.upsert("x", {1, 1, 1}); }), ErrorCode::kUnknownOutcome);
  EXPECT_EQ(code_of([&] { docs_.erase("a"); }), ErrorCode::kUnknownOutcome);
  EXPECT_EQ(code_of([&] { db_.create_collection("new"); }), ErrorCode::kUnknownOutcome);
  EXPECT_EQ(syncs, count);
  EXPECT_EQ(docs_.get("a")->text, "alpha words");
  db_.close();
  db_ = VecDatabase::open(dir());
  docs_ = db_.get_collection("docs");
  const std::uint64_t n = docs_.count();
  EXPECT_TRUE(n == 3 || n == 5) << n;
  EXPECT_EQ(docs_.get("r1").has_value(), docs_.get("r2").has_value());
  if (n == 3) {
    EXPECT_EQ(state(), before);
  }
  docs_.upsert("x", {1, 1, 1});
  EXPECT_TRUE(db_.verify().ok());
}

TEST_F(BadInput, Row50_NoFileDescriptors) {
#ifdef __SANITIZE_ADDRESS__
  // UndefinedBehaviorSanitizer opens a pipe to look at an object's type, and calls the object invalid when it
  // gets none.
  GTEST_SKIP() << "the sanitizer itself needs descriptors; the minimal build runs this";
#endif
  const std::string result = in_child([&]() -> std::string {
    rlimit before{};
    ::getrlimit(RLIMIT_NOFILE, &before);
    const int next = ::dup(0);
    ::close(next);
    // Each attempt gets one descriptor more, until it succeeds.
    const std::string at = scratch_ / "fresh";
    int refused = 0;
    for (int more = 0;; ++more) {
      const rlimit limit{static_cast<rlim_t>(next + more), before.rlim_max};
      if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return "skip: setrlimit";
      try {
        auto db = VecDatabase::open(at, kOneThread);
        ::setrlimit(RLIMIT_NOFILE, &before);
        auto c = db.create_collection("docs");
        c.upsert("x", {1, 1, 1});
        return refused >= 2 ? "" : concat("only ", refused, " attempts were refused");
      } catch (const Error& e) {
        if (e.code() != ErrorCode::kBusy)
          return concat("with ", more, " descriptors: ", to_string(e.code()), " ", e.what());
        if (++refused > 50) return "never succeeds";
      }
    }
  });
  if (result.starts_with("skip")) GTEST_SKIP() << result;
  EXPECT_EQ(result, "");
}

TEST_F(BadInput, Row50_NoAddressSpace) {
  std::string message;
  const std::uint64_t too_much = std::uint64_t{1} << 47;
  EXPECT_EQ(
      code_of([&] { VecDatabase::open(scratch_ / "huge", {.map_size = too_much, .max_map_size = too_much}); },
              &message),
      ErrorCode::kOutOfMemory)
      << message;
  auto db = VecDatabase::open(scratch_ / "huge");
  db.create_collection("docs").upsert("x", {1, 1, 1});
  usable();
}

TEST_F(BadInput, Row50_NoReaderSlots) {
  // Another process takes all of them.
  docs_.count();
  int ready[2];
  int end[2];
  ASSERT_EQ(::pipe(ready), 0);
  ASSERT_EQ(::pipe(end), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(end[1]);  // so that the parent's end is the only one
    MDB_env* env = nullptr;
    mdb_env_create(&env);
    char byte = 'n';
    if (mdb_env_open(env, (dir() + "/truth.1").c_str(), MDB_RDONLY | MDB_NOTLS, 0600) == 0) {
      byte = 'y';
      for (MDB_txn* txn = nullptr; mdb_txn_begin(env, nullptr, MDB_RDONLY, &txn) == 0;) {
      }
    }
    if (::write(ready[1], &byte, 1) != 1 || ::read(end[0], &byte, 1) < 0) ::_exit(1);
    ::_exit(0);
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  ASSERT_EQ(byte, 'y');
  // One slot is this process's own, so that one reader goes on; a second one at a time is refused.
  EXPECT_EQ(docs_.count(), 3u);
  const std::uint64_t before = docs_.stats().sequence;
  std::string message;
  EXPECT_EQ(code_of([&] { db_.stats(); }, &message), ErrorCode::kBusy) << message;
  docs_.upsert("x", {1, 1, 1});
  EXPECT_GT(docs_.stats().sequence, before);
  ::close(end[1]);
  int status = 0;
  ::waitpid(child, &status, 0);
  for (int fd : {ready[0], ready[1], end[0]}) ::close(fd);
  // The dead process's slots are free again at once.
  EXPECT_EQ(db_.stats().records, 4u);
  EXPECT_EQ(docs_.erase("x"), 1u);
  usable();
}

TEST_F(BadInput, Row51_MapFull) {
  // Growing is invisible, whatever the batch.
  {
    auto db = VecDatabase::open(scratch_ / "small", {.map_size = 1 << 16});
    auto c = db.create_collection("docs");
    std::vector<Record> batch;
    for (int i = 0; i < 100; ++i) batch.push_back(record(i, 60'000));
    c.batch_upsert(batch);
    for (int i = 100; i < 130; ++i) c.upsert(record(i, 30'000));
    EXPECT_EQ(c.count(), 130u);
    EXPECT_EQ(c.get("r7")->text, batch[7].text);
    EXPECT_TRUE(db.verify().ok());
  }
  // Beyond the limit that was set it is an error that says which, and the batch is absent.
  auto db = VecDatabase::open(scratch_ / "limited", {.map_size = 1 << 16, .max_map_size = 2 << 20});
  auto c = db.create_collection("docs");
  for (int i = 0; i < 5; ++i) c.upsert(record(i, 1000));
  const std::uint64_t sequence = db.stats().sequence;
  std::vector<Record> batch;
  for (int i = 100; i < 200; ++i) batch.push_back(record(i, 60'000));
  std::string message;
  EXPECT_EQ(code_of([&] { c.batch_upsert(batch); }, &message), ErrorCode::kQuotaExceeded);
  EXPECT_NE(message.find("store_size"), std::string::npos) << message;
  EXPECT_NE(message.find(std::to_string(2 << 20)), std::string::npos) << message;
  EXPECT_EQ(c.count(), 5u);
  EXPECT_EQ(db.stats().sequence, sequence);
  c.upsert(record(5, 1000));
  EXPECT_EQ(c.erase("r0"), 1u);
  EXPECT_TRUE(db.verify().ok());
}

}  // namespace
}  // namespace vecstore
