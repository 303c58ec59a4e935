// Matching of strings: LIKE patterns and words.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vecstore {

/// A LIKE pattern: % is any text, _ one code point, everything else itself (upper and lower case differ).
/// Matching is linear in the text: % never leads to trying again from an earlier place.
class LikePattern {
 public:
  /// `escape` is empty or one code point, which takes the meaning of the %, _ or itself behind it away.
  /// kInvalidArgument: a longer escape, one at the end or before another character, a pattern above
  /// kMaxLikeBytes.
  LikePattern(std::string_view pattern, std::string_view escape);
  bool matches(std::string_view text) const;

 private:
  static constexpr char32_t kOne = 0xFFFFFFFF;  // The _ in a piece.
  /// What stands between two %: code points and kOne.
  struct Piece {
    std::u32string symbols;
    std::string bytes;  // The same when there is no kOne in it, for the fast search.
    bool plain = true;
    // For the bit-parallel search of a piece with _: the positions at which each code point fits, `words`
    // each.
    std::size_t words = 0;
    std::vector<char32_t> alphabet;    // Sorted.
    std::vector<std::uint64_t> masks;  // One row per letter of the alphabet, then one for all others.
    void prepare();
    bool fits_at(std::string_view text, std::size_t& length) const;
    /// The end of the first place at or behind `from`; npos when there is none.
    std::size_t find(std::string_view text, std::size_t from) const;
  };

  std::vector<Piece> pieces_;  // n % make n + 1 pieces, of which the first and last are anchored.
};

/// The code point at `pos`, which moves behind it. For text that is not valid UTF-8 a single byte counts as
/// one.
char32_t next_code_point(std::string_view text, std::size_t& pos) noexcept;

/// The default analyzer of MATCH: runs of letters and digits, ASCII letters in lower case; bytes above 0x7F
/// are letters.
std::vector<std::string> simple_words(std::string_view text);

}  // namespace vecstore
