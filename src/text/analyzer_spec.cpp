#include "text/analyzer_spec.hpp"

#include <libstemmer.h>

#include <algorithm>
#include <map>
#include <mutex>

#include "base/analyzer_options.hpp"
#include "base/error.hpp"
#include "text/analyzer.hpp"
#include "text/fold.hpp"
#include "text/synonyms.hpp"
#include "text/term_cache.hpp"
#include "text/utf8.hpp"

namespace vecstore::text {
namespace {

/// Raise it when the same text gives other terms than before.
constexpr std::uint64_t kVersion = 2;

struct Kind {
  std::string_view name;
  Shape shape;
};
/// The analyzers that are no language.
constexpr Kind kKinds[] = {{"cjk", Shape::kBigrams},
                           {"code", Shape::kCode},
                           {"edge_ngram", Shape::kEdgeNgrams},
                           {"neutral", Shape::kWords},
                           {"ngram", Shape::kNgrams}};

std::vector<std::string> split_words(std::string_view words) {
  std::vector<std::string> out;
  while (!words.empty()) {
    const std::size_t end = std::min(words.find(' '), words.size());
    if (end > 0) out.emplace_back(words.substr(0, end));
    words.remove_prefix(std::min(end + 1, words.size()));
  }
  return out;
}

void replace_all(std::string& s, std::string_view from, std::string_view to) {
  for (std::size_t at = s.find(from); at != std::string::npos; at = s.find(from, at + to.size()))
    s.replace(at, from.size(), to);
}

const char* stemmer_named(std::string_view name) {
  for (const char** at = sb_stemmer_list(); *at != nullptr; ++at) {
    if (name == *at) return *at;
  }
  return nullptr;
}

bool set_kind(AnalyzerSpec& spec, std::string_view name) {
  for (const Kind& kind : kKinds) {
    if (kind.name == name) return spec.shape = kind.shape, true;
  }
  spec.stemmer = stemmer_named(name);
  return spec.stemmer != nullptr;
}

void set_language(AnalyzerSpec& spec) {
  for (const Language& language : known_languages()) {
    if (language.name != spec.name) continue;
    spec.prelude = language.prelude;
    spec.folds_accents = language.folds_accents;
    spec.elisions = split_words(language.elisions);
    spec.stop_words = split_words(language.stop_words);
  }
  // Only the English algorithms know no accents.
  spec.accents_first = spec.stemmer == nullptr || spec.name == "english" || spec.name == "porter";
}

/// Stop words as words of a text are seen; each has to be one word.
void normalize_stop_words(AnalyzerSpec& spec, std::string_view what) {
  std::string folded;
  for (std::size_t i = 0; i < spec.stop_words.size(); ++i) {
    std::string& word = spec.stop_words[i];
    Segment segment;
    Segmenter segments(word);
    if (!segments.next(segment) || segment.start != 0 || segment.end != word.size())
      invalid(what, ".analysis.stop_words[", i, "] is '", word.substr(0, 80), "'; one word is wanted");
    spec.normalize(word, folded);
    word = folded;
  }
  std::sort(spec.stop_words.begin(), spec.stop_words.end());
}

void set_grams(AnalyzerSpec& spec, const AnalyzerOptions& o, std::string_view what) {
  const bool edge = spec.shape == Shape::kEdgeNgrams;
  if (!edge && spec.shape != Shape::kNgrams) {
    if (o.min_gram != 0 || o.max_gram != 0)
      invalid(what, ".analysis.", o.min_gram != 0 ? "min_gram" : "max_gram", " is ",
              o.min_gram != 0 ? o.min_gram : o.max_gram, ", but the analyzer is '", spec.name,
              "'; it is for ngram and edge_ngram");
    return;
  }
  const std::uint32_t most = edge ? kMaxEdgeNgram : kMaxNgram;
  if (o.min_gram > most) invalid(what, ".analysis.min_gram is ", o.min_gram, "; 1 to ", most, " are allowed");
  if (o.max_gram > most) invalid(what, ".analysis.max_gram is ", o.max_gram, "; 1 to ", most, " are allowed");
  const std::uint32_t usual_min = edge ? 1 : 2;
  const std::uint32_t usual_max = edge ? 16 : 3;
  spec.min_gram = o.min_gram != 0   ? o.min_gram
                  : o.max_gram != 0 ? std::min(usual_min, o.max_gram)
                                    : usual_min;
  spec.max_gram = o.max_gram != 0 ? o.max_gram : std::max(usual_max, spec.min_gram);
  if (spec.min_gram > spec.max_gram)
    invalid(what, ".analysis.min_gram is ", spec.min_gram, ", above max_gram ", spec.max_gram);
  if (!edge && spec.max_gram - spec.min_gram > kMaxNgramSpread)
    invalid(what, ".analysis.max_gram is ", spec.max_gram, " and min_gram ", spec.min_gram, "; at most ",
            kMaxNgramSpread, " apart are allowed");
  const auto refuse = [&](bool given, std::string_view name) {
    if (given)
      invalid(what, ".analysis.", name, " are given, but the analyzer '", spec.name, "' knows no words");
  };
  refuse(o.stop_words && !o.stop_words->empty(), "stop_words");
  refuse(!o.synonyms.empty(), "synonyms");
}

std::uint64_t fingerprint_of(const AnalyzerSpec& spec) {
  std::string all =
      concat(kVersion, " ", spec.name, " ", static_cast<int>(spec.shape), " ", static_cast<int>(spec.prelude),
             " ", spec.folds_accents, " ", spec.min_gram, " ", spec.max_gram);
  for (const auto* words : {&spec.elisions, &spec.stop_words}) {
    all += '\n';
    for (const std::string& word : *words) (all += word) += ' ';
  }
  if (spec.stemmer != nullptr) {
    // Another version of the library would stem some of the language's own function words otherwise.
    for (const Language& language : known_languages()) {
      if (language.name != spec.name) continue;
      AnalyzerSpec bare = spec;
      bare.stop_words.clear();
      Analyzer analyzer(std::make_shared<const AnalyzerSpec>(std::move(bare)));
      for (const std::string& term : analyzer.terms(language.stop_words)) (all += term) += ' ';
    }
  }
  return TermCache::hash(all);
}

std::shared_ptr<const AnalyzerSpec> make(std::string_view name, const AnalyzerOptions& options,
                                         std::string_view what) {
  AnalyzerSpec spec;
  spec.name = name;
  if (!set_kind(spec, name)) {
    std::string known;
    for (const std::string& one : analyzer_names()) known += concat(known.empty() ? "" : ", ", one);
    invalid(what, what.empty() ? "analyzer '" : ".analyzer '", name.substr(0, 80), "' is unknown; known are ",
            known);
  }
  check_analyzer_options(concat(what, ".analysis"), options);
  set_language(spec);
  if (options.fold_accents) spec.folds_accents = *options.fold_accents;
  if (options.stop_words) spec.stop_words = *options.stop_words;
  if (options.cjk_bigrams) {
    if (spec.shape != Shape::kWords && spec.shape != Shape::kBigrams)
      invalid(what, ".analysis.cjk_bigrams is true, but the analyzer is '", name,
              "'; it is for languages and neutral");
    spec.shape = Shape::kBigrams;
  }
  set_grams(spec, options, what);
  normalize_stop_words(spec, what);
  spec.fingerprint = fingerprint_of(spec);
  if (!options.synonyms.empty()) {
    Analyzer analyzer(std::make_shared<const AnalyzerSpec>(spec));
    spec.synonyms =
        std::make_shared<const Synonyms>(options.synonyms, analyzer, concat(what, ".analysis.synonyms"));
  }
  return std::make_shared<const AnalyzerSpec>(std::move(spec));
}

}  // namespace

void AnalyzerSpec::normalize(std::string_view word, std::string& out) const {
  const Accents accents = accents_first && folds_accents ? Accents::kDrop : Accents::kKeep;
  if (prelude == Prelude::kTurkish) {
    std::string lower(word);
    replace_all(lower, "I", "ı");
    replace_all(lower, "İ", "i");
    fold(lower, out, accents);
  } else {
    fold(word, out, accents);
  }
  if (prelude == Prelude::kRomanian) {
    replace_all(out, "ș", "ş");
    replace_all(out, "ț", "ţ");
  }
  if (!elisions.empty()) out.erase(0, out.size() - without_elision(out).size());
}

std::string_view AnalyzerSpec::without_elision(std::string_view word) const {
  const std::size_t apostrophe = word.find('\'');
  if (apostrophe == std::string_view::npos || apostrophe + 1 == word.size()) return word;
  const std::string_view before = word.substr(0, apostrophe);
  const bool elided = std::find(elisions.begin(), elisions.end(), before) != elisions.end();
  return elided ? word.substr(apostrophe + 1) : word;
}

bool AnalyzerSpec::is_stop_word(std::string_view normalized) const {
  return std::binary_search(stop_words.begin(), stop_words.end(), normalized, std::less<>{});
}

std::shared_ptr<const AnalyzerSpec> find_analyzer(std::string_view name) {
  static std::mutex mutex;
  static std::map<std::string, std::shared_ptr<const AnalyzerSpec>, std::less<>> made;
  std::lock_guard lock(mutex);
  const auto known = made.find(name);
  if (known != made.end()) return known->second;
  return made.emplace(name, make(name, {}, "")).first->second;
}

std::shared_ptr<const AnalyzerSpec> make_analyzer_spec(std::string_view name, const AnalyzerOptions& options,
                                                       std::string_view what) {
  return make(name, options, what);
}

}  // namespace vecstore::text

namespace vecstore {

std::vector<std::string> analyzer_names() {
  std::vector<std::string> out;
  for (const auto& kind : text::kKinds) out.emplace_back(kind.name);
  for (const char** at = sb_stemmer_list(); *at != nullptr; ++at) out.emplace_back(*at);
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace vecstore
