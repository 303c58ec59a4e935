// Files of rows: lines, JSON lines, .npy, .fvecs.
#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <random>

#include "cli/json_rows.hpp"
#include "cli/line_reader.hpp"
#include "cli/vector_file.hpp"
#include "seed.hpp"
#include "vecstore/error.hpp"

namespace vecstore::cli {
namespace {
namespace fs = std::filesystem;

class Readers : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("vecstore-readers-" + std::to_string(::getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string write(const std::string& name, std::string_view bytes) const {
    const std::string path = (folder_ / name).string();
    std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return path;
  }
  std::string write_gzip(const std::string& name, std::string_view bytes) const {
    const std::string path = (folder_ / name).string();
    gzFile file = gzopen(path.c_str(), "wb");
    gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
    gzclose(file);
    return path;
  }
  static std::string npy(const std::string& header, std::string_view data, int version = 1) {
    std::string file = std::string("\x93NUMPY") + static_cast<char>(version) + '\0';
    const auto size = static_cast<std::uint32_t>(header.size());
    file.append(reinterpret_cast<const char*>(&size), version == 1 ? 2 : 4);
    return file + header + std::string(data);
  }
  template <class T>
  static std::string raw(const std::vector<T>& values) {
    return std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
  }
  static std::vector<std::vector<float>> read(const std::string& path) {
    VectorFile file(path);
    std::vector<std::vector<float>> rows;
    for (std::vector<float> row; file.next(row);) rows.push_back(row);
    EXPECT_EQ(rows.size(), file.rows());
    return rows;
  }
  /// The code and message that opening and reading the file gives.
  static std::pair<ErrorCode, std::string> refused(const std::string& path) {
    try {
      read(path);
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(path), std::string::npos) << "the message names the file";
      return {error.code(), error.what()};
    }
    ADD_FAILURE() << path << " was accepted";
    return {};
  }

  fs::path folder_;
};

TEST_F(Readers, LinesPlainAndGzip) {
  std::string text;
  std::vector<std::string> lines;
  const unsigned seed = test::seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (int i = 0; i < 300; ++i) {
    lines.emplace_back(random() % 60 == 0 ? random() % 600'000 : random() % 300,
                       static_cast<char>('a' + i % 26));
    text += lines.back() + "\n";
  }
  lines.emplace_back("no newline at the end");
  text += lines.back();
  for (const std::string& path : {write("a.txt", text), write_gzip("a.gz", text)}) {
    LineReader reader(path);
    std::string_view line;
    for (std::size_t i = 0; i < lines.size(); ++i) {
      ASSERT_TRUE(reader.next(line));
      ASSERT_EQ(line, lines[i]);
      ASSERT_EQ(reader.line_number(), i + 1);
    }
    EXPECT_FALSE(reader.next(line));
    EXPECT_EQ(reader.bytes_read(), fs::file_size(path));
  }
  std::string_view line;
  EXPECT_FALSE(LineReader(write("empty", "")).next(line));
}

TEST_F(Readers, DamagedGzip) {
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += std::to_string(i * 7919) + "\n";
  const std::string path = write_gzip("a.gz", text);
  std::string bytes(fs::file_size(path), 0);
  std::ifstream(path, std::ios::binary).read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  std::string flipped = bytes;
  flipped[bytes.size() / 2] ^= 0x10;
  for (const std::string& damaged : {bytes.substr(0, bytes.size() / 2), flipped}) {
    LineReader reader(write("damaged.gz", damaged));
    std::string_view line;
    try {
      while (reader.next(line)) {
      }
      FAIL() << "the damage was not seen";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kCorruption) << error.what();
    }
  }
}

TEST_F(Readers, LongestLine) {
  LineReader reader(write("long", std::string((std::size_t{32} << 20) + 10, 'x')));
  std::string_view line;
  try {
    reader.next(line);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kTooLarge);
  }
}

TEST_F(Readers, JsonRows) {
  const std::string path =
      write_gzip("a.jsonl.gz",
                 "{\"_id\": \"a\", \"title\": \"T\", \"text\": \"x\", \"year\": 1950, \"tags\": [\"b\"]}\n"
                 "\r\n"
                 "{\"_id\": 7, \"text\": \"only\"}\n"
                 "{\"_id\": \"e\", \"title\": \"\", \"text\": \"\"}\n"
                 "{\"_id\": \"t\", \"title\": \"head\", \"text\": null}");
  JsonRows rows(path);
  Record record;
  ASSERT_TRUE(rows.next(record));
  EXPECT_EQ(record.id, "a");
  EXPECT_EQ(record.text, "T x");
  EXPECT_EQ(record.metadata, Metadata::parse(R"({"year": 1950, "tags": ["b"]})"));
  ASSERT_TRUE(rows.next(record));
  EXPECT_EQ(record.id, "7");
  EXPECT_EQ(record.text, "only");
  EXPECT_TRUE(record.metadata.empty());
  EXPECT_EQ(rows.line_number(), 3u);
  ASSERT_TRUE(rows.next(record));
  EXPECT_EQ(record.text, "");
  ASSERT_TRUE(rows.next(record));
  EXPECT_EQ(record.text, "head");
  EXPECT_FALSE(rows.next(record));
  EXPECT_EQ(rows.rows(), 4u);
  JsonRows apart(path, true);
  ASSERT_TRUE(apart.next(record));
  EXPECT_EQ(record.text, "x");
  EXPECT_EQ(record.metadata, Metadata::parse(R"({"title": "T", "year": 1950, "tags": ["b"]})"));
}

TEST_F(Readers, JsonErrorsNameTheLineAndReadingGoesOn) {
  const std::string path = write("bad.jsonl",
                                 "{\"_id\": \"1\"}\n{\"_id\": \"2\"\n[1]\n{\"text\": \"x\"}\n{\"_id\": 1.5}\n"
                                 "{\"_id\": \"6\", \"text\": 5}\n{\"_id\": \"7\", \"text\": "
                                 "\"\xff\"}\n{\"_id\": \"8\"} x\n{\"_id\": \"9\"}\n");
  JsonRows rows(path);
  Record record;
  std::vector<std::string> good, bad;
  for (;;) {
    try {
      if (!rows.next(record)) break;
      good.push_back(record.id);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
      bad.push_back(error.what());
    }
  }
  EXPECT_EQ(good, (std::vector<std::string>{"1", "9"}));
  ASSERT_EQ(bad.size(), 7u);
  for (std::size_t i = 0; i < bad.size(); ++i)
    EXPECT_TRUE(bad[i].starts_with(path + ":" + std::to_string(i + 2) + ": ")) << bad[i];
  EXPECT_THROW(JsonRows("/nothing/here.jsonl"), Error);
}

TEST_F(Readers, NpyTypes) {
  const std::vector<std::vector<float>> expected = {{1, -2, 3}, {0, 5, 6}};
  const std::string shape = "'fortran_order': False, 'shape': (2, 3), }          \n";
  EXPECT_EQ(read(write("f4.npy", npy("{'descr': '<f4', " + shape, raw<float>({1, -2, 3, 0, 5, 6})))),
            expected);
  EXPECT_EQ(read(write("v2.npy", npy("{'descr': '<f4', " + shape, raw<float>({1, -2, 3, 0, 5, 6}), 2))),
            expected);
  EXPECT_EQ(read(write("f2.npy", npy("{'descr': '<f2', " + shape,
                                     raw<std::uint16_t>({0x3c00, 0xc000, 0x4200, 0x0000, 0x4500, 0x4600})))),
            expected);
  EXPECT_EQ(read(write("i1.npy", npy("{'descr': '|i1', " + shape, raw<std::int8_t>({1, -2, 3, 0, 5, 6})))),
            expected);
  EXPECT_EQ(read(write("u1.npy", npy("{\"shape\":(2,3),\"fortran_order\":False,\"descr\":\"|u1\"}",
                                     raw<std::uint8_t>({1, 254, 3, 0, 5, 6})))),
            (std::vector<std::vector<float>>{{1, 254, 3}, {0, 5, 6}}));
  EXPECT_EQ(
      VectorFile(write("none.npy", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 3), }", "")))
          .rows(),
      0u);
}

TEST_F(Readers, NpyRefused) {
  const std::string tail = "'fortran_order': False, 'shape': (2, 3), }\n";
  const std::string data(24, '\0');
  const auto refuse = [&](const std::string& bytes) { return refused(write("x.npy", bytes)); };
  const std::string good = npy("{'descr': '<f4', " + tail, data);
  EXPECT_EQ(refuse(good.substr(0, good.size() - 1)).first, ErrorCode::kCorruption);
  EXPECT_EQ(refuse(good + "x").first, ErrorCode::kCorruption);
  EXPECT_EQ(refuse(good.substr(0, 20)).first, ErrorCode::kCorruption);
  EXPECT_EQ(refuse("").first, ErrorCode::kCorruption);
  EXPECT_EQ(refuse("not numpy at all").first, ErrorCode::kInvalidArgument);
  EXPECT_NE(refuse(npy("{'descr': '<f8', " + tail, data + data)).second.find("<f8"), std::string::npos);
  for (const std::string& header :
       {"{'descr': '>f4', " + tail, "{'descr': [('a', '<f4')], " + tail,
        std::string("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3)}"),
        std::string("{'descr': '<f4', 'fortran_order': False, 'shape': (6,)}"),
        std::string("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2, 3)}"),
        std::string("{'descr': '<f4', 'fortran_order': False}"), std::string("{'descr': '<f4'"),
        std::string("garbage"), std::string(""),
        std::string("{'descr': '<f4', 'fortran_order': False, 'shape': (-2, 3)}"),
        std::string("{'descr': '<f4', 'fortran_order': False, 'shape': (6, 0)}"),
        std::string("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 70000)}")}) {
    EXPECT_EQ(refuse(npy(header, data)).first, ErrorCode::kInvalidArgument) << header;
  }
  // Sizes whose product overflows.
  EXPECT_EQ(
      refuse(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4)}", data)).first,
      ErrorCode::kCorruption);
  EXPECT_EQ(
      refuse(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999, 4)}", data)).first,
      ErrorCode::kInvalidArgument);
  EXPECT_EQ(refuse(npy("{'descr': '<f4', " + tail, data, 4)).first, ErrorCode::kInvalidArgument);
  EXPECT_EQ(refused("/nothing/here.npy").first, ErrorCode::kNotFound);
}

TEST_F(Readers, NpyHeadersAtRandomNeverCrash) {
  const unsigned seed = test::seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const std::string good =
      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n", std::string(24, '\0'));
  for (int round = 0; round < 500; ++round) {
    std::string bytes = good;
    for (unsigned i = random() % 4 + 1; i > 0; --i)
      bytes[random() % (good.size() - 24)] = static_cast<char>(random());
    try {
      read(write("random.npy", bytes));
    } catch (const Error&) {
    }
  }
}

TEST_F(Readers, Fvecs) {
  const std::string row = raw<std::int32_t>({2}) + raw<float>({1, 2}),
                    other = raw<std::int32_t>({2}) + raw<float>({3, 4});
  EXPECT_EQ(read(write("a.fvecs", row + other)), (std::vector<std::vector<float>>{{1, 2}, {3, 4}}));
  EXPECT_EQ(refused(write("b.fvecs", row + other.substr(0, 11))).first, ErrorCode::kCorruption);
  EXPECT_EQ(refused(write("c.fvecs", row + raw<std::int32_t>({3}) + raw<float>({3, 4}))).first,
            ErrorCode::kCorruption);
  EXPECT_EQ(refused(write("d.fvecs", raw<std::int32_t>({-1}))).first, ErrorCode::kInvalidArgument);
  EXPECT_EQ(refused(write("e.fvecs", "")).first, ErrorCode::kInvalidArgument);
}

/// Every half against the definition.
TEST(Half, AllValues) {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const float value = half_to_float(static_cast<std::uint16_t>(bits));
    const int exponent = static_cast<int>((bits >> 10) & 31), mantissa = static_cast<int>(bits & 1023);
    const float sign = (bits & 0x8000) != 0 ? -1.0f : 1.0f;
    if (exponent == 31) {
      ASSERT_EQ(std::isnan(value), mantissa != 0);
      if (mantissa == 0) {
        ASSERT_EQ(value, sign * std::numeric_limits<float>::infinity());
      }
    } else {
      const double expected =
          exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
      ASSERT_EQ(value, static_cast<float>(sign * expected)) << bits;
      ASSERT_EQ(std::signbit(value), sign < 0);
    }
  }
}

}  // namespace
}  // namespace vecstore::cli
