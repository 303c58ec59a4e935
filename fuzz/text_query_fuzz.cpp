// The query language, its analysis and highlights, over any bytes: the first two choose the analyzers.
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "text/highlighter.hpp"
#include "text/term_tree.hpp"
#include "vecstore/error.hpp"

namespace {

using namespace vecstore;

void require(bool holds) {
  if (!holds) __builtin_trap();
}

void highlight(text::Analyzer& analyzer, const text::TermTree& tree, std::string_view text) {
  text::Highlighter highlighter(analyzer, tree, 0);
  Context context;
  std::size_t end = 0;
  for (const TextRange& r : highlighter.highlights(text, context)) {
    require(r.start_byte >= end && r.start_byte < r.end_byte && r.end_byte <= text.size());
    require(r.start_char < r.end_char && r.end_char <= r.end_byte);
    end = r.end_byte;
  }
  for (const Snippet& s : highlighter.snippets(text, {.max_chars = 40, .max_snippets = 2}, context)) {
    require(s.range.end_char - s.range.start_char <= 40 && s.range.end_byte <= text.size());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  static const std::vector<std::string> names = analyzer_names();
  static const std::vector<std::string> fields{"a", "b"};
  // Made once: an analyzer costs more than a short query.
  static std::map<std::string, text::Analyzer> with_synonyms, bare;
  const std::string& name = names[data[0] % names.size()];
  const std::string& other = names[data[1] % names.size()];
  if (!with_synonyms.contains(name)) {
    AnalyzerOptions options;
    if (name.find("ngram") == std::string::npos) options.synonyms = {"wing, tail", "swept wing => x1, x2 x3"};
    with_synonyms.try_emplace(name, text::make_analyzer_spec(name, options));
  }
  text::Analyzer& first = with_synonyms.at(name);
  text::Analyzer& second = bare.try_emplace(other, other).first->second;
  first.trim();
  second.trim();
  const std::vector<text::QueryField> query_fields{{"a", &first}, {"b", &second}};
  const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
  highlight(first, analyze_query(text::match_text_query(text), query_fields).tree, text);
  try {
    const text::TextQuery query = text::parse_text_query(text, fields);
    require(text::parse_text_query(to_string(query), fields) == query);
    highlight(first, analyze_query(query, query_fields).tree, text);
  } catch (const Error& e) {
    require(e.code() == ErrorCode::kInvalidArgument);
  }
  return 0;
}
