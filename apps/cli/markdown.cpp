// Markdown: the text stays as it is, only the headings are found.
#include <algorithm>

#include "cli/document.hpp"

namespace vecstore::cli {
namespace {

struct Line {
  std::string_view text;  ///< Without its end.
  std::size_t offset = 0;
};

std::string_view trimmed(std::string_view s) {
  const std::size_t first = s.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return s.substr(first, s.find_last_not_of(" \t\r") - first + 1);
}

/// Spaces before the text; 4 or more make it code.
std::size_t indent_of(std::string_view line) {
  const std::size_t first = line.find_first_not_of(' ');
  return first == std::string_view::npos ? line.size() : first;
}

/// Level of "## Heading", 0 when it is none; `text` loses the marks at both ends.
int atx_level(std::string_view line, std::string_view& text) {
  if (indent_of(line) > 3) return 0;
  std::string_view s = trimmed(line);
  const std::size_t marks = std::min(s.find_first_not_of('#'), s.size());
  if (marks == 0 || marks > 6 || (marks < s.size() && s[marks] != ' ' && s[marks] != '\t')) return 0;
  s = trimmed(s.substr(marks));
  if (const std::size_t last = s.find_last_not_of('#'); last == std::string_view::npos) {
    s = {};
  } else if (last + 1 < s.size() && (s[last] == ' ' || s[last] == '\t')) {
    s = trimmed(s.substr(0, last));
  }
  text = s;
  return static_cast<int>(marks);
}

/// 1 for a line of "=", 2 for a line of "-", 0 for others.
int underline_level(std::string_view line) {
  const std::string_view s = trimmed(line);
  if (s.empty() || indent_of(line) > 3) return 0;
  if (s.find_first_not_of('=') == std::string_view::npos) return 1;
  return s.find_first_not_of('-') == std::string_view::npos ? 2 : 0;
}

bool plain_paragraph_line(std::string_view line) {
  const std::string_view s = trimmed(line);
  return !s.empty() && indent_of(line) <= 3 && s.find_first_of("#>|*+-") != 0 &&
         s.find_first_not_of("=-_* ") != std::string_view::npos;
}

class HeadingFinder {
 public:
  explicit HeadingFinder(Document& document) : document_(document) {}

  void line(const Line& line, bool first) {
    if (front_matter_) {
      if (trimmed(line.text) == "---" || trimmed(line.text) == "...") front_matter_ = false;
      return;
    }
    if (first && trimmed(line.text) == "---") {
      front_matter_ = true;
      return;
    }
    if (fence(line.text)) {
      previous_ = {};
      return;
    }
    std::string_view text;
    if (const int level = atx_level(line.text, text); level > 0) {
      add(line.offset, level, text);
      previous_ = {};
    } else if (const int under = underline_level(line.text);
               under > 0 && plain_paragraph_line(previous_.text)) {
      add(previous_.offset, under, trimmed(previous_.text));
      previous_ = {};
    } else {
      previous_ = line;
    }
  }

 private:
  /// True on the lines of fenced code, the fences included.
  bool fence(std::string_view line) {
    const std::string_view s = trimmed(line);
    const char mark = s.empty() ? ' ' : s[0];
    const std::size_t length = mark == '`' || mark == '~' ? std::min(s.find_first_not_of(mark), s.size()) : 0;
    if (fence_length_ > 0) {
      if (mark == fence_mark_ && length >= fence_length_ && length == s.size()) fence_length_ = 0;
      return true;
    }
    if (length < 3 || indent_of(line) > 3 ||
        (mark == '`' && s.substr(length).find('`') != std::string_view::npos))
      return false;
    fence_mark_ = mark;
    fence_length_ = length;
    return true;
  }

  void add(std::size_t offset, int level, std::string_view text) {
    if (text.empty()) return;
    if (level == 1 && document_.title.empty()) document_.title = text;
    document_.headings.push_back({offset, level, std::string(text)});
  }

  Document& document_;
  Line previous_;
  char fence_mark_ = 0;
  std::size_t fence_length_ = 0;
  bool front_matter_ = false;
};

}  // namespace

Document extract_markdown(std::string_view markdown) {
  Document document;
  document.kind = DocumentKind::kMarkdown;
  document.text = markdown;
  HeadingFinder finder(document);
  for (std::size_t begin = 0; begin < markdown.size();) {
    const std::size_t end = std::min(markdown.find('\n', begin), markdown.size());
    finder.line({markdown.substr(begin, end - begin), begin}, begin == 0);
    begin = end + 1;
  }
  return document;
}

}  // namespace vecstore::cli
