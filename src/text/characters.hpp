// Characters as a reader counts them, and what kind they are of.
#pragma once
#include <cstddef>
#include <string_view>
#include <vector>

namespace vecstore::text {

/// End of the character that begins at `pos` (< text.size()): a code point with the marks that belong to it
/// (an extended grapheme cluster of Unicode Standard Annex 29). A damaged byte is a character of its own.
std::size_t character_end(std::string_view text, std::size_t pos);

/// Han, Hiragana, Katakana, Hangul: scripts that are indexed by pairs of characters.
bool is_cjk(char32_t code_point);

struct IdentifierPart {
  std::size_t start = 0;
  std::size_t end = 0;
};
/// Appends the parts of the bytes [start, end) of `text`, which hold letters and digits: a part begins at a
/// capital letter behind another character, and at the last capital of several when a small letter follows.
/// HTTPServer2Go: HTTP, Server2, Go.
void split_identifier(std::string_view text, std::size_t start, std::size_t end,
                      std::vector<IdentifierPart>& parts);

}  // namespace vecstore::text
