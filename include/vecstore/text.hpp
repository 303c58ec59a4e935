// Text: chunks with exact places, and the splitters that make them.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "vecstore/analyzer_options.hpp"
#include "vecstore/metadata.hpp"

namespace vecstore {

/// A piece of a text and its place in it: text.substr(start_byte, end_byte - start_byte) == chunk.text,
/// always. start_char and end_char count Unicode code points; both ranges are half-open.
struct Chunk {
  std::string text;
  std::size_t start_char = 0;
  std::size_t end_char = 0;
  std::size_t start_byte = 0;
  std::size_t end_byte = 0;
  Metadata metadata;  ///< What the splitter knows of it; see the splitter.
};

/// How the text of a query is read. docs/text.md has the whole.
enum class TextSyntax : std::uint8_t {
  kMatch,  ///< Plain text: every character is allowed and none has a meaning; any of the words is enough.
  kQuery,  ///< The query language: +must -not "phrases" AND OR NOT prefix* fuzzy~1 field:word word^2.
};

/// A place in a text: bytes [start_byte, end_byte), which are the code points [start_char, end_char). A byte
/// that belongs to no valid UTF-8 sequence counts as one code point.
struct TextRange {
  std::size_t start_byte = 0;
  std::size_t end_byte = 0;
  std::size_t start_char = 0;
  std::size_t end_char = 0;

  bool operator==(const TextRange&) const = default;
};

/// A piece of a text that shows why it was found.
struct Snippet {
  TextRange range;                    ///< Begins and ends at a word.
  std::vector<TextRange> highlights;  ///< What matched inside, in places of the whole text, in order.
  float score = 0;                    ///< Different terms of the query that it shows, by their boosts.

  bool operator==(const Snippet&) const = default;
};

struct SnippetOptions {
  std::size_t max_chars = 200;   ///< Longest snippet in code points, 16 to 10,000.
  std::size_t max_snippets = 1;  ///< 1 to 100; they do not overlap.
};

/// Cuts a text at the coarsest separator that occurs in it, pieces that are still too long at the next finer
/// one, and joins neighbouring pieces again up to the chunk size. Separators are kept, at the start of the
/// piece that follows them; nothing is trimmed, so the chunks cover the whole text.
///
///     auto chunks = RecursiveTextSplitter().chunk_size(500).overlap(50).split(article);
///
/// Lengths are Unicode code points; a byte that belongs to no valid UTF-8 sequence counts as one. Chunks are
/// in the order of the text, none is empty and none is longer than chunk_size. Neighbours share at most
/// `overlap` code points: whole pieces only, so often fewer. An empty text has no chunks.
///
/// The result equals that of LangChain's RecursiveCharacterTextSplitter(strip_whitespace=False) for
/// separators that end in "". Without a final "", a piece that no separator makes short enough is cut at the
/// limit, as if "" were the last.
///
/// Time is linear in the length of the text for each separator. A splitter is a plain value: copy it freely;
/// `split` is const and may be called from several threads.
class RecursiveTextSplitter {
 public:
  /// Preset "plain": paragraphs, lines, words, code points; chunk_size 1000, overlap 100.
  RecursiveTextSplitter();
  static RecursiveTextSplitter plain() { return {}; }
  /// Preset "markdown": headings, ends of code blocks, horizontal rules, then as plain. Sizes as plain. A
  /// chunk that lies under a heading of the # kind gets metadata {"heading": "Install > Linux"}: the headings
  /// in force at its first visible character, outermost first.
  static RecursiveTextSplitter markdown();
  /// A preset by its name; throws kInvalidArgument that lists the names.
  static RecursiveTextSplitter preset(std::string_view name);

  /// Longest chunk in code points, at least 1.
  RecursiveTextSplitter& chunk_size(std::size_t code_points);
  /// Most code points that two neighbours share; less than chunk_size.
  RecursiveTextSplitter& overlap(std::size_t code_points);
  /// Literal separators in UTF-8, coarsest first; those behind an empty one are never used. An empty list
  /// means {""}: cut at the limit. Throws kInvalidArgument for a separator that is not valid UTF-8.
  RecursiveTextSplitter& separators(std::vector<std::string> list);

  /// Throws kInvalidArgument when chunk_size is 0 or overlap >= chunk_size.
  std::vector<Chunk> split(std::string_view text) const;

 private:
  enum class Preset : unsigned char { kPlain, kMarkdown };

  std::size_t chunk_size_ = 1000;
  std::size_t overlap_ = 100;
  Preset preset_ = Preset::kPlain;  // selects what metadata a chunk gets
  bool own_separators_ = false;     // false: the preset's
  std::vector<std::string> separators_;
};

}  // namespace vecstore
