#include <gtest/gtest.h>

#include <chrono>
#include <random>

#include "seed.hpp"
#include "text/markdown.hpp"
#include "text/utf8.hpp"
#include "vecstore/error.hpp"
#include "vecstore/text.hpp"

namespace vecstore {
namespace {

using text::count_characters;

std::vector<std::string> texts(const std::vector<Chunk>& chunks) {
  std::vector<std::string> out;
  for (const Chunk& c : chunks) out.push_back(c.text);
  return out;
}
using Texts = std::vector<std::string>;

/// What holds for every split of every text.
void check_invariants(std::string_view text, const std::vector<Chunk>& chunks, std::size_t limit,
                      std::size_t overlap) {
  std::size_t end_byte = 0, end_char = 0, start_byte = 0;
  for (const Chunk& c : chunks) {
    ASSERT_FALSE(c.text.empty());
    ASSERT_EQ(text.substr(c.start_byte, c.end_byte - c.start_byte), c.text);
    ASSERT_EQ(c.end_byte - c.start_byte, c.text.size());
    ASSERT_EQ(count_characters(text.substr(0, c.start_byte), false), c.start_char);
    ASSERT_EQ(count_characters(c.text, false), c.end_char - c.start_char);
    ASSERT_LE(c.end_char - c.start_char, limit);
    ASSERT_LE(c.start_byte, end_byte) << "nothing is left out";
    ASSERT_GT(c.end_byte, end_byte);
    ASSERT_TRUE(end_byte == 0 || c.start_byte > start_byte);
    ASSERT_LE(end_char - std::min(end_char, c.start_char), overlap);
    end_byte = c.end_byte;
    end_char = c.end_char;
    start_byte = c.start_byte;
  }
  ASSERT_EQ(end_byte, text.size());
}

TEST(Splitter, KeepsSeparatorsAtTheStart) {
  auto splitter = RecursiveTextSplitter().chunk_size(7).overlap(0);
  EXPECT_EQ(texts(splitter.split("one two three")), (Texts{"one two", " three"}));
  EXPECT_EQ(texts(splitter.split("one\n\ntwo three")), (Texts{"one", "\n", "\ntwo", " three"}));
  EXPECT_TRUE(splitter.split("").empty());
  EXPECT_EQ(texts(splitter.split("one")), (Texts{"one"}));
}

TEST(Splitter, OverlapTakesWholePieces) {
  auto splitter = RecursiveTextSplitter().chunk_size(8).overlap(4);
  EXPECT_EQ(texts(splitter.split("aa bb cc dd ee")), (Texts{"aa bb cc", " cc dd", " dd ee"}));
}

TEST(Splitter, WithoutFinalEmptySeparatorCutsAtTheLimit) {
  auto splitter = RecursiveTextSplitter().chunk_size(4).overlap(1).separators({"\n\n", "\n", " "});
  EXPECT_EQ(texts(splitter.split("aäoöuü xyz")), (Texts{"aäoö", "öuü", " xyz"}));
  EXPECT_EQ(texts(RecursiveTextSplitter().chunk_size(3).overlap(0).separators({}).split("a b c")),
            (Texts{"a b", " c"}));
}

TEST(Splitter, RefusesBadSizes) {
  const auto code = [](const RecursiveTextSplitter& s) {
    try {
      s.split("text");
    } catch (const Error& e) {
      return e.code();
    }
    return ErrorCode::kIo;
  };
  EXPECT_EQ(code(RecursiveTextSplitter().chunk_size(0).overlap(0)), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code(RecursiveTextSplitter().chunk_size(50).overlap(50)), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code(RecursiveTextSplitter().chunk_size(50).overlap(51)), ErrorCode::kInvalidArgument);
  EXPECT_THROW(RecursiveTextSplitter().separators({"\xFF"}), Error);
  EXPECT_THROW(RecursiveTextSplitter::preset("latex"), Error);
  EXPECT_EQ(texts(RecursiveTextSplitter().chunk_size(1).overlap(0).split("aé")), (Texts{"a", "é"}));
}

TEST(Splitter, RandomTextsKeepTheInvariants) {
  const unsigned seed = test::seed();
  SCOPED_TRACE(seed);
  std::mt19937 rng(seed);
  static constexpr std::string_view kParts[] = {"wing",    " ",     " ",    "\n",       "\n\n",
                                                "é",       "検索",  "🙂",   ".",        "\n## ",
                                                "\n---\n", "```\n", "\xFF", "\xE2\x82", "\xCC\x81"};
  for (int round = 0; round < 3000; ++round) {
    const bool damaged = rng() % 2;
    std::string text;
    for (unsigned i = rng() % 80; i > 0; --i) text += kParts[rng() % (std::size(kParts) - (damaged ? 0 : 3))];
    const std::size_t limit = 1 + rng() % 30, overlap = rng() % limit;
    auto splitter = rng() % 2 ? RecursiveTextSplitter::plain() : RecursiveTextSplitter::markdown();
    splitter.chunk_size(limit).overlap(overlap);
    if (rng() % 3 == 0) splitter.separators({"\xCC\x81", "é", ". ", " "});
    ASSERT_NO_FATAL_FAILURE(check_invariants(text, splitter.split(text), limit, overlap)) << round;
  }
}

TEST(Splitter, TimeIsLinear) {
  for (const std::string_view unit : {"word ", "x", "\n", "é\n\n", "#"}) {
    std::string text;
    while (text.size() < 3'000'000) text += unit;
    const auto start = std::chrono::steady_clock::now();
    const auto chunks = RecursiveTextSplitter::markdown().chunk_size(500).overlap(50).split(text);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    EXPECT_EQ(chunks.back().end_byte, text.size());
    RecordProperty(std::string("seconds_of_3_MB_") + std::to_string(unit.size()),
                   std::to_string(took.count()));
    EXPECT_LT(took.count(), 20.0) << "under sanitizers and load; quadratic would be hours";
  }
}

TEST(Splitter, MarkdownChunksKnowTheirHeading) {
  const std::string text = "before\n# Install\nget it\n## Linux\napt\n\nmore words here\n# Use\nrun";
  const auto chunks = RecursiveTextSplitter::markdown().chunk_size(20).overlap(0).split(text);
  std::vector<std::pair<std::string, std::string>> got;
  for (const Chunk& c : chunks) {
    got.emplace_back(c.text, c.metadata.contains("heading") ? c.metadata["heading"].as_string() : "-");
  }
  const decltype(got) want = {{"before", "-"},
                              {"\n# Install\nget it", "Install"},
                              {"\n## Linux\napt", "Install > Linux"},
                              {"\n\nmore words here", "Install > Linux"},
                              {"\n# Use\nrun", "Use"}};
  EXPECT_EQ(got, want);
  for (const Chunk& c : RecursiveTextSplitter().split(text)) EXPECT_TRUE(c.metadata.empty());
}

TEST(Markdown, HeadingPaths) {
  const std::string text =
      "intro\n# Install ##\ntext\n## Linux\n```sh\n# no heading\n```\n### Debian\n#tag\n####### seven\n    # "
      "code\n"
      "~~~\n```\n# no\n~~~\n## macOS\n# Use\n### Deep\n";
  std::vector<std::string> paths;
  for (const auto& h : text::markdown_headings(text)) {
    EXPECT_TRUE(h.byte == 0 || text[h.byte - 1] == '\n');
    paths.push_back(h.path);
  }
  EXPECT_EQ(paths, (Texts{"Install", "Install > Linux", "Install > Linux > Debian", "Install > macOS", "Use",
                          "Use > Deep"}));
}

}  // namespace
}  // namespace vecstore
