// What is known of the languages that libstemmer has algorithms for.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>

namespace vecstore::text {

/// What has to happen to a word before Snowball's algorithm understands it.
enum class Prelude : std::uint8_t {
  kNone,
  kTurkish,   ///< I is the capital of ı, İ that of i.
  kRomanian,  ///< ș and ț with a comma below, as they are written today, become ş and ţ with a cedilla.
};

struct Language {
  std::string_view name;        ///< Snowball's, in lower case.
  std::string_view stop_words;  ///< Words apart by spaces, as written; empty: there is no list.
  /// Short words that lose their vowel before an apostrophe and are dropped with it: "l" in l'avion.
  std::string_view elisions;
  /// Unless the options say: é = e. Not where accented letters have a place of their own in the alphabet.
  bool folds_accents = true;
  Prelude prelude = Prelude::kNone;
};

/// In alphabetical order. A language that libstemmer has and that stands not here has no stop words.
std::span<const Language> known_languages();

}  // namespace vecstore::text
