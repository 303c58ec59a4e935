#include "segment/ids_part.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>

#include "base/error.hpp"
#include "seed.hpp"
#include "segment/segment.hpp"

namespace vecstore::segment {
namespace {

namespace fs = std::filesystem;

/// A head that owns its bytes.
struct Head {
  std::string id;
  std::string source;
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  std::uint32_t part = 0;
  RecordHead view() const { return {id, source, start, end, part}; }
};
using Heads = std::map<std::uint64_t, Head>;

class IdsPartTest : public ::testing::Test {
 protected:
  IdsPartTest() {
    std::string t = (fs::temp_directory_path() / "vecstore-XXXXXX").string();
    base_ = mkdtemp(t.data());
  }
  ~IdsPartTest() override { fs::remove_all(base_); }

  std::string bytes(std::size_t n) {
    std::string out;
    while (out.size() < n) out += static_cast<char>('a' + rng_() % 26);
    return out;
  }
  Head random_head(unsigned kind) {
    Head h;
    h.id = bytes(1 + rng_() % (kind == 3 ? 512 : 20));
    if (kind == 0) h.id = bytes(9);
    if (kind == 1 || rng_() % 7 == 0) {
      const std::string source = "path/" + std::to_string(rng_() % 9) + bytes(rng_() % 2);
      h.id = source + "#" + std::to_string(rng_() % 50);
      h.source = rng_() % 5 != 0 ? source : "other" + source;
      h.start = rng_() % 3 == 0 ? 0 : rng_();
      h.end = rng_() % 4 == 0 ? h.start / 2 : h.start + rng_() % 2000;
      h.part = rng_() % 6 == 0 ? ~0u : static_cast<std::uint32_t>(rng_() % 40);
    }
    if (rng_() % 200 == 0) h.source = bytes(70'000);
    return h;
  }
  Heads random_heads(std::uint64_t first, std::uint64_t end) {
    Heads out;
    unsigned kind = 0;
    std::size_t in_a_thousand = 1000;
    for (std::uint64_t row = first; row < end; ++row) {
      if (rng_() % 100 == 0) kind = static_cast<unsigned>(rng_() % 4);
      if (rng_() % 150 == 0) in_a_thousand = std::array{1000u, 900u, 500u, 5u, 0u}[rng_() % 5];
      if (rng_() % 1000 < in_a_thousand) out[row] = random_head(kind);
    }
    return out;
  }

  std::shared_ptr<const Segment> write(const Heads& heads, std::uint64_t first, std::uint64_t end,
                                       std::size_t take_from = std::size_t{1} << 20) {
    identity_.number = 1;
    identity_.first_row = first;
    identity_.end_row = end;
    SegmentWriter writer(base_, identity_, 0);
    IdsBuilder ids(first, end);
    for (const auto& [row, head] : heads) {
      ids.add(row, head.view());
      if (ids.ready_bytes() >= take_from) writer.add_some_ids(ids);
    }
    writer.add_ids(ids);
    writer.finish();
    return Segment::open(path(), identity_);
  }
  std::string path() const { return base_ + "/1.vsx"; }

  static void expect_same(const IdsPart& part, const Heads& heads, std::uint64_t first, std::uint64_t end) {
    EXPECT_EQ(part.rows(), heads.size());
    for (std::uint64_t row = first > 70 ? first - 70 : 0; row < end + 70; ++row) {
      const auto at = heads.find(row);
      const auto found = part.find(row);
      const auto id = part.find_id(row);
      ASSERT_EQ(found.has_value(), at != heads.end()) << row;
      ASSERT_EQ(id.has_value(), at != heads.end()) << row;
      if (!found) continue;
      EXPECT_EQ(*id, at->second.id) << row;
      EXPECT_EQ(*found, at->second.view()) << row;
    }
    std::size_t seen = 0;
    part.scan(first, end, [&](std::uint64_t row, const RecordHead& head) {
      EXPECT_EQ(head, heads.at(row).view());
      ++seen;
    });
    EXPECT_EQ(seen, heads.size());
  }

  const unsigned seed_ = test::seed();
  std::mt19937_64 rng_;
  std::string base_;
  SegmentIdentity identity_;
};

// Older formats were shorter, and are no damage.
TEST_F(IdsPartTest, OlderSegmentsAreNotSupported) {
  write({}, 0, 10);
  io::IndexFileInfo info;
  info.kind = kSegmentFile;
  info.store_uuid = identity_.store_uuid;
  info.collection = identity_.collection;
  info.covers_sequence = identity_.sequence;
  io::IndexFileWriter file(base_, "1.vsx", info);
  std::array<std::uint32_t, 14> meta{5};
  file.add(kMetaSection, std::as_bytes(std::span(meta)));
  file.finish();
  try {
    Segment::open(path(), identity_);
    FAIL() << "it opened";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kUnsupportedFormat) << e.what();
  }
}

TEST_F(IdsPartTest, SaysWhatWasPutIn) {
  for (int round = 0; round < 60; ++round) {
    const std::uint64_t first = rng_() % 3 == 0 ? 0 : rng_() % 1'000'000'000'000;
    const std::uint64_t end = first + (round < 5 ? static_cast<std::uint64_t>(round) : rng_() % 700);
    const Heads heads = random_heads(first, end);
    const auto segment = write(heads, first, end, 1 + rng_() % 9000);
    expect_same(segment->ids(), heads, first, end);
    EXPECT_EQ(segment->ids().warm_up(), !heads.empty());
    EXPECT_FALSE(segment->ids().warm_up());
  }
}

TEST_F(IdsPartTest, TakesLittleMoreThanTheIds) {
  Heads equal, numbers, chunks;
  std::size_t bytes_of_numbers = 0;
  for (std::uint64_t row = 0; row < 20'000; ++row) {
    equal[row].id = std::to_string(100'000 + row);
    numbers[row].id = std::to_string(row);
    bytes_of_numbers += numbers[row].id.size();
    Head& chunk = chunks[row];
    chunk.source = "manual/page" + std::to_string(row / 10) + ".html";
    chunk.id = std::to_string(row);
    chunk.part = static_cast<std::uint32_t>(row % 10);
    chunk.start = row % 10 * 1000;
    chunk.end = chunk.start + 900;
  }
  const auto bytes = [&](const Heads& heads) {
    return static_cast<double>(write(heads, 0, 20'000)->file_bytes()) - 8192;
  };
  EXPECT_LT(bytes(equal), 20'000 * (6 + 0.25));
  EXPECT_LT(bytes(numbers), static_cast<double>(bytes_of_numbers) + 20'000 * 1.2);
  EXPECT_LT(bytes(chunks), static_cast<double>(bytes_of_numbers) + 20'000 * 14);
}

TEST_F(IdsPartTest, SourcesBeyondThoseRemembered) {
  Heads heads;
  for (std::uint64_t row = 0; row < 40'000; ++row)
    heads[row] = {std::to_string(row), "source" + std::to_string(row % 19'000), row, row, 0};
  expect_same(write(heads, 0, 40'000, 5000)->ids(), heads, 0, 40'000);
}

TEST_F(IdsPartTest, DamageIsNeverAWrongId) {
  const Heads heads = random_heads(1000, 9000);
  write(heads, 1000, 9000);
  std::string good;
  {
    std::ifstream in(path(), std::ios::binary);
    good.assign(std::istreambuf_iterator<char>(in), {});
  }
  std::string groups;
  {
    const auto file = io::IndexFile::open(path());
    const auto read = file->read(kIdGroupsSection);
    groups.assign(reinterpret_cast<const char*>(read.data()), read.size());
  }
  const std::size_t groups_at = good.find(groups);
  int met = 0;
  for (int round = 0; round < 60; ++round) {
    std::string bad = good;
    const std::size_t at =
        round % 2 == 0 ? groups_at + rng_() % groups.size() : 4096 + rng_() % (good.size() - 4096);
    bad[at] = static_cast<char>(bad[at] ^ 1 << rng_() % 8);
    std::ofstream(path(), std::ios::binary | std::ios::trunc) << bad;
    try {
      const auto segment = Segment::open(path(), identity_);
      for (int i = 0; i < 2000; ++i) {
        const std::uint64_t row = 1000 + rng_() % 8000;
        try {
          const auto found = segment->ids().find(row);
          const auto right = heads.find(row);
          ASSERT_EQ(found.has_value(), right != heads.end());
          if (found) {
            EXPECT_EQ(*found, right->second.view());
          }
        } catch (const Error& e) {
          ASSERT_EQ(e.code(), ErrorCode::kCorruption);
          ++met;
        }
      }
    } catch (const Error& e) {
      ASSERT_EQ(e.code(), ErrorCode::kCorruption);
      ++met;
    }
  }
  EXPECT_GT(met, 100);
}

// So many rows that the groups have blocks of their own.
TEST_F(IdsPartTest, DamageOfGroups) {
  constexpr std::uint64_t kRows = 700'000;
  {
    SegmentWriter writer(base_, identity_ = {.number = 1, .end_row = kRows}, 0);
    IdsBuilder ids(0, kRows);
    for (std::uint64_t row = 0; row < kRows; ++row) ids.add(row, {.id = std::to_string(row)});
    writer.add_ids(ids);
    writer.finish();
  }
  std::uint64_t at = 0;
  {
    const auto file = io::IndexFile::open(path());
    at = file->body_offset() + (file->section_size(kIdRecordsSection) + 63) / 64 * 64;
  }
  {
    std::fstream f(path(), std::ios::in | std::ios::out | std::ios::binary);
    for (std::uint64_t group = 0; group < 100; ++group) {
      f.seekp(static_cast<std::streamoff>(at + 8 * group + 1));
      f.put('x');
    }
  }
  const auto segment = Segment::open(path(), identity_);
  for (std::uint64_t row = 0; row < 100 * 64; row += 5) EXPECT_THROW(segment->ids().find(row), Error) << row;
  for (std::uint64_t row = 600'000; row < 601'000; ++row)  // their group is in the next block
    EXPECT_EQ(segment->ids().find_id(row), std::to_string(row));
}

// Bytes that nobody wrote, under right checksums: a call may say anything, or kCorruption, but reads nothing
// outside.
TEST_F(IdsPartTest, LiesReadNothingOutside) {
  const Heads heads = random_heads(0, 3000);
  write(heads, 0, 3000);
  std::map<std::uint32_t, std::vector<std::byte>> sections;
  const auto info = io::IndexFile::open(path())->info();
  for (const std::uint32_t id : io::IndexFile::open(path())->section_ids()) {
    const auto file = io::IndexFile::open(path());
    const auto read = file->read(id);
    sections[id].assign(read.begin(), read.end());
  }
  int refused = 0;
  for (int round = 0; round < 300; ++round) {
    auto lies = sections;
    for (int n = 1 + static_cast<int>(rng_() % 20); n > 0; --n) {
      auto& victim = lies[rng_() % 2 == 0 ? kIdGroupsSection : kIdRecordsSection];
      const std::size_t at = rng_() % victim.size();
      victim[at] = static_cast<std::byte>(rng_() % 3 == 0 ? 0xff : rng_());
    }
    if (round % 10 == 0) lies[kIdRecordsSection].resize(rng_() % lies[kIdRecordsSection].size());
    {
      io::IndexFileWriter writer(base_, "1.vsx", info, 8);
      for (const auto& [id, bytes] : lies) writer.add(id, bytes);
      writer.finish();
    }
    const auto segment = Segment::open(path(), identity_);
    for (std::uint64_t row = 0; row < 3000; ++row) {
      try {
        const auto found = segment->ids().find(row);
        if (found) {
          EXPECT_LE(found->id.size() + found->source.size(), std::size_t{1} << 24);
          volatile char last = found->id.empty() ? ' ' : found->id.back();
          (void)last;
        }
        segment->ids().find_id(row);
      } catch (const Error& e) {
        ASSERT_EQ(e.code(), ErrorCode::kCorruption);
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 100);
}

}  // namespace
}  // namespace vecstore::segment
