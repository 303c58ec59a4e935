// Folding: forms of a word that a reader takes for the same become the same bytes.
#pragma once
#include <string>
#include <string_view>

namespace vecstore::text {

enum class Accents : bool { kKeep, kDrop };

/// Unicode case folding and compatibility decomposition ("ß" is "ss", "ﬁ" is "fi"); accents on Latin and
/// Greek letters are dropped on request ("Ärzte" and "arzte" are equal), marks of other scripts, where they
/// carry vowels, are kept. The result is composed (NFC); invisible characters vanish; typographic apostrophes
/// become '. The word must be valid UTF-8.
void fold(std::string_view word, std::string& out, Accents accents = Accents::kDrop);

}  // namespace vecstore::text
