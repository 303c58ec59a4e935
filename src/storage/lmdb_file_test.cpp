#include "storage/lmdb_file.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <lmdb.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "base/crc32c.hpp"
#include "seed.hpp"
#include "storage/truth_writer.hpp"
#include "storage/verify.hpp"

namespace vecstore::storage {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kMetaTxn = 16 + 128;
constexpr std::size_t kMetaLastPage = 16 + 120;

/// A closed store, and what opening it says.
class BadFile : public ::testing::Test {
 protected:
  BadFile() : random_(test::seed()), dir_(scratch_ / "db") {
    auto store = Store::open(dir_, {.map_size = 1 << 22});
    TruthWriter writer(*store, "c", 2);
    random_commits(writer, random_, 25);
    records_ = writer.ids().size();
    store->close();
    sound_ = read_bytes(data());
  }
  std::string data() const { return dir_ + "/truth.1/data.mdb"; }

  /// Writes `bytes` as the data file and opens the store in both ways: the code of the error, or nullopt. The
  /// file must stay as it is.
  std::optional<ErrorCode> open_with(const std::string& bytes) {
    write_bytes(data(), bytes);
    std::optional<ErrorCode> first;
    for (const bool read_only : {false, true}) {
      std::optional<ErrorCode> code;
      try {
        Store::open(dir_, {.read_only = read_only, .map_size = 1 << 22});
      } catch (const Error& e) {
        code = e.code();
        message_ = e.what();
      }
      if (read_only) {
        EXPECT_EQ(code, first) << message_;
      } else {
        first = code;
      }
    }
    EXPECT_TRUE(read_bytes(data()) == bytes) << "opening changed the file";
    return first;
  }
  template <class T>
  std::string with(std::size_t at, T value) const {
    std::string bytes = sound_;
    store(bytes.data() + at, value);
    return bytes;
  }
  std::size_t newest() const {
    return load<std::uint64_t>(sound_.data() + kMetaTxn) <
           load<std::uint64_t>(sound_.data() + kPage + kMetaTxn);
  }

  std::mt19937_64 random_;
  ScratchDirectory scratch_;
  std::string dir_;
  std::string sound_;
  std::string message_;
  std::size_t records_ = 0;
};

using BadInput = BadFile;

TEST_F(BadInput, Row40_UnsupportedFormatsAreRefusedUnchanged) {
  const std::string format = read_bytes(dir_ + "/FORMAT");
  const auto open_format = [&](std::size_t at, std::uint32_t value) -> std::optional<ErrorCode> {
    std::string bytes = format;
    store(bytes.data() + at, value);
    store(bytes.data() + 40, crc32c(as_byte_span(std::string_view(bytes).substr(0, 40))));
    write_bytes(dir_ + "/FORMAT", bytes);
    std::optional<ErrorCode> code;
    try {
      Store::open(dir_, {});
    } catch (const Error& e) {
      code = e.code();
      message_ = e.what();
    }
    EXPECT_EQ(read_bytes(dir_ + "/FORMAT"), bytes);
    write_bytes(dir_ + "/FORMAT", format);
    return code;
  };
  EXPECT_EQ(open_format(8, kFormatVersion + 1), ErrorCode::kUnsupportedFormat);
  EXPECT_NE(message_.find(std::to_string(kFormatVersion + 1)), std::string::npos) << message_;
  EXPECT_NE(message_.find(concat("up to ", kFormatVersion)), std::string::npos) << message_;
  EXPECT_EQ(open_format(12, 0x04030201), ErrorCode::kUnsupportedFormat);
  EXPECT_EQ(open_format(16, 16384), ErrorCode::kUnsupportedFormat);
  EXPECT_EQ(open_format(20, 4), ErrorCode::kUnsupportedFormat);
  EXPECT_EQ(open_format(16, kPage), std::nullopt);

  EXPECT_EQ(open_with(with(16, std::uint32_t{0xDEC0EFBE})),
            ErrorCode::kUnsupportedFormat);                                             // other byte order
  EXPECT_EQ(open_with(with(20, std::uint32_t{2})), ErrorCode::kUnsupportedFormat);      // newer data format
  EXPECT_EQ(open_with(with(40, std::uint32_t{16384})), ErrorCode::kUnsupportedFormat);  // other page size
  std::string narrow = sound_;
  narrow.replace(0, kPage, kPage, '\0');
  store(narrow.data() + 12, std::uint32_t{0xBEEFC0DE});  // where a 32-bit LMDB has it
  EXPECT_EQ(open_with(narrow), ErrorCode::kUnsupportedFormat);
  EXPECT_EQ(open_with(sound_), std::nullopt) << message_;
}

TEST_F(BadInput, Row41_TruncatedToAnyLength) {
  std::set<std::size_t> lengths = {0, 1, 15, 16, 100, 4095, 4096, 4097, 8191, 8192, 8193};
  for (std::size_t n = 0; n < sound_.size(); n += kPage) lengths.insert({n, n + 1, n + kPage - 1});
  for (int i = 0; i < 100; ++i) lengths.insert(random_() % sound_.size());
  std::optional<std::size_t> harmless;  // the least of such lengths
  for (const std::size_t n : lengths) {
    if (n >= sound_.size()) continue;
    const auto code = open_with(sound_.substr(0, n));
    if (code) {
      EXPECT_EQ(*code, ErrorCode::kCorruption) << n << ": " << message_;
      EXPECT_FALSE(harmless) << n << " of " << sound_.size() << " bytes are too few, but " << *harmless
                             << " are not";
    } else {
      // Only free pages were cut off: then nothing is missing.
      if (!harmless) harmless = n;
      const VerifyResult result = verify_directory(dir_);
      EXPECT_TRUE(result.ok()) << n;
      EXPECT_EQ(result.records, records_);
    }
  }
  EXPECT_GT(harmless.value_or(sound_.size()), sound_.size() / 2);
  EXPECT_EQ(open_with(sound_), std::nullopt) << message_;
}

TEST_F(BadInput, Row41_ZeroedAndRandom) {
  std::string bytes = sound_;
  bytes.replace(0, kPage, kPage, '\0');
  EXPECT_EQ(open_with(bytes), ErrorCode::kCorruption) << message_;
  bytes = sound_;
  bytes.replace(kPage, kPage, kPage, '\0');
  EXPECT_EQ(open_with(bytes), ErrorCode::kCorruption) << message_;
  EXPECT_EQ(open_with(std::string(sound_.size(), '\0')), ErrorCode::kCorruption);
  for (int i = 0; i < 30; ++i) {
    for (char& b : bytes) b = static_cast<char>(random_());
    EXPECT_EQ(open_with(bytes.substr(0, 1 + random_() % bytes.size())), ErrorCode::kCorruption) << message_;
  }
  EXPECT_EQ(open_with(sound_), std::nullopt) << message_;
}

TEST_F(BadInput, Row41_AnotherApplicationsFile) {
  const std::string other = scratch_ / "other";
  std::filesystem::create_directories(other);
  for (const bool named : {false, true}) {
    MDB_env* env = nullptr;
    ASSERT_EQ(mdb_env_create(&env), 0);
    mdb_env_set_maxdbs(env, 8);
    ASSERT_EQ(mdb_env_open(env, other.c_str(), 0, 0600), 0);
    MDB_txn* txn = nullptr;
    ASSERT_EQ(mdb_txn_begin(env, nullptr, 0, &txn), 0);
    MDB_dbi dbi = 0;
    ASSERT_EQ(mdb_dbi_open(txn, named ? "accounts" : nullptr, MDB_CREATE, &dbi), 0);
    MDB_val key{5, const_cast<char*>("alice")};
    MDB_val value{3, const_cast<char*>("100")};
    ASSERT_EQ(mdb_put(txn, dbi, &key, &value, 0), 0);
    ASSERT_EQ(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
    EXPECT_EQ(open_with(read_bytes(other + "/data.mdb")), ErrorCode::kUnsupportedFormat) << message_;
  }
  // One that even has our keyspaces.
  {
    const std::string third = scratch_ / "third";
    std::filesystem::create_directories(third);
    {
      Env env(third, {.create = true, .map_size = 1 << 20, .max_map_size = 1 << 20});
    }
    EXPECT_EQ(open_with(read_bytes(third + "/data.mdb")), ErrorCode::kUnsupportedFormat) << message_;
  }
  EXPECT_EQ(open_with(sound_), std::nullopt) << message_;
}

TEST_F(BadInput, Row42_LockFilesAreRebuilt) {
  const std::string lock = dir_ + "/truth.1/lock.mdb";
  for (const std::string& bytes :
       {std::string(), std::string("garbage"), std::string(8192, '\xee'), read_bytes(lock)}) {
    write_bytes(lock, bytes);
    write_bytes(dir_ + "/WRITER", bytes);
    EXPECT_EQ(open_with(sound_), std::nullopt) << message_;
  }
  std::filesystem::remove(lock);
  std::filesystem::remove(dir_ + "/WRITER");
  EXPECT_EQ(open_with(sound_), std::nullopt) << message_;

  auto writer = Store::open(dir_, {});
  try {
    Store::open(dir_, {});
    FAIL() << "two writers";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kLocked);
    EXPECT_NE(std::string(e.what()).find(std::to_string(getpid())), std::string::npos) << e.what();
  }
  EXPECT_TRUE(verify_store(*Store::open(dir_, {.read_only = true})).ok());
}

// A commit writes 120 bytes of the older meta page, the transaction number last. Whatever part of them a
// power failure leaves, the other page is the newer one and whole.
TEST_F(BadFile, TornMetaPage) {
  const std::size_t older = 1 - newest();
  const std::size_t begin = older * kPage + 32;
  std::string next =
      sound_.substr(newest() * kPage + 32, 112);  // what a next commit would write, but for the numbers
  for (char& b : next) b = static_cast<char>(random_());
  store(next.data() + 8, static_cast<std::uint32_t>(kPage));
  for (std::size_t n = 0; n <= next.size(); n += 4) {
    std::string torn = sound_;
    torn.replace(begin, n, next, 0, n);
    EXPECT_EQ(open_with(torn), std::nullopt) << n << ": " << message_;
    const VerifyResult result = verify_directory(dir_);
    EXPECT_TRUE(result.ok()) << n;
    EXPECT_EQ(result.records, records_);
  }
  // The engine goes on from there.
  auto store = Store::open(dir_, {});
  TruthWriter writer(*store, "d", 1);
  random_commits(writer, random_, 3);
  EXPECT_TRUE(verify_store(*store).ok());
}

TEST_F(BadFile, NewerMetaPageDamaged) {
  const std::size_t at = newest() * kPage;
  const auto txn = load<std::uint64_t>(sound_.data() + at + kMetaTxn);
  const auto last = load<std::uint64_t>(sound_.data() + at + kMetaLastPage);
  for (int bit = 0; bit < 63; ++bit) {
    EXPECT_EQ(open_with(with(at + kMetaTxn, txn ^ (std::uint64_t{1} << bit))), ErrorCode::kCorruption) << bit;
    EXPECT_FALSE(verify_directory(dir_).ok()) << bit;
    // The older page made the newer: the last commit would be gone.
    const std::size_t older = (1 - newest()) * kPage + kMetaTxn;
    const std::uint64_t raised = load<std::uint64_t>(sound_.data() + older) ^ (std::uint64_t{1} << bit);
    if (raised < txn) continue;
    EXPECT_EQ(open_with(with(older, raised)), ErrorCode::kCorruption) << bit;
    EXPECT_FALSE(verify_directory(dir_).ok()) << bit;
  }
  for (const std::uint64_t wrong : {std::uint64_t{0}, last | std::uint64_t{1} << 40, ~std::uint64_t{0}}) {
    EXPECT_EQ(open_with(with(at + kMetaLastPage, wrong)), ErrorCode::kCorruption)
        << wrong << ": " << message_;
    EXPECT_FALSE(verify_directory(dir_).ok()) << wrong;
  }
  // Pages at the end that are neither used nor free cost space and nothing else.
  EXPECT_EQ(open_with(with(at + kMetaLastPage, last + 3)), std::nullopt) << message_;
  EXPECT_FALSE(verify_directory(dir_).ok());
}

// LMDB allocates pages at the end and may free them in the same transaction, unwritten.
TEST(DataFile, MayEndBeforeItsLastPage) {
  std::mt19937_64 random(7);
  int shorter = 0;
  for (int round = 0; round < 12; ++round) {
    ScratchDirectory scratch;
    const std::string dir = scratch / "db";
    auto store = Store::open(dir, {.map_size = 1 << 24});
    TruthWriter writer(*store, "c", 1);
    random_commits(writer, random, 10);
    for (int i = 0; i < 10; ++i) {
      // Written and taken away in one commit.
      store->write(
          [&](Commit& c) {
            const std::size_t keys = 1 + random() % 40;
            for (std::size_t k = 0; k < keys; ++k)
              c.txn.put(Keyspace::kAux, aux_key(9, AuxKind::kOverlay, k),
                        std::string(100 + random() % 9000, 'x'));
            for (std::size_t k = 0; k < keys; ++k)
              c.txn.erase(Keyspace::kAux, aux_key(9, AuxKind::kOverlay, k));
          },
          1000);
      const std::string path = store->data_file();
      const MetaPage meta = check_data_file(path);  // also while the store is open
      shorter += (meta.last_page + 1) * meta.page_size > std::filesystem::file_size(path);
      ASSERT_TRUE(verify_store(*store).ok());
    }
    store->close();
    ASSERT_TRUE(verify_directory(dir).ok());
    ASSERT_NO_THROW(Store::open(dir, {}));
  }
  std::printf("  %d of 120 files ended before their last page\n", shorter);
  EXPECT_GT(shorter, 0) << "the case was not made; find another way";
}

// A reader may open while the writer commits, grows and shortens what is at the end of the file.
TEST(DataFile, IsCheckedWhileItIsWritten) {
  ScratchDirectory scratch;
  const std::string dir = scratch / "db";
  auto store = Store::open(dir, {.map_size = 1 << 24});
  std::atomic<bool> stop{false};
  std::atomic<int> commits{0};
  std::thread thread([&] {
    std::mt19937_64 random(3);
    for (; !stop; ++commits) {
      store->write(
          [&](Commit& c) {
            const std::size_t keys = 1 + random() % 20;
            for (std::size_t k = 0; k < keys; ++k)
              c.txn.put(Keyspace::kLog, log_key(k + 1), std::string(100 + random() % 9000, 'x'));
            for (std::size_t k = 0; k < keys; ++k) c.txn.erase(Keyspace::kLog, log_key(k + 1));
          },
          1000);
    }
  });
  int shorter = 0;
  for (int i = 0; i < 300 || commits < 100; ++i) {
    MetaPage meta;
    ASSERT_NO_THROW(meta = check_data_file(store->data_file())) << i;
    shorter += (meta.last_page + 1) * meta.page_size > std::filesystem::file_size(store->data_file());
  }
  stop = true;
  thread.join();
  std::printf("  checked 300 times beside %d commits, %d times with a short file\n", commits.load(), shorter);
}

}  // namespace
}  // namespace vecstore::storage
