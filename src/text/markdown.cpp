#include "text/markdown.hpp"

#include <algorithm>
#include <array>

namespace vecstore::text {
namespace {

constexpr std::size_t kLevels = 6;

std::string_view trim(std::string_view s) {
  const auto first = s.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return s.substr(first, s.find_last_not_of(" \t\r") - first + 1);
}

/// Leading characters of one kind, behind up to three spaces.
std::size_t run_length(std::string_view line, char c) {
  return std::min(line.find_first_not_of(c), line.size());
}

std::string_view without_indent(std::string_view line) {
  const std::size_t spaces = run_length(line, ' ');
  return spaces <= 3 ? line.substr(spaces) : std::string_view{};
}

/// Without the closing run of # that a heading may have.
std::string_view heading_title(std::string_view rest) {
  rest = trim(rest);
  const auto last = rest.find_last_not_of('#');
  if (last == std::string_view::npos) return {};
  if (last + 1 < rest.size() && (rest[last] == ' ' || rest[last] == '\t')) rest = trim(rest.substr(0, last));
  return rest;
}

struct Fence {
  char mark = 0;  // 0: outside
  std::size_t length = 0;

  /// True when the line belongs to a code block, its fences included.
  bool take(std::string_view line) {
    const bool was_inside = mark != 0;
    for (const char c : {'`', '~'}) {
      const std::size_t run = run_length(line, c);
      if (run < 3) continue;
      const std::string_view rest = line.substr(run);
      if (!was_inside) {
        if (c == '`' && rest.find('`') != std::string_view::npos) return false;  // a code span, not a fence
        *this = {c, run};
        return true;
      }
      if (c == mark && run >= length && trim(rest).empty()) *this = {};
    }
    return was_inside;
  }
};

}  // namespace

const std::vector<Separator>& markdown_separators() {
  static const std::vector<Separator> kSeparators = {
      {"\n", '#', 1, kLevels, " "},
      {"```\n"},
      {"\n**", '*', 1, std::string_view::npos, "\n"},
      {"\n--", '-', 1, std::string_view::npos, "\n"},
      {"\n__", '_', 1, std::string_view::npos, "\n"},
      {"\n\n"},
      {"\n"},
      {" "},
      {""},
  };
  return kSeparators;
}

std::vector<Heading> markdown_headings(std::string_view text) {
  std::vector<Heading> out;
  std::array<std::string, kLevels> open;
  Fence fence;
  for (std::size_t start = 0, end = 0; start < text.size(); start = end + 1) {
    end = std::min(text.find('\n', start), text.size());
    const std::string_view line = without_indent(text.substr(start, end - start));
    if (fence.take(line)) continue;
    const std::size_t level = run_length(line, '#');
    if (level == 0 || level > kLevels) continue;
    const std::string_view rest = line.substr(level);
    if (!rest.empty() && rest[0] != ' ' && rest[0] != '\t' && rest[0] != '\r') continue;
    open[level - 1] = heading_title(rest);
    for (std::size_t i = level; i < kLevels; ++i) open[i].clear();
    Heading heading{start, {}};
    for (const std::string& title : open) {
      if (title.empty()) continue;
      if (!heading.path.empty()) heading.path += " > ";
      heading.path += title;
    }
    out.push_back(std::move(heading));
  }
  return out;
}

}  // namespace vecstore::text
