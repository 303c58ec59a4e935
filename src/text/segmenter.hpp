// Segmenter: finds the words of a text in any script.
#pragma once
#include <cstddef>
#include <string_view>

namespace vecstore::text {

/// A segment is cut after this many bytes; the rest is the next segment.
inline constexpr std::size_t kMaxSegmentBytes = 255;

struct Segment {
  std::size_t start = 0;
  std::size_t end = 0;
  bool ascii = true;
};

/// Word segmentation after Unicode Standard Annex 29 with what utf8proc knows of each character:
/// - letters, digits and their marks make one segment ("E0502", "naïve"); everything else separates, the
/// underscore
///   too, so that parts of identifiers and file names are found;
/// - an apostrophe between letters and a point or comma between digits belong to the segment ("don't",
/// "3.14");
/// - no dictionaries: each Han ideograph and each Hiragana is a segment, a run of Katakana or of Hangul is
/// one, and
///   so is each base character with its marks in Thai, Lao, Myanmar and Khmer;
/// - a byte that is not valid UTF-8 separates.
class Segmenter {
 public:
  explicit Segmenter(std::string_view text) : text_(text) {}

  /// False at the end of the text.
  bool next(Segment& out);

 private:
  bool next_general(Segment& out, std::size_t start);

  std::string_view text_;
  std::size_t pos_ = 0;
};

}  // namespace vecstore::text
