// Several processes on one directory: locks, live readers, kill -9, fork.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <iostream>
#include <optional>

#include "base/error.hpp"
#include "durability/harness.hpp"
#include "vecstore/vecstore.hpp"

namespace vecstore::durability {
namespace {

constexpr const char* kCollection = "documents";
// Small, so that it grows while readers look on.
constexpr std::uint64_t kMapSize = 1 << 20;

OpenOptions writable() { return {.map_size = kMapSize, .threads = 1}; }
OpenOptions read_only() { return {.read_only = true, .map_size = kMapSize, .threads = 1}; }

std::string id(int i) { return "record-" + std::to_string(i); }
Record record(int i) {
  return {.id = id(i),
          .vector = {static_cast<float>(i), static_cast<float>(i % 7), 1.0f},
          .text = "text of record " + std::to_string(i) + std::string(1000, 'x'),
          .metadata = {{"number", i}}};
}

// A forked process that obeys: it gets one byte per order and answers with one.
class Other {
 public:
  using Work = std::function<bool(char order)>;
  // `make` runs in the child and returns what carries out the orders.
  explicit Other(const std::function<Work()>& make) {
    int down[2];
    int up[2];
    if (::pipe(down) != 0 || ::pipe(up) != 0) throw std::runtime_error("cannot make pipes");
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(down[1]);
      ::close(up[0]);
      serve(make, down[0], up[1]);
    }
    ::close(down[0]);
    ::close(up[1]);
    to_ = down[1];
    from_ = up[0];
    answer();  // ready, or not
  }
  ~Other() {
    ::close(to_);
    end(SIGKILL);
    ::close(from_);
  }
  Other(const Other&) = delete;
  Other& operator=(const Other&) = delete;

  bool order(char what) { return ::write(to_, &what, 1) == 1 && answer(); }
  void send(char what) { ASSERT_EQ(::write(to_, &what, 1), 1); }
  /// True when the child says that all is well.
  bool answer() {
    char c = 'n';
    ready_ = ::read(from_, &c, 1) == 1 && c == 'y';
    return ready_;
  }
  bool ready() const { return ready_; }
  void end(int signal) {
    if (pid_ <= 0) return;
    ::kill(pid_, signal);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  pid_t pid() const { return pid_; }

 private:
  [[noreturn]] static void serve(const std::function<Work()>& make, int in, int out) {
    const auto say = [&](bool good) {
      const char c = good ? 'y' : 'n';
      return ::write(out, &c, 1) == 1;
    };
    try {
      const Work work = make();
      say(true);
      for (char order; ::read(in, &order, 1) == 1;) say(work(order));
    } catch (const std::exception& e) {
      std::cerr << "child " << ::getpid() << ": " << e.what() << std::endl;
      say(false);
    }
    ::_exit(0);
  }

  pid_t pid_ = 0;
  int to_ = -1;
  int from_ = -1;
  bool ready_ = false;
};

class Processes : public ::testing::Test {
 protected:
  std::string dir() const { return scratch_.path() + "/db"; }
  Collection create(VecDatabase& db) const {
    return db.get_or_create_collection(kCollection, {.metric = Metric::kEuclidean, .dimension = 3});
  }
  void fill(int n) const {
    auto db = VecDatabase::open(dir(), writable());
    auto collection = create(db);
    for (int i = 0; i < n; ++i) collection.upsert(record(i));
    db.close();
  }
  Scratch scratch_;
};

ErrorCode code_of(const std::function<void()>& call, std::string* message = nullptr) {
  try {
    call();
  } catch (const Error& e) {
    if (message) *message = e.what();
    return e.code();
  }
  return ErrorCode{};
}

// What a reader must see after n commits of one record each.
bool sees(const Collection& collection, int n) {
  const Hits hits = collection.query(record(n - 1).vector, 1);
  const auto found = collection.get(id(n - 1));
  return hits.size() == 1 && hits[0].id == id(n - 1) && collection.count() == static_cast<std::uint64_t>(n) &&
         found && found->text == record(n - 1).text;
}

// Compactions take the file away from under readers, who go on in the next one without missing a commit.
TEST_F(Processes, ReadersFollowCompactions) {
  fill(1);
  constexpr int kCommits = 300;
  const auto reader = [&] {
    auto db = std::make_shared<VecDatabase>(VecDatabase::open(dir(), read_only()));
    auto collection = std::make_shared<Collection>(db->get_collection(kCollection));
    auto seen = std::make_shared<int>(1);
    return [=](char order) {
      if (order == 'v') return db->verify().ok();
      return sees(*collection, ++*seen);
    };
  };
  Other steady(reader);
  Other idle(reader);  // asks nothing until the end
  ASSERT_TRUE(steady.ready() && idle.ready());
  auto db = VecDatabase::open(dir(), writable());
  auto collection = create(db);
  std::uint64_t compactions = 0;
  for (int i = 1; i <= kCommits; ++i) {
    collection.upsert(record(i));
    if (i % 10 == 5) {
      db.compact();
      ++compactions;
    }
    ASSERT_TRUE(steady.order('c')) << "after " << i << " commits";
    if (i % 50 != 0) continue;
    ASSERT_TRUE(steady.order('v'));
  }
  EXPECT_EQ(db.stats().generation, compactions + 1);
  const auto generations = [&] {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(dir())) {
      if (entry.path().filename().string().starts_with("truth.")) names.push_back(entry.path().filename());
    }
    return names.size();
  };
  EXPECT_GE(generations(), 2u);
  EXPECT_LE(generations(), 3u)
      << "the idle reader's first one, the one that the other left last, the live one";
  ASSERT_TRUE(idle.order('v')) << "it follows over all of them at once";
  db.compact();
  ASSERT_TRUE(steady.order('v'));
  ASSERT_TRUE(idle.order('v'));
  db.close();
  EXPECT_EQ(generations(), 1u);
}

// The writer is killed at some moment of compactions; who reads goes on, and the next writer.
TEST_F(Processes, WriterKilledInACompaction) {
  fill(40);
  std::uint64_t highest = 0;
  for (int round = 0; round < 40; ++round) {
    Other reader([&] {
      auto db = std::make_shared<VecDatabase>(VecDatabase::open(dir(), read_only()));
      return [=](char) { return db->verify().ok() && db->get_collection(kCollection).count() == 40; };
    });
    ASSERT_TRUE(reader.ready());
    Other writer([&] {
      auto db = std::make_shared<VecDatabase>(VecDatabase::open(dir(), writable()));
      return [=](char) {
        for (;;) db->compact();
        return true;
      };
    });
    ASSERT_TRUE(writer.ready());
    writer.send('c');
    ::usleep(static_cast<useconds_t>(1000 + 700 * round));
    writer.end(SIGKILL);
    ASSERT_TRUE(reader.order('v')) << "round " << round;
    auto db = VecDatabase::open(dir(), writable());
    const DatabaseStats stats = db.stats();
    EXPECT_EQ(stats.records, 40u);
    EXPECT_GE(stats.generation, highest);
    highest = stats.generation;
    EXPECT_TRUE(db.verify().ok()) << "round " << round;
    db.close();
    ASSERT_TRUE(reader.order('v')) << "round " << round;
  }
  EXPECT_GT(highest, 5u);
}

TEST_F(Processes, ReaderSeesEachCommitAtItsNextQuery) {
  fill(1);
  constexpr int kCommits = 1000;
  Other reader([&] {
    auto db = std::make_shared<VecDatabase>(VecDatabase::open(dir(), read_only()));
    auto collection = std::make_shared<Collection>(db->get_collection(kCollection));
    auto n = std::make_shared<int>(1);
    return [=](char) { return sees(*collection, ++*n); };
  });
  ASSERT_TRUE(reader.ready());
  auto db = VecDatabase::open(dir(), writable());
  auto collection = create(db);
  for (int i = 1; i <= kCommits; ++i) {
    collection.upsert(record(i));
    ASSERT_TRUE(reader.order('q')) << "commit " << i;
  }
  std::cout << "a read-only process saw " << kCommits << " of " << kCommits << " commits, file grew to "
            << db.stats().file_bytes << " bytes from a map of " << kMapSize << "\n";
  EXPECT_TRUE(db.verify().ok());
}

TEST_F(Processes, SecondWriterIsToldWhoHoldsTheLock) {
  fill(1);
  Other writer([&] {
    auto db = std::make_shared<VecDatabase>(VecDatabase::open(dir(), writable()));
    return [=](char) { return db != nullptr; };
  });
  ASSERT_TRUE(writer.ready());
  std::string message;
  EXPECT_EQ(code_of([&] { VecDatabase::open(dir(), writable()); }, &message), ErrorCode::kLocked);
  EXPECT_NE(message.find(std::to_string(writer.pid())), std::string::npos) << message;
  // Waiting is of no use either while the other one lives.
  OpenOptions patient = writable();
  patient.lock_timeout = std::chrono::milliseconds(50);
  EXPECT_EQ(code_of([&] { VecDatabase::open(dir(), patient); }), ErrorCode::kLocked);
  // Readers are let in.
  EXPECT_EQ(VecDatabase::open(dir(), read_only()).get_collection(kCollection).count(), 1u);
}

TEST_F(Processes, KilledWriterLeavesNoLock) {
  fill(1);
  for (int round = 0; round < 20; ++round) {
    Other writer([&] {
      auto db = std::make_shared<VecDatabase>(VecDatabase::open(dir(), writable()));
      auto collection = std::make_shared<Collection>(db->get_collection(kCollection));
      auto n = std::make_shared<int>(static_cast<int>(collection->count()));
      return [=](char order) {
        if (order == 'w') collection->upsert(record((*n)++));
        for (; order == 'f'; ++*n) collection->upsert(record(*n));  // until it is killed
        return true;
      };
    });
    ASSERT_TRUE(writer.ready());
    ASSERT_TRUE(writer.order('w'));
    writer.send('f');
    ::usleep(static_cast<useconds_t>(500 * round));
    writer.end(SIGKILL);
    auto db = VecDatabase::open(dir(), writable());
    const auto report = db.verify();
    ASSERT_TRUE(report.ok()) << "round " << round << ": " << report.damages[0].kind << " "
                             << report.damages[0].detail;
    auto collection = db.get_collection(kCollection);
    const int n = static_cast<int>(collection.count());
    ASSERT_GE(n, 2 + round) << "acknowledged writes are missing";
    ASSERT_TRUE(sees(collection, n));
    collection.upsert(record(n));
    db.close();
  }
}

TEST_F(Processes, KilledReaderHoldsNothingBack) {
  fill(200);
  auto db = VecDatabase::open(dir(), writable());
  auto collection = create(db);
  const auto rewrite = [&] {
    for (int round = 0; round < 10; ++round) {
      for (int i = 0; i < 200; i += 10) collection.upsert(record(i));
    }
    return db.stats().file_bytes;
  };
  rewrite();
  const std::uint64_t before = rewrite();
  for (int round = 0; round < 20; ++round) {
    Other reader([&] {
      auto other = std::make_shared<VecDatabase>(VecDatabase::open(dir(), read_only()));
      return [=](char) {
        const Collection c = other->get_collection(kCollection);
        for (;;) (void)c.query({1, 2, 3}, 50);
        return true;
      };
    });
    ASSERT_TRUE(reader.ready());
    reader.send('q');
    ::usleep(static_cast<useconds_t>(1000 * (round % 5)));
    reader.end(SIGKILL);
    collection.upsert(record(1000 + round));
  }
  const std::uint64_t after = rewrite();
  // Twenty dead readers, each in the middle of a query: had their snapshots been kept, no page could be used
  // again.
  EXPECT_LE(after, before + before / 2);
  EXPECT_TRUE(db.verify().ok());
  EXPECT_EQ(collection.count(), 220u);
}

TEST_F(Processes, ForkedChildIsTurnedAway) {
  fill(3);
  auto db = VecDatabase::open(dir(), writable());
  auto collection = create(db);
  const std::string ended = in_child([&] {
    const auto expect = [](bool good, const char* what) {
      if (!good) throw std::runtime_error(what);
    };
    expect(code_of([&] { collection.upsert(record(9)); }) == ErrorCode::kForked, "upsert");
    expect(code_of([&] { (void)collection.count(); }) == ErrorCode::kForked, "count");
    expect(code_of([&] { (void)collection.query({1, 2, 3}, 1); }) == ErrorCode::kForked, "query");
    expect(code_of([&] { (void)db.stats(); }) == ErrorCode::kForked, "stats");
    expect(code_of([&] { (void)db.verify(); }) == ErrorCode::kForked, "verify");
    // The parent still writes: the child may read, and gets its own instance.
    expect(code_of([&] { VecDatabase::open(dir(), writable()); }) == ErrorCode::kLocked, "open for writing");
    auto own = VecDatabase::open(dir(), read_only());
    expect(own.get_collection(kCollection).count() == 3, "reading with an instance of its own");
    own.close();
  });
  EXPECT_EQ(ended, "");
  // Nothing that the child did or let go of has hurt the parent.
  collection.upsert(record(3));
  EXPECT_EQ(collection.count(), 4u);
  EXPECT_TRUE(db.verify().ok());
  EXPECT_NE(in_child([&] { VecDatabase::open(dir(), writable()); }), "") << "the lock is gone";
}

TEST_F(Processes, ChildThatOutlivesItsParentHoldsNoLock) {
  fill(1);
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  // The child opens, forks a grandchild that sleeps on, and dies: the lock has to be free although the
  // grandchild lives.
  const std::string ended = in_child([&] {
    auto db = VecDatabase::open(dir(), writable());
    const pid_t grandchild = ::fork();
    if (grandchild == 0) {
      ::close(ends[1]);
      char c;
      (void)!::read(ends[0], &c, 1);
      ::_exit(0);
    }
  });
  ASSERT_EQ(ended, "");
  auto db = VecDatabase::open(dir(), writable());
  create(db).upsert(record(1));
  EXPECT_EQ(create(db).count(), 2u);
  ::close(ends[1]);
  ::close(ends[0]);
}

TEST_F(Processes, OneDirectoryIsOneInstance) {
  fill(1);
  auto a = VecDatabase::open(dir(), writable());
  auto b = VecDatabase::open(scratch_.path() + "/./db/", writable());
  std::filesystem::create_directory_symlink(dir(), scratch_.path() + "/link");
  auto c = VecDatabase::open(scratch_.path() + "/link", writable());
  auto d = VecDatabase::open(scratch_.path() + "/link", read_only());
  create(a).upsert(record(1));
  for (auto* db : {&b, &c, &d}) EXPECT_EQ(db->get_collection(kCollection).count(), 2u);
  // One closes for all.
  c.close();
  EXPECT_EQ(code_of([&] { (void)a.stats(); }), ErrorCode::kClosed);
  auto again = VecDatabase::open(dir(), writable());
  EXPECT_EQ(again.get_collection(kCollection).count(), 2u);
}

TEST_F(Processes, LastHandleGoneReleasesTheDirectory) {
  fill(1);
  std::optional<Collection> kept;
  {
    auto db = VecDatabase::open(dir(), writable());
    kept = db.get_collection(kCollection);
  }
  const auto open_elsewhere = [&] {
    Other other([&] {
      auto db = std::make_shared<VecDatabase>(VecDatabase::open(dir(), writable()));
      return [=](char) { return db != nullptr; };
    });
    return other.ready();
  };
  EXPECT_FALSE(open_elsewhere()) << "a collection still holds the directory";
  kept.reset();
  EXPECT_TRUE(open_elsewhere());
}

}  // namespace
}  // namespace vecstore::durability
