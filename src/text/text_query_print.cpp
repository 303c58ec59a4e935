// Tree to text query; what parse_text_query reads back as an equal tree.
#include <charconv>

#include "text/text_query.hpp"

namespace vecstore::text {
namespace {

using Kind = TextQuery::Kind;

std::string escaped_word(std::string_view word) {
  std::string out;
  if (word == "AND" || word == "OR" || word == "NOT") out += '\\';
  for (std::size_t i = 0; i < word.size(); ++i) {
    const bool sign = std::string_view(" \t\r\n\"()^~*:+-\\").find(word[i]) != std::string_view::npos;
    if (sign || word.substr(i).starts_with("\u3000")) out += '\\';
    out += word[i];
  }
  return out;
}

std::string quoted(std::string_view phrase) {
  std::string out = "\"";
  for (const char c : phrase) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

void print_clauses(std::string& out, const TextQuery& query);

void print(std::string& out, const TextQuery& query) {
  if (!query.field.empty()) (out += escaped_word(query.field)) += ':';
  switch (query.kind) {
    case Kind::kText:
    case Kind::kPhrase:
      out += quoted(query.text);
      if (query.slop != 0) (out += '~') += std::to_string(query.slop);
      break;
    case Kind::kWord:
    case Kind::kPrefix:
    case Kind::kFuzzy:
      out += escaped_word(query.text);
      if (query.kind == Kind::kPrefix) out += '*';
      if (query.kind == Kind::kFuzzy) (out += '~') += std::to_string(query.distance);
      break;
    case Kind::kBool:
      out += '(';
      print_clauses(out, query);
      out += ')';
      break;
  }
  if (query.boost == 1) return;
  char digits[64];
  const auto end = std::to_chars(digits, digits + sizeof digits, query.boost, std::chars_format::fixed).ptr;
  (out += '^').append(digits, end);
}

void print_clauses(std::string& out, const TextQuery& query) {
  for (std::size_t i = 0; i < query.clauses.size(); ++i) {
    if (i > 0) out += ' ';
    const TextQuery& clause = query.clauses[i];
    if (clause.occur != Occur::kShould) out += clause.occur == Occur::kMust ? '+' : '-';
    print(out, clause);
  }
}

}  // namespace

std::string to_string(const TextQuery& query) {
  std::string out;
  if (query.kind == Kind::kBool && query.boost == 1) {
    print_clauses(out, query);
  } else {
    print(out, query);
  }
  return out;
}

}  // namespace vecstore::text
