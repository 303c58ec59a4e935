#include "io/index_file.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <random>
#include <thread>

#include "base/crc32c.hpp"
#include "io/index_file_format.hpp"
#include "seed.hpp"

namespace vecstore::io {
namespace {

namespace f = index_file_format;
using Sections = std::map<std::uint32_t, std::vector<std::byte>>;

IndexFileInfo sample_info() {
  IndexFileInfo info{7, {}, 42, 123456789};
  for (std::size_t i = 0; i < 16; ++i) info.store_uuid[i] = std::byte(i * 11);
  return info;
}

std::vector<std::byte> random_bytes(std::mt19937_64& rng, std::size_t n) {
  std::vector<std::byte> out(n);
  for (auto& b : out) b = std::byte(rng());
  return out;
}

class IndexFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "vecstore-index-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }
  std::string path() const { return dir_ + "/x.vsx"; }

  std::uint64_t write(const Sections& sections) const {
    IndexFileWriter writer(dir_, "x.vsx", sample_info());
    for (const auto& [id, bytes] : sections) writer.add(id, bytes);
    return writer.finish();
  }
  std::vector<char> raw() const {
    std::ifstream in(path(), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void put_raw(const std::vector<char>& bytes) const {
    std::ofstream(path(), std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }

  // Everything that can be read equals what was written, or an Error is thrown: returns which.
  bool detected(const Sections& written) const {
    try {
      const auto file = IndexFile::open(path());
      if (file->info() != sample_info()) ADD_FAILURE() << "wrong info without an error";
      for (const auto& [id, bytes] : written) {
        const auto got = file->read(id);
        if (!std::equal(got.begin(), got.end(), bytes.begin(), bytes.end()))
          ADD_FAILURE() << "wrong bytes, no error";
      }
      return !file->verify().empty();
    } catch (const Error& e) {
      EXPECT_TRUE(e.code() == ErrorCode::kCorruption || e.code() == ErrorCode::kUnsupportedFormat)
          << e.what();
      EXPECT_NE(std::string(e.what()).find(path()), std::string::npos) << e.what();
      return true;
    }
  }

  std::string dir_;
};

ErrorCode code_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& e) {
    return e.code();
  }
  ADD_FAILURE() << "no error was thrown";
  return ErrorCode::kClosed;
}

TEST_F(IndexFileTest, RandomSectionsComeBack) {
  const std::uint64_t seed = test::seed();
  SCOPED_TRACE(concat("seed ", seed));
  std::mt19937_64 rng(seed);
  for (int round = 0; round < 30; ++round) {
    Sections sections;
    for (std::size_t n = rng() % 6; n > 0; --n) {
      // Sizes around the block and the alignment, and nothing at all.
      constexpr std::size_t kSizes[] = {0, 1, 63, 64, 65, 1000, 65535, 65536, 65537, 200000};
      sections[static_cast<std::uint32_t>(rng())] = random_bytes(rng, kSizes[rng() % std::size(kSizes)]);
    }
    const std::uint64_t length = write(sections);
    const auto file = IndexFile::open(path());
    EXPECT_EQ(file->size(), length);
    EXPECT_EQ(file->info(), sample_info());
    EXPECT_EQ(file->section_ids().size(), sections.size());
    for (const auto& [id, bytes] : sections) {
      ASSERT_TRUE(file->has_section(id));
      const auto got = file->read(id);
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(got.data()) % 64, 0u);
      ASSERT_TRUE(std::equal(got.begin(), got.end(), bytes.begin(), bytes.end()));
      const std::uint64_t offset = bytes.empty() ? 0 : rng() % bytes.size();
      const auto tail = file->read(id, offset, bytes.size() - offset);
      EXPECT_TRUE(std::equal(tail.begin(), tail.end(), bytes.begin() + static_cast<std::ptrdiff_t>(offset),
                             bytes.end()));
      EXPECT_EQ(code_of([&] { file->read(id, offset, bytes.size() - offset + 1); }), ErrorCode::kCorruption);
      EXPECT_EQ(code_of([&] { file->read(id, ~std::uint64_t{0}, 2); }), ErrorCode::kCorruption);
    }
    EXPECT_TRUE(file->verify().empty());
  }
  EXPECT_EQ(os::list_directory(dir_), std::vector<std::string>{"x.vsx"});
}

TEST_F(IndexFileTest, ArraysAreTyped) {
  const std::vector<float> values = {1.5f, -2.0f, 3.25f};
  IndexFileWriter writer(dir_, "x.vsx", sample_info());
  writer.begin(1);
  writer.append_array(std::span<const float>(values).first(1));
  writer.append_array(std::span<const float>(values).subspan(1));
  EXPECT_EQ(writer.section_size(), 12u);
  writer.finish();
  const auto file = IndexFile::open(path());
  const auto got = file->array<float>(1);
  EXPECT_TRUE(std::equal(got.begin(), got.end(), values.begin(), values.end()));
  EXPECT_EQ(code_of([&] { file->array<double>(1); }), ErrorCode::kCorruption);
  EXPECT_EQ(code_of([&] { file->read(2); }), ErrorCode::kCorruption);
}

TEST_F(IndexFileTest, TheFormatIsFrozen) {
  const std::string text = "golden";
  write({{3, {}},
         {9, std::vector<std::byte>(reinterpret_cast<const std::byte*>(text.data()),
                                    reinterpret_cast<const std::byte*>(text.data()) + text.size())}});
  const auto bytes = raw();
  ASSERT_EQ(bytes.size(), 4096u + 64 + 4);
  EXPECT_EQ(std::string(bytes.data(), 8), "VSINDEX\n");
  // FNV-1a. A CRC would not do: over data that ends in its own CRC it is the same for any data.
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  EXPECT_EQ(hash, 0x4803c3c550008896u) << "the bytes of format version 1 have changed";
}

TEST_F(IndexFileTest, EveryFlippedBitIsFoundOrHarmless) {
  std::mt19937_64 rng(1);
  const Sections sections = {{1, random_bytes(rng, 700)}, {5, {}}, {2, random_bytes(rng, 65536 + 100)}};
  write(sections);
  const auto good = raw();
  const std::size_t header_end = f::kTableAt + 3 * f::kSectionEntry + f::kHeaderCrc;
  const std::size_t body = f::body_offset(64);
  std::fstream io(path(), std::ios::binary | std::ios::in | std::ios::out);
  for (std::size_t at = 0; at < good.size(); ++at) {
    const bool in_padding = at >= header_end && at < body;
    // All eight bits where numbers are interpreted and around the edges, one bit of every 37th byte in the
    // bulk.
    const bool interpreted = at < header_end || at >= good.size() - 8 || at % 4096 == 0;
    if (!interpreted && at % 37 != 0) continue;
    for (int bit = 0; bit < (interpreted ? 8 : 1); ++bit) {
      io.seekp(static_cast<std::streamoff>(at)).put(static_cast<char>(good[at] ^ (1 << bit))).flush();
      ASSERT_EQ(detected(sections), !in_padding) << "byte " << at << " bit " << bit;
    }
    io.seekp(static_cast<std::streamoff>(at)).put(good[at]).flush();
  }
  EXPECT_FALSE(detected(sections));
}

TEST_F(IndexFileTest, EveryFlippedByteOfASmallFile) {
  std::mt19937_64 rng(2);
  const Sections sections = {{1, random_bytes(rng, 100)}, {2, random_bytes(rng, 30)}};
  write(sections);
  const auto good = raw();
  const std::size_t header_end = f::kTableAt + 2 * f::kSectionEntry + f::kHeaderCrc;
  std::fstream io(path(), std::ios::binary | std::ios::in | std::ios::out);
  for (std::size_t at = 0; at < good.size(); ++at) {
    io.seekp(static_cast<std::streamoff>(at)).put(static_cast<char>(~good[at])).flush();
    ASSERT_EQ(detected(sections), at < header_end || at >= f::body_offset(64)) << "byte " << at;
    io.seekp(static_cast<std::streamoff>(at)).put(good[at]).flush();
  }
}

TEST_F(IndexFileTest, EveryTruncationIsFound) {
  std::mt19937_64 rng(3);
  const Sections sections = {{1, random_bytes(rng, 500)}};
  write(sections);
  auto bytes = raw();
  auto longer = bytes;
  longer.push_back('\0');
  put_raw(longer);
  EXPECT_TRUE(detected(sections));
  for (std::size_t n = bytes.size(); n-- > 0;) {
    std::filesystem::resize_file(path(), n);
    ASSERT_TRUE(detected(sections)) << n << " bytes";
  }
}

TEST_F(IndexFileTest, LyingHeadersWithRightChecksums) {
  const std::uint64_t seed = test::seed();
  SCOPED_TRACE(concat("seed ", seed));
  std::mt19937_64 rng(seed);
  write({{1, random_bytes(rng, 300)}, {2, random_bytes(rng, 70000)}});
  const auto good = raw();
  int opened = 0;
  for (int round = 0; round < 1500; ++round) {
    auto bytes = good;
    auto* p = reinterpret_cast<std::byte*>(bytes.data());
    for (int n = 1 + static_cast<int>(rng() % 2); n > 0; --n) {
      // A field of the header or the table takes a random, a small, a huge or a shifted value.
      const std::size_t at =
          f::kKindAt + rng() % ((f::kTableAt + 2 * f::kSectionEntry - 8 - f::kKindAt) / 4 + 1) * 4;
      const auto old = f::load<std::uint64_t>(p + at);
      const std::uint64_t values[] = {rng(),    rng() % 100, ~std::uint64_t{0} - rng() % 100, old + 64,
                                      old - 64, old * 2,     bytes.size() - rng() % 5000};
      f::store(p + at, values[rng() % std::size(values)]);
    }
    const std::uint64_t count = f::load<std::uint32_t>(p + f::kSectionsAt);
    const std::uint64_t table_end = f::kTableAt + count * f::kSectionEntry;
    if (table_end + 4 <= bytes.size()) f::store(p + table_end, crc32c(std::span(p, table_end)));
    put_raw(bytes);
    try {
      const auto file = IndexFile::open(path());
      ++opened;
      for (const std::uint32_t id : file->section_ids()) {
        try {
          std::uint64_t sum = 0;
          for (const std::byte b : file->read(id)) sum += static_cast<std::uint64_t>(b);
          EXPECT_LE(sum, 255 * file->section_size(id));
        } catch (const Error&) {
        }
      }
      (void)file->verify();
    } catch (const Error& e) {
      EXPECT_TRUE(e.code() == ErrorCode::kCorruption || e.code() == ErrorCode::kUnsupportedFormat)
          << e.what();
    }
  }
  EXPECT_GT(opened, 0) << "no lie was consistent enough to get past open()";
}

TEST_F(IndexFileTest, ADamagedBlockHurtsOnlyItself) {
  std::mt19937_64 rng(4);
  const auto data = random_bytes(rng, 10 * 65536);
  write({{1, data}});
  auto bytes = raw();
  bytes[f::body_offset(64) + 3 * 65536 + 17] ^= 1;
  put_raw(bytes);
  const auto file = IndexFile::open(path());
  EXPECT_NO_THROW(file->read(1, 0, 3 * 65536));
  EXPECT_NO_THROW(file->read(1, 4 * 65536, 6 * 65536));
  EXPECT_EQ(code_of([&] { file->read(1, 3 * 65536 + 1000, 1); }), ErrorCode::kCorruption);
  EXPECT_EQ(code_of([&] { file->read(1); }), ErrorCode::kCorruption);
  EXPECT_EQ(code_of([&] { file->admit(file->unchecked(1).subspan(3 * 65536, 4)); }), ErrorCode::kCorruption);
  EXPECT_EQ(file->verify(), std::vector<std::uint64_t>{3});
}

TEST_F(IndexFileTest, VerifyIsCancelled) {
  write({{1, std::vector<std::byte>(100)}});
  Context context;
  context.deadline = std::chrono::steady_clock::now() - std::chrono::seconds(1);
  EXPECT_EQ(code_of([&] { (void)IndexFile::open(path())->verify(context); }), ErrorCode::kDeadline);
}

TEST_F(IndexFileTest, ThreadsShareAFile) {
  std::mt19937_64 rng(5);
  const auto data = random_bytes(rng, 40 * 65536);
  write({{1, data}});
  const auto file = IndexFile::open(path());
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937_64 local(t);
      for (int i = 0; i < 300; ++i) {
        const std::uint64_t at = local() % data.size();
        const auto got = file->read(1, at, std::min<std::uint64_t>(data.size() - at, 5000));
        if (!std::equal(got.begin(), got.end(), data.begin() + static_cast<std::ptrdiff_t>(at))) ++wrong;
        if (i % 100 == 0 && !file->verify().empty()) ++wrong;
      }
    });
  }
  for (auto& t : threads) t.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(IndexFileTest, AnotherStoresFileIsDamage) {
  write({});
  const auto file = IndexFile::open(path());
  const IndexFileInfo info = sample_info();
  EXPECT_NO_THROW(file->expect(info.kind, info.store_uuid, info.collection));
  EXPECT_EQ(code_of([&] { file->expect(info.kind + 1, info.store_uuid, info.collection); }),
            ErrorCode::kCorruption);
  EXPECT_EQ(code_of([&] { file->expect(info.kind, {}, info.collection); }), ErrorCode::kCorruption);
  EXPECT_EQ(code_of([&] { file->expect(info.kind, info.store_uuid, 0); }), ErrorCode::kCorruption);
}

TEST_F(IndexFileTest, AnotherFormatVersionIsNotDamage) {
  write({});
  auto bytes = raw();
  bytes[f::kVersionAt] = 2;
  put_raw(bytes);
  EXPECT_EQ(code_of([&] { IndexFile::open(path()); }), ErrorCode::kUnsupportedFormat);
}

TEST_F(IndexFileTest, AnUnfinishedFileLeavesNothing) {
  write({{1, std::vector<std::byte>(10)}});
  {
    IndexFileWriter writer(dir_, "x.vsx", sample_info());
    writer.add(1, std::vector<std::byte>(1 << 20));
  }
  EXPECT_EQ(os::list_directory(dir_), std::vector<std::string>{"x.vsx"});
  EXPECT_EQ(IndexFile::open(path())->section_size(1), 10u);
}

TEST_F(IndexFileTest, TheWriterRefusesMisuse) {
  IndexFileWriter writer(dir_, "x.vsx", sample_info(), 2);
  EXPECT_EQ(code_of([&] { writer.append(std::vector<std::byte>(1)); }), ErrorCode::kInvalidArgument);
  writer.begin(1);
  EXPECT_EQ(code_of([&] { writer.begin(1); }), ErrorCode::kAlreadyExists);
  writer.begin(2);
  EXPECT_EQ(code_of([&] { writer.begin(3); }), ErrorCode::kTooLarge);
  writer.finish();
  EXPECT_EQ(code_of([&] { writer.finish(); }), ErrorCode::kClosed);
  EXPECT_EQ(code_of([&] { writer.begin(4); }), ErrorCode::kClosed);
  EXPECT_EQ(code_of([&] { IndexFileWriter(dir_, "y", sample_info(), 70000); }), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of([&] { IndexFileWriter(dir_ + "/none", "y", sample_info()); }), ErrorCode::kNotFound);
}

}  // namespace
}  // namespace vecstore::io
