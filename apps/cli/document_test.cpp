// Markdown headings, kinds of files, cutting.
#include "cli/document.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include <unistd.h>

#include "cli/ingest_job.hpp"
#include "vecstore/error.hpp"

namespace vecstore::cli {
namespace {
namespace fs = std::filesystem;

class Folder {
 public:
  Folder()
      : path_(fs::temp_directory_path() /
              ("vecstore-cli-" + std::to_string(::getpid()) + "-" + std::to_string(count_++))) {
    fs::create_directories(path_);
  }
  ~Folder() { fs::remove_all(path_); }
  std::string write(const std::string& name, std::string_view bytes) const {
    const fs::path file = path_ / name;
    fs::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return file.string();
  }
  std::string path() const { return path_.string(); }

 private:
  static inline int count_ = 0;
  fs::path path_;
};

TEST(Markdown, Headings) {
  const Document document = extract_markdown(
      "---\ntitle: x\n---\n# One #\ntext\n\nTwo\n===\n```sh\n# no heading\n```\n   ### Three ##\n    # "
      "code\n#no\n- item\n---\nFour\n---\n~~~\n# open");
  std::vector<std::string> found;
  for (const Heading& heading : document.headings) {
    found.push_back(std::to_string(heading.level) + heading.text);
    EXPECT_TRUE(heading.offset == 0 || document.text[heading.offset - 1] == '\n');
    EXPECT_EQ(document.text.find(heading.text, heading.offset) < document.text.find('\n', heading.offset),
              true);
  }
  EXPECT_EQ(found, (std::vector<std::string>{"1One", "1Two", "3Three", "2Four"}));
  EXPECT_EQ(document.title, "One");
  EXPECT_EQ(heading_path(document, document.text.find("#no")), "Two > Three");
  EXPECT_EQ(heading_path(document, 0), "");
}

TEST(Markdown, WindowsLineEnds) {
  const Document document = extract_markdown("# One\r\n\r\nTwo\r\n---\r\n");
  ASSERT_EQ(document.headings.size(), 2u);
  EXPECT_EQ(document.headings[0].text, "One");
  EXPECT_EQ(document.headings[1].text, "Two");
}

TEST(Document, Extract) {
  EXPECT_EQ(extract(DocumentKind::kText,
                    "\xEF\xBB\xBF"
                    "a\r\nb")
                .text,
            "a\r\nb");
  EXPECT_THROW(extract(DocumentKind::kText, std::string_view("a\0b", 3)), Error);
  try {
    extract(DocumentKind::kMarkdown, "fine\nbad \xff\n");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("line 2"), std::string::npos);
  }
}

TEST(Document, FilesOfAFolder) {
  const Folder folder;
  folder.write("b.md", "x");
  folder.write("a/z.html", "x");
  folder.write("a/Makefile", "x");
  folder.write("README", "x");
  folder.write(".hidden/x.md", "x");
  folder.write(".secret.md", "x");
  folder.write("image.png", "x");
  fs::create_symlink(folder.path() + "/b.md", folder.path() + "/link.md");
  const FileList list = list_files({folder.path() + "/./"});
  const auto at = [&](const char* name) { return (fs::path(folder.path()) / name).generic_string(); };
  EXPECT_EQ(list.files,
            (std::vector<std::string>{at("README"), at("a/Makefile"), at("a/z.html"), at("b.md")}));
  EXPECT_EQ(list.ignored, 3u);
  EXPECT_EQ(list_files({folder.path() + "/image.png"}).files.size(), 1u);
  try {
    list_files({folder.path() + "/nothing"});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNotFound);
  }
}

TEST(Document, ChunksAreBytesOfTheText) {
  const Document document = extract_html("<title>T</title><h1>Größe</h1><p>" + std::string(500, 'x') +
                                         "</p><h2>Zwei</h2><p>änderung " + std::string(300, 'y') + "</p>");
  IngestOptions options;
  options.chunk_size = 120;
  options.overlap = 0;
  const auto chunks = cut(document, options);
  ASSERT_GT(chunks.size(), 5u);
  bool under_two = false;
  for (const Chunk& chunk : chunks) {
    EXPECT_EQ(document.text.substr(chunk.start_byte, chunk.end_byte - chunk.start_byte), chunk.text);
    EXPECT_LE(chunk.end_char - chunk.start_char, 120u);
    EXPECT_NE(chunk.text.front(), '\n');
    EXPECT_NE(chunk.text.back(), '\n');
    const Metadata metadata = chunk_metadata(document, chunk.start_byte, chunk.end_byte);
    EXPECT_EQ(metadata["title"].as_string(), "T");
    if (chunk.text.starts_with("## Zwei")) under_two = metadata["heading"].as_string() == "Größe > Zwei";
  }
  EXPECT_TRUE(under_two);

  options.splitter = "none";
  const auto whole = cut(document, options);
  ASSERT_EQ(whole.size(), 1u);
  EXPECT_EQ(whole[0].text + "\n", document.text);
  EXPECT_EQ(whole[0].end_char + 3, whole[0].end_byte);  // three letters of two bytes
}

}  // namespace
}  // namespace vecstore::cli
