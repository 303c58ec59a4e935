// RecursiveTextSplitter against the recorded results of LangChain's splitter; see
// tools/oracle/splitter_oracle.py.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "vecstore/metadata.hpp"
#include "vecstore/text.hpp"

namespace vecstore {
namespace {

std::string golden_folder() {
  const char* own = std::getenv("VECSTORE_SPLITTER_GOLDEN");
  return own ? own : std::string(VECSTORE_SOURCE_DIR) + "/tests/data/splitter";
}

std::vector<Chunk> split(const Metadata& test) {
  RecursiveTextSplitter splitter;
  if (test.contains("preset")) {
    splitter = RecursiveTextSplitter::preset(test["preset"].as_string());
  } else {
    std::vector<std::string> separators;
    for (const Metadata& s : test["separators"].as_array()) separators.push_back(s.as_string());
    splitter.separators(separators);
  }
  splitter.chunk_size(static_cast<std::size_t>(test["chunk_size"].as_int()));
  splitter.overlap(static_cast<std::size_t>(test["overlap"].as_int()));
  return splitter.split(test["text"].as_string());
}

void compare(const Metadata& test) {
  const std::string& text = test["text"].as_string();
  const std::vector<Chunk> chunks = split(test);
  const bool by_place = test.contains("places");
  const Metadata& want = by_place ? test["places"] : test["chunks"];
  ASSERT_EQ(chunks.size(), want.size());
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    const Chunk& c = chunks[i];
    ASSERT_EQ(text.substr(c.start_byte, c.end_byte - c.start_byte), c.text);
    if (by_place) {
      ASSERT_EQ(c.start_char, static_cast<std::size_t>(want.at(i).at(0).as_int())) << "chunk " << i;
      ASSERT_EQ(c.end_char, static_cast<std::size_t>(want.at(i).at(1).as_int())) << "chunk " << i;
    } else {
      ASSERT_EQ(c.text, want.at(i).as_string()) << "chunk " << i;
    }
  }
}

void compare_file(const std::string& name) {
  std::ifstream in(golden_folder() + "/" + name);
  ASSERT_TRUE(in) << golden_folder() << "/" << name << " is missing";
  std::size_t cases = 0;
  for (std::string line; std::getline(in, line); ++cases) {
    ASSERT_NO_FATAL_FAILURE(compare(Metadata::parse(line))) << name << " line " << cases + 1;
  }
  EXPECT_GE(cases, 60u);
  std::cout << name << ": " << cases << " cases\n";
}

TEST(SplitterGolden, Plain) { compare_file("plain.jsonl"); }
TEST(SplitterGolden, Markdown) { compare_file("markdown.jsonl"); }

}  // namespace
}  // namespace vecstore
