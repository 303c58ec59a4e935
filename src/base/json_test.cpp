#include "base/json.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <chrono>
#include <cmath>
#include <functional>
#include <random>

#include "base/utf8.hpp"
#include "vecstore/error.hpp"

namespace vecstore {
namespace {

/// The error's code and message, or "ok" when the text is accepted.
std::string outcome(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return std::string(to_string(e.code())) + ": " + e.what();
  }
  return "ok";
}
std::string parsed(std::string_view text) {
  return outcome([&] { Metadata::parse(text); });
}
std::string stored(std::string_view text) {
  return outcome([&] { parse_metadata(text); });
}
bool refused(const std::string& result) { return result.starts_with("invalid_argument: "); }
bool too_large(const std::string& result) { return result.starts_with("too_large: "); }

TEST(Json, RoundTripsEveryKindOfValue) {
  for (const char* text :
       {"null", "true", "false", "0", "-1", "9223372036854775807", "-9223372036854775808", "0.5", "1.0",
        "-0.0", "1e+100", "5e-324", "1.7976931348623157e+308", R"("")", R"("a\"\\\n\t\u0001é漢😀")", "[]",
        "{}", "[1,[2,{}],\"x\"]", R"({"b":1,"a":{"c":[null,true]}})"}) {
    EXPECT_EQ(Metadata::parse(text).to_json(), text);
  }
  EXPECT_EQ(Metadata::parse(" { \"a\" : 1 , \"b\" : [ ] } \n").to_json(), R"({"a":1,"b":[]})");
  EXPECT_EQ(Metadata::parse(R"("\ud83d\ude00\u00e9\/")").as_string(), "😀é/");
  EXPECT_TRUE(Metadata::parse("1e2").is_double());
  EXPECT_TRUE(Metadata::parse("1.0").is_double());
  EXPECT_TRUE(Metadata::parse("100").is_int());
  EXPECT_EQ(Metadata::parse("9007199254740993").as_int(), 9007199254740993);
}

TEST(Json, DoublesPrintShortestAndReadBack) {
  std::mt19937_64 rng(7);
  for (int i = 0; i < 20'000; ++i) {
    const double value = std::bit_cast<double>(rng());
    if (!std::isfinite(value)) continue;
    const Metadata back = Metadata::parse(Metadata(value).to_json());
    ASSERT_TRUE(back.is_double());
    ASSERT_EQ(std::bit_cast<std::uint64_t>(back.as_double()), std::bit_cast<std::uint64_t>(value));
  }
  EXPECT_EQ(Metadata(0.1).to_json(), "0.1");
}

TEST(Json, RefusesWhatIsNotJson) {
  for (const char* text : {"",
                           " ",
                           "nul",
                           "tru",
                           "{",
                           "}",
                           "[",
                           "]",
                           "[1,]",
                           "{,}",
                           "{\"a\"}",
                           "{\"a\":}",
                           "{\"a\":1,}",
                           "{a:1}",
                           "'a'",
                           "01",
                           "+1",
                           "1.",
                           ".5",
                           "1e",
                           "0x10",
                           "\"",
                           "\"\\x\"",
                           "\"\\u12\"",
                           "\"a\nb\"",
                           "// c\n1",
                           "[1 2]",
                           "Infinity",
                           "-",
                           "\"\xff\"",
                           "\"\xc0\x80\"",
                           "\"\xed\xa0\x80\""}) {
    EXPECT_TRUE(refused(parsed(text))) << text << " -> " << parsed(text);
  }
  EXPECT_TRUE(refused(parsed(std::string_view("1\0", 2))));
}

TEST(Json, BadInputRow21SizesAndCounts) {
  std::string keys = "{";
  for (int i = 0; i < 10'000; ++i) keys += (i ? ",\"" : "\"") + std::to_string(i) + "\":0";
  keys += "}";
  EXPECT_TRUE(too_large(stored(keys))) << stored(keys);
  EXPECT_EQ(parsed(keys), "ok");
  const std::string big = "{\"a\":\"" + std::string(5'000'000, 'x') + "\"}";
  EXPECT_TRUE(too_large(stored(big))) << stored(big);
  EXPECT_EQ(parsed(big), "ok");

  // The limits themselves are allowed.
  Metadata most;
  for (std::size_t i = 0; i < kMaxMetadataKeys; ++i) most["k" + std::to_string(i)] = true;
  EXPECT_EQ(outcome([&] { validate_metadata(most); }), "ok");
  most["one more"] = true;
  EXPECT_TRUE(too_large(outcome([&] { validate_metadata(most); })));
  Metadata widest = {{"k", std::string(kMaxMetadataBytes - 1, 'x')}};
  EXPECT_EQ(outcome([&] { validate_metadata(widest); }), "ok");
  widest["k"] = std::string(kMaxMetadataBytes, 'x');
  EXPECT_TRUE(too_large(outcome([&] { validate_metadata(widest); })));
}

TEST(Json, ValidateMetadata) {
  EXPECT_TRUE(refused(outcome([] { validate_metadata(Metadata::array({1})); })));
  EXPECT_TRUE(refused(outcome([] { validate_metadata(nullptr); })));
  EXPECT_TRUE(refused(outcome([] { validate_metadata({{"a", "\xff"}}); })));
  EXPECT_TRUE(refused(outcome([] { validate_metadata({{"\xff", 1}}); })));
  EXPECT_TRUE(refused(outcome([] { validate_metadata({{std::string("a\0b", 3), 1}}); })));
  EXPECT_EQ(outcome([] { validate_metadata({}); }), "ok");
  Metadata deep = 1;
  for (std::size_t i = 0; i < kMaxJsonDepth; ++i) deep = Metadata{{"d", deep}};
  EXPECT_EQ(outcome([&] { validate_metadata(deep); }), "ok");
  EXPECT_TRUE(refused(outcome([&] { validate_metadata(Metadata{{"d", deep}}); })));
}

TEST(Json, BadInputRow22Depth) {
  const auto nested = [](std::size_t n, char open, std::string_view inner, char close) {
    return std::string(n, open) + std::string(inner) + std::string(n, close);
  };
  EXPECT_EQ(parsed(nested(kMaxJsonDepth, '[', "", ']')), "ok");
  for (std::size_t n : {kMaxJsonDepth + 1, std::size_t{100}, std::size_t{1'000}, std::size_t{100'000}}) {
    EXPECT_NE(parsed(nested(n, '[', "", ']')).find("depth > 32"), std::string::npos);
    EXPECT_TRUE(refused(parsed(nested(n, '[', "", ' ')))) << n;
  }
  std::string objects;
  for (int i = 0; i < 1'000; ++i) objects += "{\"a\":";
  EXPECT_TRUE(refused(parsed(objects)));
  const std::string wall(10'000'000, '[');
  const auto start = std::chrono::steady_clock::now();
  EXPECT_TRUE(refused(parsed(wall)));
  EXPECT_TRUE(too_large(stored(wall)));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(50));
}

TEST(Json, BadInputRow23StrictReading) {
  for (const char* text : {R"({"a":1,"a":2})",
                           R"({"x":{"a":1,"b":2,"a":1}})",
                           R"({"a":1} x)",
                           R"({"a":1}{"b":2})",
                           "1 2",
                           "\xEF\xBB\xBF{}",
                           "NaN",
                           "-Infinity",
                           R"({"a":NaN})",
                           R"("\ud800")",
                           R"("\udc00")",
                           R"("\ud800x")",
                           R"("\ud800\u0041")",
                           R"("\udc00\ud800")",
                           R"({"\ud800":1})",
                           R"({"\udc00":1})",
                           "1e999",
                           "-1e999",
                           "9223372036854775808",
                           "18446744073709551615",
                           "18446744073709551616",
                           "-9223372036854775809"}) {
    EXPECT_TRUE(refused(parsed(text))) << text << " -> " << parsed(text);
    EXPECT_TRUE(refused(stored(text))) << text;
  }
  EXPECT_TRUE(refused(parsed(R"({"a":1,"\u0061":2})"))) << "the same key, escaped";
  EXPECT_TRUE(refused(parsed(std::string(10'000, '9'))));
  EXPECT_EQ(parsed("1e-999"), "ok");
  EXPECT_TRUE(Metadata::parse("0." + std::string(10'000, '9')).is_double());
}

TEST(Json, BadInputRow24ManyKeys) {
  std::string text = "{";
  for (int i = 0; i < 1'000'000; ++i) text += (i ? ",\"" : "\"") + std::to_string(i) + "\":0";
  text += "}";
  EXPECT_TRUE(too_large(stored(text)));
  EXPECT_TRUE(too_large(outcome([&] { parse_json(text, {.max_keys = 256}); })));
  // Without a key limit the cost stays n log n: there is no hash table to flood.
  EXPECT_EQ(Metadata::parse(text).size(), 1'000'000u);
}

TEST(Json, MutatedTextsNeverCrash) {
  std::mt19937 rng(11);
  const std::string seed = R"({"a":[1,2.5,-3e10,true,null,{"b":"x\u00e9\n"}],"c":{},"d":"\ud83d\ude00"})";
  int accepted = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string text = seed;
    for (unsigned n = rng() % 4 + 1; n > 0; --n) {
      switch (rng() % 3) {
        case 0:
          text[rng() % text.size()] = static_cast<char>(rng());
          break;
        case 1:
          text.erase(rng() % text.size(), 1);
          break;
        default:
          text.insert(rng() % text.size(), 1, R"({}[]",:\0e.-u)"[rng() % 13]);
      }
    }
    try {
      const Metadata m = Metadata::parse(text);
      EXPECT_EQ(Metadata::parse(m.to_json()), m);
      ++accepted;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::kInvalidArgument);
    }
  }
  EXPECT_GT(accepted, 100);
}

TEST(Utf8, Validity) {
  for (std::string_view text : {"", "plain", "é", "漢字", "😀", "\xEF\xBF\xBF", "\xF4\x8F\xBF\xBF"})
    EXPECT_TRUE(valid_utf8(text));
  for (std::string_view text :
       {"\x80", "\xC3", "\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80",
        "\xF8\x88\x80\x80\x80", "long enough to fill a register \xFF and more"}) {
    EXPECT_FALSE(valid_utf8(text));
  }
}

}  // namespace
}  // namespace vecstore
