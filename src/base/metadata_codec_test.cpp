#include "base/metadata_codec.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <random>
#include <thread>

#include "base/json.hpp"
#include "base/varint.hpp"
#include "vecstore/error.hpp"

namespace vecstore {
namespace {

Metadata random_value(std::mt19937_64& rng, int depth) {
  switch (rng() % (depth > 0 ? 9 : 7)) {
    case 0:
      return nullptr;
    case 1:
      return rng() % 2 == 0;
    case 2:
      return static_cast<std::int64_t>(rng() >> (rng() % 64)) * (rng() % 2 ? 1 : -1);
    case 3:
      return static_cast<int>(rng() % 40);
    case 4:
      return static_cast<double>(static_cast<std::int64_t>(rng())) / 1024;
    case 5:
      return std::string(rng() % 40, static_cast<char>('a' + rng() % 26));
    case 6:
      return "";
    case 7: {
      Metadata array = Metadata::array();
      for (auto n = rng() % 6; n > 0; --n) array.push_back(random_value(rng, depth - 1));
      return array;
    }
    default: {
      Metadata object;
      for (auto n = rng() % 6; n > 0; --n)
        object["k" + std::to_string(rng() % 20)] = random_value(rng, depth - 1);
      return object;
    }
  }
}

std::string encoded(const Metadata& m, FieldNames& names) {
  std::string out;
  encode_metadata(m, names, out);
  return out;
}

TEST(MetadataCodec, RoundTripsRandomValues) {
  std::mt19937_64 rng(1);
  FieldNames names;
  for (int i = 0; i < 20'000; ++i) {
    const Metadata m = random_value(rng, 4);
    const std::string bytes = encoded(m, names);
    ASSERT_EQ(decode_metadata(bytes, names).to_json(), m.to_json());
  }
  EXPECT_EQ(names.size(), 20u);
}

// The bytes are on disk: they must not change.
TEST(MetadataCodec, FrozenBytes) {
  FieldNames names;
  const Metadata m = {{"n", nullptr}, {"t", true}, {"i", -1},      {"big", 1000},
                      {"d", 0.5},     {"s", "hi"}, {"a", {1, "x"}}};
  std::string hex;
  for (const unsigned char c : encoded(m, names)) {
    hex += "0123456789abcdef"[c >> 4];
    hex += "0123456789abcdef"[c & 15];
  }
  EXPECT_EQ(hex,
            "ed010002100309"
            "04f9d00f"
            "0502000000000000e03f"
            "06136869"
            "071c110b78");
}

TEST(MetadataCodec, ExtremesAndDepth) {
  FieldNames names;
  Metadata deep = 1;
  for (std::size_t i = 0; i < kMaxJsonDepth; ++i)
    deep = i % 2 ? Metadata{{"d", deep}} : Metadata::array({deep});
  for (const Metadata& m : {Metadata(INT64_MIN), Metadata(INT64_MAX), Metadata(-0.0), Metadata(5e-324),
                            Metadata(std::string(70'000, 'x')), Metadata(), Metadata::array(), deep}) {
    EXPECT_EQ(decode_metadata(encoded(m, names), names).to_json(), m.to_json());
  }
  std::string out;
  EXPECT_THROW(encode_metadata(Metadata::array({deep}), names, out), Error);
}

TEST(MetadataCodec, KeysOutsideTheTable) {
  FieldNames names;
  const std::string long_name(FieldNames::kMaxNameBytes + 1, 'k');
  const Metadata m = {{long_name, 1}, {"b", 2}};
  const std::string bytes = encoded(m, names);
  EXPECT_EQ(names.size(), 1u);
  EXPECT_EQ(decode_metadata(bytes, names), m);
  EncodedValue value;
  ASSERT_TRUE(EncodedKey(long_name, names).find(read_encoded(bytes), value));
  EXPECT_EQ(value.integer, 1);

  for (std::uint32_t i = 0; i < FieldNames::kMaxNames + 5; ++i) {
    const auto id = names.intern("name" + std::to_string(i));
    ASSERT_EQ(id.has_value(), i + 1 < FieldNames::kMaxNames) << i;
    if (id) {
      ASSERT_EQ(*id, i + 1);
      ASSERT_EQ(names.name(*id), "name" + std::to_string(i));
    }
  }
  const Metadata late = {{"late", "x"}};
  EXPECT_EQ(decode_metadata(encoded(late, names), names), late);
}

TEST(MetadataCodec, FindsOneFieldInPlace) {
  FieldNames names;
  const EncodedKey early("year", names);  // Made before the table knows the name.
  const Metadata m = {
      {"tags", {"a", "b"}}, {"author", {{"name", "Ann"}, {"year", 1}}}, {"year", 2026}, {"half", 0.5}};
  const std::string bytes = encoded(m, names);
  const EncodedValue root = read_encoded(bytes);
  EncodedValue value;
  ASSERT_TRUE(early.find(root, value));
  EXPECT_EQ(value.integer, 2026);
  ASSERT_TRUE(EncodedKey("year", names).find(root, value));
  EXPECT_EQ(value.integer, 2026);
  ASSERT_TRUE(EncodedKey("author", names).find(root, value));
  EncodedValue name;
  ASSERT_TRUE(EncodedKey("name", names).find(value, name));
  EXPECT_EQ(name.bytes, "Ann");
  EXPECT_FALSE(EncodedKey("missing", names).find(root, value));
  ASSERT_TRUE(EncodedKey("half", names).find(root, value));
  EXPECT_EQ(value.number, 0.5);
  EncodedValue none;
  EXPECT_FALSE(EncodedKey("year", names).find(value, none));
}

TEST(MetadataCodec, MutatedBytesAreCorruptionOrAnotherValue) {
  std::mt19937_64 rng(3);
  FieldNames names;
  const EncodedKey key("k3", names);
  int corrupt = 0;
  for (int i = 0; i < 40'000; ++i) {
    std::string bytes = encoded(random_value(rng, 4), names);
    if (rng() % 4 == 0) {
      bytes.resize(rng() % (bytes.size() + 1));
    } else {
      for (auto n = rng() % 3 + 1; n > 0; --n) bytes[rng() % bytes.size()] = static_cast<char>(rng());
    }
    // An exact heap block, so that AddressSanitizer sees one byte too far.
    const std::unique_ptr<char[]> block(new char[bytes.size()]);
    std::copy(bytes.begin(), bytes.end(), block.get());
    const std::string_view view(block.get(), bytes.size());
    try {
      EncodedValue value;
      (void)key.find(read_encoded(view), value);
      (void)decode_metadata(view, names).to_json();
    } catch (const Error& e) {
      ASSERT_EQ(e.code(), ErrorCode::kCorruption);
      ++corrupt;
    }
  }
  EXPECT_GT(corrupt, 5'000);
  const std::string deep = [] {
    std::string bytes;
    for (int i = 0; i < 100'000; ++i) {
      std::string head(1, static_cast<char>(4 | 31 << 3));
      put_varint(head, bytes.size());
      bytes = head + (bytes.size() < 1'000 ? bytes : bytes.substr(0, 1'000));
    }
    return bytes;
  }();
  EXPECT_THROW(decode_metadata(deep, names), Error);
}

TEST(FieldNames, ReadersBesideAWriter) {
  FieldNames names;
  std::atomic<bool> done = false;
  std::jthread reader([&] {
    while (!done) {
      const std::uint32_t count = names.size();
      for (std::uint32_t i = 0; i < count; ++i) ASSERT_EQ(names.name(i), "f" + std::to_string(i));
    }
  });
  for (std::uint32_t i = 0; i < 3'000; ++i) ASSERT_EQ(names.intern("f" + std::to_string(i)), i);
  done = true;
  EXPECT_THROW(names.name(3'000), Error);
}

TEST(Varint, RoundTripAndBounds) {
  for (std::uint64_t value :
       {std::uint64_t{0}, std::uint64_t{127}, std::uint64_t{128}, std::uint64_t{1} << 62, UINT64_MAX}) {
    std::string out;
    put_varint(out, value);
    std::uint64_t back = 0;
    const char* p = out.data();
    ASSERT_TRUE(get_varint(p, out.data() + out.size(), back));
    EXPECT_EQ(back, value);
    EXPECT_EQ(p, out.data() + out.size());
    p = out.data();
    EXPECT_FALSE(get_varint(p, out.data() + out.size() - 1, back));
  }
  const std::string too_long(10, '\xff');
  const char* p = too_long.data();
  std::uint64_t value = 0;
  EXPECT_FALSE(get_varint(p, too_long.data() + too_long.size(), value));
  for (std::int64_t v : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1}, INT64_MIN, INT64_MAX})
    EXPECT_EQ(unzigzag(zigzag(v)), v);
}

}  // namespace
}  // namespace vecstore
