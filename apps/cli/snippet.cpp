// The line of a hit's text that is shown under its citation.
#include <algorithm>

#include "cli/terminal.hpp"

namespace vecstore::cli {
namespace {

/// Adds text on one line: white space becomes single blanks, nothing can drive the terminal.
void append_line(std::string& out, std::string_view piece) {
  for (const char c : printable(piece)) {
    const bool space = c == ' ' || c == '\n' || c == '\t' || c == '\r';
    if (!space)
      out += c;
    else if (!out.empty() && out.back() != ' ')
      out += ' ';
  }
}

}  // namespace

std::string snippet_line(std::string_view text, const Snippet& snippet, std::string_view on,
                         std::string_view off) {
  std::string out = snippet.range.start_byte > 0 ? "... " : "";
  std::size_t at = snippet.range.start_byte;
  for (const TextRange& highlight : snippet.highlights) {
    append_line(out, text.substr(at, highlight.start_byte - at));
    out += on;
    append_line(out, text.substr(highlight.start_byte, highlight.end_byte - highlight.start_byte));
    out += off;
    at = highlight.end_byte;
  }
  append_line(out, text.substr(at, snippet.range.end_byte - at));
  while (!out.empty() && out.back() == ' ') out.pop_back();
  if (snippet.range.end_byte < text.size()) out += " ...";
  return out;
}

std::string beginning_line(std::string_view text, std::size_t width) {
  text.remove_prefix(std::min(text.find_first_not_of(" \n\t\r"), text.size()));
  std::size_t end = std::min(width, text.size());
  // A blank near the limit is the better end; else no character is cut in two.
  const std::size_t blank = end < text.size() ? text.find_last_of(" \n\t\r", end) : std::string_view::npos;
  if (blank != std::string_view::npos && blank > width / 2) end = blank;
  while (end < text.size() && end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  Snippet beginning;
  beginning.range.end_byte = end;
  return snippet_line(text, beginning);
}

}  // namespace vecstore::cli
