// Folding: forms of a word that a reader takes for the same become the same bytes.
#pragma once
#include <string>
#include <string_view>

namespace vecstore::text {

/// Unicode case folding and compatibility decomposition; accents on Latin and Greek letters are dropped
/// ("Ärzte" and "arzte" are equal, "ß" is "ss"), marks of other scripts, where they carry vowels, are kept.
/// The result is composed (NFC); invisible characters vanish; typographic apostrophes become '. The word must
/// be valid UTF-8.
void fold(std::string_view word, std::string& out);

}  // namespace vecstore::text
