// Directories that cannot be opened, or not like this: rows 39 to 44. And records whose bytes were damaged:
// rows 46 and 47.
#include <lmdb.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <bit>
#include <cstring>
#include <iostream>
#include <map>

#include "bad_input/fixture.hpp"
#include "base/bytes.hpp"
#include "base/crc32c.hpp"

namespace vecstore {
namespace {

namespace fs = std::filesystem;

constexpr int kRecords = 40;
const OpenOptions kOneThread{.threads = 1};

std::string id_of(int i) { return concat("target", i < 10 ? "0" : "", i); }
std::vector<float> vector_of(int i) {
  return {1.0f, 0.5f + 0.001f * static_cast<float>(i), 77.25f + static_cast<float>(i), -3.5f};
}

/// A store with some records, closed.
void make_store(const std::string& dir) {
  auto db = VecDatabase::open(dir, kOneThread);
  auto c = db.create_collection("docs", {.dimension = 4});
  for (int i = 0; i < kRecords; ++i) {
    c.upsert({.id = id_of(i),
              .vector = Vector(vector_of(i)),
              .text = concat("needle", i, " in the hay"),
              .metadata = {{"i", i}}});
  }
  db.close();
}

/// All files but those that openers may write to.
std::map<std::string, std::string> bytes_of(const std::string& dir) {
  std::map<std::string, std::string> out;
  for (const auto& entry : fs::recursive_directory_iterator(dir)) {
    const std::string name = entry.path().filename();
    if (entry.is_regular_file() && name != "WRITER" && name != "lock.mdb")
      out[entry.path()] = read_file(entry.path());
  }
  return out;
}

std::string data_file(const std::string& dir) { return dir + "/truth.1/data.mdb"; }

class BadInputFiles : public ::testing::Test {
 protected:
  BadInputFiles() { make_store(dir()); }
  std::string dir() const { return scratch_ / "db"; }
  /// Opening fails with `code` in both modes, says `words`, and changes nothing.
  void refused(ErrorCode code, std::initializer_list<std::string_view> words) {
    const auto before = bytes_of(dir());
    for (bool read_only : {false, true}) {
      std::string message;
      EXPECT_EQ(to_string(code_of([&] { VecDatabase::open(dir(), {.read_only = read_only}); }, &message)),
                to_string(code))
          << message;
      for (std::string_view word : words) EXPECT_NE(message.find(word), std::string::npos) << message;
    }
    EXPECT_EQ(bytes_of(dir()), before);
  }
  test::Scratch scratch_;
};

TEST_F(BadInputFiles, Row39_WhatIsNoDirectory) {
  const std::string missing = scratch_ / "missing";
  EXPECT_EQ(code_of([&] { VecDatabase::open(missing, {.create = false}); }), ErrorCode::kNotFound);
  EXPECT_EQ(code_of([&] { VecDatabase::open(missing, {.read_only = true}); }), ErrorCode::kNotFound);
  EXPECT_FALSE(fs::exists(missing));
  const std::string file = scratch_ / "file";
  write_file(file, "text");
  EXPECT_EQ(code_of([&] { VecDatabase::open(file); }), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of([&] { VecDatabase::open(file + "/below"); }), ErrorCode::kInvalidArgument);
  EXPECT_EQ(read_file(file), "text");
  EXPECT_EQ(code_of([&] { VecDatabase::open(""); }), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of([&] { VecDatabase::open(std::string("a\0b", 3)); }), ErrorCode::kInvalidArgument);
  // Somebody else's directory stays as it is.
  const std::string foreign = scratch_ / "foreign";
  fs::create_directory(foreign);
  write_file(foreign + "/letter.txt", "dear");
  EXPECT_EQ(code_of([&] { VecDatabase::open(foreign); }), ErrorCode::kInvalidArgument);
  EXPECT_EQ(read_file(foreign + "/letter.txt"), "dear");
  EXPECT_FALSE(fs::exists(foreign + "/FORMAT"));
}

TEST_F(BadInputFiles, Row39_NoPermission) {
  if (::geteuid() != 0) GTEST_SKIP() << "skipped: needs root to become somebody else";
  fs::permissions(scratch_.path(), fs::perms::all);
  fs::permissions(dir(), fs::perms::owner_all);
  EXPECT_EQ(in_child([&]() -> std::string {
              if (::setresuid(65534, 65534, 65534) != 0) return "setresuid failed";
              for (bool read_only : {false, true}) {
                std::string message = "no error";
                ErrorCode code = ErrorCode::kIo;
                try {
                  VecDatabase::open(dir(), {.read_only = read_only, .threads = 1});
                } catch (const Error& e) {
                  code = e.code();
                  message = e.what();
                }
                if (code != ErrorCode::kPermissionDenied) return concat(to_string(code), ": ", message);
              }
              return "";
            }),
            "");
}

/// A mount namespace of its own for a child process; "" or why there is none.
std::string own_mounts() {
  if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return "skip: needs the right to mount";
  return "";
}

TEST_F(BadInputFiles, Row39_ReadOnlyMedia) {
  const std::string at = scratch_ / "media";
  fs::create_directory(at);
  const std::string result = in_child([&]() -> std::string {
    if (const std::string why = own_mounts(); !why.empty()) return why;
    if (::mount("tmpfs", at.c_str(), "tmpfs", 0, "size=64m") != 0) return "skip: needs the right to mount";
    make_store(at + "/db");
    const auto before = bytes_of(at);
    if (::mount(nullptr, at.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) != 0)
      return "skip: cannot mount again";
    try {
      VecDatabase::open(at + "/db", kOneThread);
      return "opened for writing";
    } catch (const Error& e) {
      if (e.code() != ErrorCode::kReadOnly) return concat(to_string(e.code()), ": ", e.what());
    }
    auto db = VecDatabase::open(at + "/db", {.read_only = true, .threads = 1});
    auto c = db.get_collection("docs");
    if (c.query(Query(vector_of(7)).k(1)).size() != 1 || c.get(id_of(7))->metadata != Metadata{{"i", 7}})
      return "the records differ";
    if (!db.verify().ok()) return "verify reports damages";
    if (bytes_of(at) != before) return "a file changed";
    return "";
  });
  if (result.starts_with("skip")) GTEST_SKIP() << result;
  EXPECT_EQ(result, "");
}

// What is on a network file system is told by numbers of statfs, which the tests of src/io check; none can be
// mounted here.

TEST_F(BadInputFiles, Row40_OtherFormats) {
  const std::string path = dir() + "/FORMAT";
  const std::string good = read_file(path);
  ASSERT_EQ(good.size(), 48u);
  const auto with = [&](std::size_t at, std::uint32_t value) {
    std::string bytes = good;
    std::memcpy(bytes.data() + at, &value, 4);
    const std::uint32_t crc = crc32c(as_byte_span(std::string_view(bytes).substr(0, 40)));
    std::memcpy(bytes.data() + 40, &crc, 4);
    write_file(path, bytes);
  };
  with(8, 2);
  refused(ErrorCode::kUnsupportedFormat, {"format 2", "up to 1"});
  with(12, 0x04030201);
  refused(ErrorCode::kUnsupportedFormat, {"byte order"});
  with(16, 65536);
  refused(ErrorCode::kUnsupportedFormat, {"65536", "4096"});
  with(20, 4);
  refused(ErrorCode::kUnsupportedFormat, {"words of 4", "8"});
  std::string flipped = good;
  flipped[30] = static_cast<char>(flipped[30] ^ 1);
  write_file(path, flipped);
  refused(ErrorCode::kCorruption, {"FORMAT", "checksum"});
  for (std::size_t n : {std::size_t{0}, std::size_t{7}, std::size_t{47}}) {
    write_file(path, good.substr(0, n));
    refused(ErrorCode::kCorruption, {"FORMAT"});
  }
  write_file(path, good);
  for (const char* current : {"", "2\n", "0\n", "1", "x\n", "99999999999999999999\n", "-1\n"}) {
    write_file(dir() + "/CURRENT", current);
    refused(ErrorCode::kCorruption, {});
  }
  write_file(dir() + "/CURRENT", "1\n");
  EXPECT_EQ(VecDatabase::open(dir()).get_collection("docs").count(), static_cast<std::uint64_t>(kRecords));
}

TEST_F(BadInputFiles, Row41_DataFile) {
  const std::string data = data_file(dir());
  const std::string good = read_file(data);
  write_file(data, "");
  refused(ErrorCode::kCorruption, {"data.mdb"});
  std::size_t harmless = 0;
  for (std::size_t n = 1; n < good.size(); n += n < 8192 ? 1021 : 2999) {
    write_file(data, good.substr(0, n));
    try {
      // Pages at the end may be free; then nothing is missing.
      auto db = VecDatabase::open(dir(), {.read_only = true});
      EXPECT_TRUE(db.verify().ok()) << n;
      EXPECT_EQ(db.get_collection("docs").count(), static_cast<std::uint64_t>(kRecords)) << n;
      ++harmless;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::kCorruption) << n << " " << e.what();
    }
    EXPECT_EQ(read_file(data).size(), n);
  }
  EXPECT_LE(harmless, 3u);
  std::string zeroed = good;
  std::fill(zeroed.begin(), zeroed.begin() + 4096, '\0');
  write_file(data, zeroed);
  try {
    // There are two meta pages; when the other one is the newer, this one is not missed.
    auto db = VecDatabase::open(dir(), {.read_only = true});
    ADD_FAILURE() << "a zeroed meta page was accepted";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kCorruption) << e.what();
  }
  std::fill(zeroed.begin(), zeroed.begin() + 8192, '\0');
  write_file(data, zeroed);
  refused(ErrorCode::kCorruption, {});
  std::string random(good.size(), '\0');
  std::uint64_t x = 7;
  for (char& c : random)
    c = static_cast<char>((x = x * 6364136223846793005ULL + 1442695040888963407ULL) >> 56);
  write_file(data, random);
  refused(ErrorCode::kCorruption, {});
  write_file(data, "#!/bin/sh\n" + std::string(20'000, ' '));
  refused(ErrorCode::kCorruption, {});
  fs::remove(data);
  refused(ErrorCode::kCorruption, {"data.mdb", "missing"});
  EXPECT_FALSE(fs::exists(data));
  // Another application's file of the same engine.
  const std::string other = scratch_ / "other";
  fs::create_directory(other);
  MDB_env* env = nullptr;
  ASSERT_EQ(mdb_env_create(&env), 0);
  ASSERT_EQ(mdb_env_open(env, other.c_str(), 0, 0600), 0);
  MDB_txn* txn = nullptr;
  ASSERT_EQ(mdb_txn_begin(env, nullptr, 0, &txn), 0);
  MDB_dbi dbi;
  ASSERT_EQ(mdb_dbi_open(txn, nullptr, 0, &dbi), 0);
  MDB_val key{3, const_cast<char*>("key")};
  ASSERT_EQ(mdb_put(txn, dbi, &key, &key, 0), 0);
  ASSERT_EQ(mdb_txn_commit(txn), 0);
  mdb_env_close(env);
  write_file(data, read_file(other + "/data.mdb"));
  refused(ErrorCode::kUnsupportedFormat, {});
  write_file(data, good);
  EXPECT_EQ(VecDatabase::open(dir()).get_collection("docs").count(), static_cast<std::uint64_t>(kRecords));
}

TEST_F(BadInputFiles, Row42_LockFiles) {
  const auto works = [&](const char* what) {
    auto db = VecDatabase::open(dir());
    auto c = db.get_collection("docs");
    c.upsert("again", {1, 1, 1, 1});
    EXPECT_EQ(c.count(), static_cast<std::uint64_t>(kRecords + 1)) << what;
    db.close();
    EXPECT_EQ(VecDatabase::open(dir(), {.read_only = true}).get_collection("docs").count(),
              static_cast<std::uint64_t>(kRecords + 1))
        << what;
  };
  const std::string lock = dir() + "/truth.1/lock.mdb";
  fs::remove(lock);
  works("engine's lock missing");
  fs::remove(dir() + "/WRITER");
  works("WRITER missing");
  write_file(lock, std::string(5000, '\x5a'));
  works("engine's lock is garbage");
  write_file(lock, "");
  works("engine's lock is empty");
  write_file(dir() + "/WRITER", std::string(300, '\xff'));
  works("WRITER is garbage");
  write_file(dir() + "/WRITER", "1 1 another-boot\n");
  works("WRITER of a host that is gone");

  // A live second writer.
  int ready[2];
  int end[2];
  ASSERT_EQ(::pipe(ready), 0);
  ASSERT_EQ(::pipe(end), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    char byte = 'x';
    try {
      auto db = VecDatabase::open(dir(), kOneThread);
      byte = 'y';
      if (::write(ready[1], &byte, 1) != 1 || ::read(end[0], &byte, 1) != 1) ::_exit(2);
    } catch (const std::exception&) {
      if (::write(ready[1], &byte, 1) != 1) ::_exit(2);
    }
    ::_exit(0);
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  ASSERT_EQ(byte, 'y');
  std::string message;
  EXPECT_EQ(code_of([&] { VecDatabase::open(dir()); }, &message), ErrorCode::kLocked);
  EXPECT_NE(message.find(std::to_string(child)), std::string::npos) << message;
  EXPECT_EQ(code_of([&] { VecDatabase::open(dir(), {.lock_timeout = std::chrono::milliseconds(30)}); }),
            ErrorCode::kLocked);
  {
    auto reader = VecDatabase::open(dir(), {.read_only = true});
    EXPECT_EQ(reader.get_collection("docs").count(), static_cast<std::uint64_t>(kRecords + 1));
    EXPECT_EQ(code_of([&] { reader.get_collection("docs").upsert("x", {1, 1, 1, 1}); }),
              ErrorCode::kReadOnly);
    EXPECT_EQ(code_of([&] { reader.create_collection("new"); }), ErrorCode::kReadOnly);
    EXPECT_EQ(code_of([&] { reader.delete_collection("docs"); }), ErrorCode::kReadOnly);
  }
  ASSERT_EQ(::write(end[1], "q", 1), 1);
  int status = 0;
  ::waitpid(child, &status, 0);
  for (int fd : {ready[0], ready[1], end[0], end[1]}) ::close(fd);
  works("after the other writer has ended");
}

TEST_F(BadInputFiles, Row43_OpenedTwice) {
  auto db = VecDatabase::open(dir());
  const auto same = [&](const std::string& path) {
    auto again = VecDatabase::open(path);
    const std::string id = concat("via ", path.size());
    again.get_collection("docs").upsert(id, {1, 1, 1, 1});
    return db.get_collection("docs").get(id).has_value() && db.stats().sequence == again.stats().sequence;
  };
  EXPECT_TRUE(same(dir()));
  EXPECT_TRUE(same(dir() + "/."));
  EXPECT_TRUE(same(dir() + "/../db"));
  fs::create_directory_symlink(dir(), scratch_ / "symlink");
  EXPECT_TRUE(same(scratch_ / "symlink"));
  // Read-only beside it in the same process is the same instance too.
  EXPECT_EQ(VecDatabase::open(dir(), {.read_only = true}).stats().sequence, db.stats().sequence);
  // A directory of hard links to the same files is another directory; it must not become a second engine on
  // one file.
  const std::string linked = scratch_ / "linked";
  fs::create_directories(linked + "/truth.1");
  for (const auto& entry : fs::recursive_directory_iterator(dir())) {
    if (entry.is_regular_file())
      fs::create_hard_link(entry.path(), linked + "/" + fs::relative(entry.path(), dir()).string());
  }
  for (bool read_only : {false, true}) {
    try {
      auto again = VecDatabase::open(linked, {.read_only = read_only});
      db.get_collection("docs").upsert("shared", {1, 1, 1, read_only ? 1.0f : 2.0f});
      EXPECT_EQ(again.stats().sequence, db.stats().sequence);
      EXPECT_EQ(again.directory(), db.directory()) << "a second engine on the same file";
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::kLocked) << e.what();
    }
  }
  db.get_collection("docs").upsert("after", {1, 1, 1, 1});
  EXPECT_TRUE(db.verify().ok());
  db.close();
  const std::string result = in_child([&]() -> std::string {
    if (const std::string why = own_mounts(); !why.empty()) return why;
    const std::string at = scratch_ / "bind";
    fs::create_directory(at);
    if (::mount(dir().c_str(), at.c_str(), nullptr, MS_BIND, nullptr) != 0)
      return "skip: needs the right to mount";
    auto one = VecDatabase::open(dir(), kOneThread);
    auto two = VecDatabase::open(at, kOneThread);
    two.get_collection("docs").upsert("bind", {1, 1, 1, 1});
    return one.get_collection("docs").get("bind") ? "" : "two instances";
  });
  if (result.starts_with("skip")) {
    std::cout << result << "\n";
  } else {
    EXPECT_EQ(result, "");
  }
}

TEST_F(BadInputFiles, Row44_Fork) {
  auto db = VecDatabase::open(dir(), kOneThread);
  auto c = db.get_collection("docs");
  c.query(Query(vector_of(1)));
  EXPECT_EQ(in_child([&]() -> std::string {
              const std::pair<const char*, std::function<void()>> calls[] = {
                  {"query", [&] { c.query(Query(vector_of(1))); }},
                  {"query_text", [&] { c.query_text("needle"); }},
                  {"get", [&] { c.get("x"); }},
                  {"count", [&] { c.count(); }},
                  {"scroll", [&] { c.scroll(); }},
                  {"stats", [&] { c.stats(); }},
                  {"info", [&] { c.info(); }},
                  {"changes", [&] { c.changes(); }},
                  {"upsert", [&] { c.upsert("x", {1, 1, 1, 1}); }},
                  {"erase", [&] { c.erase("x"); }},
                  {"erase_where", [&] { c.erase_where("i = 1"); }},
                  {"add_vector", [&] { c.add_vector("v", {Metric::kDot, 2}); }},
                  {"create", [&] { db.create_collection("new"); }},
                  {"get_collection", [&] { db.get_collection("docs"); }},
                  {"list", [&] { db.list_collections(); }},
                  {"delete", [&] { db.delete_collection("docs"); }},
                  {"verify", [&] { db.verify(); }},
                  {"database stats", [&] { db.stats(); }},
                  {"close", [&] { db.close(); }},
              };
              for (const auto& [name, call] : calls) {
                try {
                  call();
                  return concat(name, " went through");
                } catch (const Error& e) {
                  if (e.code() != ErrorCode::kForked)
                    return concat(name, ": ", to_string(e.code()), " ", e.what());
                }
              }
              // Opened again in the child it is a handle like any other; only the one writer is still the
              // parent.
              auto mine = VecDatabase::open(dir(), {.read_only = true, .threads = 1});
              if (mine.get_collection("docs").count() != kRecords)
                return "the child's own handle finds other records";
              try {
                VecDatabase::open(dir(), kOneThread);
                return "the child could open for writing";
              } catch (const Error& e) {
                if (e.code() != ErrorCode::kLocked && e.code() != ErrorCode::kReadOnly) return e.what();
              }
              mine.close();
              return "";
            }),
            "");
  c.upsert("parent", {1, 1, 1, 1});
  EXPECT_EQ(c.count(), static_cast<std::uint64_t>(kRecords + 1));
  EXPECT_TRUE(db.verify().ok());
}

/// Replaces every occurrence of `from` in the data file; old copies of pages may hold some as well.
std::size_t replace_in(const std::string& path, std::string_view from, std::string_view to) {
  std::string bytes = read_file(path);
  std::size_t n = 0;
  for (std::size_t at = bytes.find(from); at != std::string::npos; at = bytes.find(from, at + from.size())) {
    bytes.replace(at, from.size(), to);
    ++n;
  }
  write_file(path, bytes);
  return n;
}

std::string flipped(std::string bytes, std::size_t at) {
  bytes[at] = static_cast<char>(bytes[at] ^ 1);
  return bytes;
}

class BadInputRecord : public BadInputFiles {
 protected:
  // One record is damaged: it is reported, and nothing else suffers.
  void one_is_lost(int lost, bool in_vector) {
    auto db = VecDatabase::open(dir());
    auto c = db.get_collection("docs");
    std::string message;
    EXPECT_EQ(code_of([&] { c.get(id_of(lost)); }, &message), ErrorCode::kCorruption);
    for (int i = 0; i < kRecords; ++i) {
      if (i == lost) continue;
      const auto r = c.get(id_of(i));
      ASSERT_TRUE(r) << i;
      EXPECT_EQ(r->vector.dense(), vector_of(i));
      EXPECT_EQ(r->text, concat("needle", i, " in the hay"));
    }
    const auto check = [&](const Hits& hits, const char* what) {
      EXPECT_GE(hits.degraded, 1u) << what;
      EXPECT_EQ(hits.size(), static_cast<std::size_t>(kRecords - 1)) << what;
      for (const Hit& hit : hits) EXPECT_NE(hit.id, id_of(lost)) << what;
    };
    check(c.query(Query(vector_of(lost)).k(100)), "query");
    check(c.query(Query(vector_of(lost)).k(100)), "query again");
    if (!in_vector) {
      check(c.query_text("hay", 100), "query_text");
      check(c.query(Query(vector_of(lost)).k(100).where("i >= 0")), "filtered query");
    }
    const VerifyReport report = db.verify();
    bool listed = false;
    for (const Damage& d : report.damages) listed = listed || (d.id == id_of(lost) && d.collection == "docs");
    EXPECT_TRUE(listed) << report.damages.size() << " damages, none names the record";
    // It can be written anew, and then all is well.
    c.upsert({.id = id_of(lost), .vector = Vector(vector_of(lost)), .text = "whole again"});
    EXPECT_EQ(c.get(id_of(lost))->text, "whole again");
    EXPECT_EQ(c.query(Query(vector_of(lost)).k(100)).size(), static_cast<std::size_t>(kRecords));
  }
};

TEST_F(BadInputRecord, Row46_VectorFlipped) {
  const std::vector<float> v = vector_of(17);
  const std::string bytes(reinterpret_cast<const char*>(v.data()), v.size() * sizeof(float));
  ASSERT_GE(replace_in(data_file(dir()), bytes, flipped(bytes, 9)), 1u);
  one_is_lost(17, true);
}

TEST_F(BadInputRecord, Row46_TextFlipped) {
  ASSERT_GE(replace_in(data_file(dir()), "needle17 in the hay", flipped("needle17 in the hay", 12)), 1u);
  one_is_lost(17, false);
}

/// Places where an id stands as a key, that is behind its collection's number.
std::vector<std::size_t> key_places(const std::string& bytes, const std::string& id) {
  std::vector<std::size_t> out;
  const std::string key = std::string("\0\0\0\1", 4) + id;
  for (std::size_t at = bytes.find(key); at != std::string::npos; at = bytes.find(key, at + 1))
    out.push_back(at);
  return out;
}

TEST_F(BadInputRecord, Row47_KeyFlipped) {
  const std::string id = id_of(kRecords - 1);
  std::string bytes = read_file(data_file(dir()));
  const auto places = key_places(bytes, id);
  ASSERT_FALSE(places.empty());
  // target39 becomes target3;, which keeps its place as the last one.
  for (std::size_t at : places) bytes[at + 4 + id.size() - 1] = '9' ^ 0x2;
  write_file(data_file(dir()), bytes);
  const std::string wrong = "target3;";
  auto db = VecDatabase::open(dir());
  auto c = db.get_collection("docs");
  // Neither name leads to a wrong record, and the loss is found.
  try {
    EXPECT_FALSE(c.get(id));
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kCorruption);
  }
  EXPECT_EQ(code_of([&] { c.get(wrong); }), ErrorCode::kCorruption);
  EXPECT_EQ(code_of([&] { c.scroll(); }), ErrorCode::kCorruption);
  EXPECT_EQ(c.get(id_of(16))->metadata, (Metadata{{"i", 16}}));
  const VerifyReport report = db.verify();
  EXPECT_FALSE(report.ok());
  bool named = false;
  for (const Damage& d : report.damages) named = named || d.id == id || d.id == wrong;
  EXPECT_TRUE(named);
}

TEST_F(BadInputRecord, Row47_ValuesSwapped) {
  std::string bytes = read_file(data_file(dir()));
  const std::string a = id_of(17);
  const std::string b = id_of(23);
  std::size_t swapped = 0;
  // An entry: sizes, flags, key size (8 bytes), key, value. Both stand on one page in every copy of it.
  for (std::size_t at : key_places(bytes, a)) {
    for (std::size_t other : key_places(bytes, b)) {
      if (at / 4096 != other / 4096) continue;
      const std::size_t size = load<std::uint16_t>(bytes.data() + at - 8);
      if (size != load<std::uint16_t>(bytes.data() + other - 8) || size == 0 || size > 200) continue;
      std::swap_ranges(bytes.begin() + static_cast<std::ptrdiff_t>(at + 4 + a.size()),
                       bytes.begin() + static_cast<std::ptrdiff_t>(at + 4 + a.size() + size),
                       bytes.begin() + static_cast<std::ptrdiff_t>(other + 4 + b.size()));
      ++swapped;
    }
  }
  ASSERT_GE(swapped, 1u);
  write_file(data_file(dir()), bytes);
  auto db = VecDatabase::open(dir());
  auto c = db.get_collection("docs");
  EXPECT_EQ(code_of([&] { c.get(a); }), ErrorCode::kCorruption);
  EXPECT_EQ(code_of([&] { c.get(b); }), ErrorCode::kCorruption);
  EXPECT_EQ(c.get(id_of(16))->metadata, (Metadata{{"i", 16}}));
  EXPECT_FALSE(db.verify().ok());
}

}  // namespace
}  // namespace vecstore
