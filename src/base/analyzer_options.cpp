#include "base/analyzer_options.hpp"

#include <limits>

#include "base/error.hpp"
#include "base/utf8.hpp"

namespace vecstore {
namespace {

std::string shown(const Metadata& value) { return value.to_json().substr(0, 80); }

bool boolean(std::string_view what, std::string_view name, const Metadata& value) {
  if (!value.is_bool()) invalid(what, ".", name, " is ", shown(value), "; true or false is wanted");
  return value.as_bool();
}

std::uint32_t number(std::string_view what, std::string_view name, const Metadata& value) {
  if (!value.is_int() || value.as_int() < 0 || value.as_int() > std::numeric_limits<std::uint32_t>::max())
    invalid(what, ".", name, " is ", shown(value), "; a whole number is wanted");
  return static_cast<std::uint32_t>(value.as_int());
}

std::vector<std::string> strings(std::string_view what, std::string_view name, const Metadata& value) {
  if (!value.is_array()) invalid(what, ".", name, " is ", shown(value), "; a list of texts is wanted");
  std::vector<std::string> out;
  for (const Metadata& element : value.as_array()) {
    if (!element.is_string())
      invalid(what, ".", name, "[", out.size(), "] is ", shown(element), "; a text is wanted");
    out.push_back(element.as_string());
  }
  return out;
}

void set_member(std::string_view what, AnalyzerOptions& out, std::string_view name, const Metadata& value) {
  if (name == "stop_words") {
    out.stop_words = strings(what, name, value);
  } else if (name == "synonyms") {
    out.synonyms = strings(what, name, value);
  } else if (name == "fold_accents") {
    out.fold_accents = boolean(what, name, value);
  } else if (name == "cjk_bigrams") {
    out.cjk_bigrams = boolean(what, name, value);
  } else if (name == "min_gram") {
    out.min_gram = number(what, name, value);
  } else if (name == "max_gram") {
    out.max_gram = number(what, name, value);
  } else {
    invalid(what, ": '", name.substr(0, 80),
            "' is unknown; known are stop_words, synonyms, fold_accents, cjk_bigrams, min_gram, max_gram");
  }
}

std::size_t check_texts(std::string_view what, std::string_view name, const std::vector<std::string>& texts,
                        std::size_t most, std::size_t most_bytes) {
  if (texts.size() > most) invalid(what, ".", name, " has ", texts.size(), " elements; the limit is ", most);
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (texts[i].empty() || texts[i].size() > most_bytes)
      invalid(what, ".", name, "[", i, "] has ", texts[i].size(), " bytes; 1 to ", most_bytes,
              " are allowed");
    if (!valid_utf8(texts[i])) invalid(what, ".", name, "[", i, "] is not valid UTF-8");
    bytes += texts[i].size();
  }
  return bytes;
}

}  // namespace

void check_analyzer_options(std::string_view what, const AnalyzerOptions& o) {
  std::size_t bytes = check_texts(what, "synonyms", o.synonyms, kMaxSynonymRules, kMaxSynonymRule);
  if (o.stop_words) bytes += check_texts(what, "stop_words", *o.stop_words, kMaxStopWords, kMaxAnalyzerText);
  if (bytes > kMaxAnalyzerBytes)
    invalid(what, ": stop words and synonyms have ", bytes, " bytes; the limit is ", kMaxAnalyzerBytes);
  for (const auto& [name, value] : {std::pair{"min_gram", o.min_gram}, std::pair{"max_gram", o.max_gram}}) {
    if (value > kMaxEdgeNgram)
      invalid(what, ".", name, " is ", value, "; 1 to ", kMaxEdgeNgram, " are allowed");
  }
}

Metadata analyzer_metadata(const AnalyzerOptions& o) {
  const auto list = [](const std::vector<std::string>& texts) {
    Metadata out = Metadata::array();
    for (const std::string& text : texts) out.push_back(Metadata(text));
    return out;
  };
  Metadata out = Metadata::object({});
  if (o.stop_words) out["stop_words"] = list(*o.stop_words);
  if (!o.synonyms.empty()) out["synonyms"] = list(o.synonyms);
  if (o.fold_accents) out["fold_accents"] = Metadata(*o.fold_accents);
  if (o.cjk_bigrams) out["cjk_bigrams"] = Metadata(true);
  if (o.min_gram != 0) out["min_gram"] = Metadata(o.min_gram);
  if (o.max_gram != 0) out["max_gram"] = Metadata(o.max_gram);
  return out;
}

AnalyzerOptions read_analyzer_options(std::string_view what, const Metadata& stored) {
  if (!stored.is_object()) invalid(what, " is ", shown(stored), "; an object is wanted");
  AnalyzerOptions out;
  for (const auto& [name, value] : stored.as_object()) set_member(what, out, name, value);
  check_analyzer_options(what, out);
  return out;
}

std::string to_json(const AnalyzerOptions& options) { return analyzer_metadata(options).to_json(); }

AnalyzerOptions parse_analyzer_options(std::string_view json) {
  return read_analyzer_options("analysis", Metadata::parse(json));
}

}  // namespace vecstore
