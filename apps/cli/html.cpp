// HTML to text with libgumbo. The tree may be as deep as a hostile file likes, so nothing here recurses, and
// the tree is freed through its allocator instead of gumbo_destroy_output, which does.
#include <gumbo.h>

#include <algorithm>
#include <cstdlib>
#include <new>

#include "base/error.hpp"
#include "cli/document.hpp"

namespace vecstore::cli {
namespace {

/// Owns every block that gumbo allocates.
class Blocks {
 public:
  Blocks() { head_.next = head_.previous = &head_; }
  Blocks(const Blocks&) = delete;
  Blocks& operator=(const Blocks&) = delete;
  ~Blocks() {
    for (Link* link = head_.next; link != &head_;) {
      Link* next = link->next;
      std::free(link);
      link = next;
    }
  }

  static void* allocate(void* self, std::size_t size) {
    auto* link = static_cast<Link*>(std::malloc(sizeof(Link) + size));
    if (link == nullptr) std::abort();  // gumbo has no error path for this
    Link& head = static_cast<Blocks*>(self)->head_;
    link->next = head.next;
    link->previous = &head;
    head.next->previous = link;
    head.next = link;
    return link + 1;
  }
  static void release(void*, void* block) {
    if (block == nullptr) return;
    Link* link = static_cast<Link*>(block) - 1;
    link->next->previous = link->previous;
    link->previous->next = link->next;
    std::free(link);
  }

 private:
  struct alignas(std::max_align_t) Link {
    Link* next;
    Link* previous;
  };
  Link head_;
};

/// Builds the text. Breaks, spaces and prefixes are only noted until the next visible character, so that
/// empty elements leave no trace and no line ends in a space.
class Writer {
 public:
  /// At least `lines` newlines before the next text: 1 = a new line, 2 = a new paragraph.
  void line_break(int lines) {
    if (tight_) return;
    breaks_ = std::max(breaks_, lines);
    space_ = false;
  }
  /// Ignores breaks until the next text: the first paragraph of a list item stands on the item's line.
  void tight(bool value) { tight_ = value; }
  void indent(int delta) { indent_ += delta; }

  std::size_t prefix_size() const { return prefix_.size(); }
  /// What the next line begins with; its indentation is the one of now, the lines after it may hang deeper.
  void prefix(std::string_view text) {
    if (prefix_.empty()) prefix_indent_ = indent_;
    prefix_ += text;
  }
  /// Takes back what was noted beyond `size` and not written.
  void drop_prefix(std::size_t size) {
    if (prefix_.size() > size) prefix_.resize(size);
  }

  void text(std::string_view s) {
    for (std::size_t i = 0; i < s.size();) {
      const std::size_t special = invisible(s, i);
      if (special > 0) {
        i += special;
      } else if (const std::size_t white = whitespace(s, i); white > 0) {
        space_ = true;
        i += white;
      } else {
        before_text();
        out_ += s[i++];
      }
    }
  }

  void verbatim(std::string_view s) {
    for (const char c : s) {
      if (c == '\n') {
        if (verbatim_started_) ++verbatim_lines_;
      } else if (c != '\r') {
        const bool first = !verbatim_started_;
        if (first || verbatim_lines_ > 0) {
          // A line of blanks at the start is no text yet; blank lines inside keep their place.
          before_text(verbatim_lines_);
          verbatim_started_ = true;
          verbatim_lines_ = 0;
        }
        out_ += static_cast<unsigned char>(c) < 0x20 && c != '\t' ? ' ' : c;
      }
    }
  }
  void begin_verbatim() { verbatim_started_ = false, verbatim_lines_ = 0; }

  /// The offset where the line of the last prefix begins; valid after text was written behind it.
  std::size_t prefix_offset() const { return prefix_offset_; }
  std::size_t size() const { return out_.size(); }
  /// Between two cells, unless a cell of this row has lines of its own.
  void cell_separator(std::size_t row_begin) {
    const std::size_t first = out_.find_first_not_of("\n ", row_begin);
    if (first == std::string::npos || out_.find('\n', first) != std::string::npos) return;
    breaks_ = 0;
    text(" |");
    space_ = true;
  }
  std::string_view from(std::size_t offset) const {
    return std::string_view(out_).substr(std::min(offset, out_.size()));
  }

  std::string finish() {
    while (!out_.empty() && (out_.back() == ' ' || out_.back() == '\t' || out_.back() == '\n'))
      out_.pop_back();
    if (!out_.empty()) out_ += '\n';
    return std::move(out_);
  }

 private:
  static constexpr int kMostIndent =
      16;  // depth costs a file nothing, so it must not cost the text its square

  static std::size_t whitespace(std::string_view s, std::size_t i) {
    const auto c = static_cast<unsigned char>(s[i]);
    if (c <= 0x20 || c == 0x7f) return 1;
    return s.substr(i, 2) == "\xC2\xA0" ? 2 : 0;
  }
  /// Soft hyphen, zero-width space, byte order mark: they would split words that a reader sees whole.
  static std::size_t invisible(std::string_view s, std::size_t i) {
    if (s.substr(i, 2) == "\xC2\xAD") return 2;
    if (s.substr(i, 3) == "\xE2\x80\x8B" || s.substr(i, 3) == "\xEF\xBB\xBF") return 3;
    return 0;
  }

  void before_text(int verbatim_lines = 0) {
    if (verbatim_lines > 0) {
      out_.append(static_cast<std::size_t>(verbatim_lines), '\n');
      start_line();
    } else if (out_.empty() || breaks_ > 0) {
      if (!out_.empty()) out_.append(static_cast<std::size_t>(breaks_), '\n');
      start_line();
    } else if (space_) {
      out_ += ' ';
    }
    if (!prefix_.empty()) {
      prefix_offset_ = out_.size();
      out_ += prefix_;
      prefix_.clear();
    }
    breaks_ = 0;
    space_ = tight_ = false;
  }
  void start_line() {
    const int indent = prefix_.empty() ? indent_ : prefix_indent_;
    out_.append(static_cast<std::size_t>(std::min(indent, kMostIndent)), ' ');
  }

  std::string out_;
  std::string prefix_;
  std::size_t prefix_offset_ = 0;
  int breaks_ = 0;
  int indent_ = 0;
  int prefix_indent_ = 0;
  int verbatim_lines_ = 0;
  bool verbatim_started_ = false;
  bool space_ = false;
  bool tight_ = false;
};

enum class Style {
  kInline,
  kSkip,
  kTitle,
  kBlock,
  kParagraph,
  kHeading,
  kList,
  kItem,
  kTerm,
  kDefinition,
  kPre,
  kBreak,
  kRow,
  kCell
};

Style style_of(GumboTag tag) {
  switch (tag) {
    case GUMBO_TAG_SCRIPT:
    case GUMBO_TAG_STYLE:
    case GUMBO_TAG_NAV:
    case GUMBO_TAG_NOSCRIPT:
    case GUMBO_TAG_TEMPLATE:
    case GUMBO_TAG_SVG:
    case GUMBO_TAG_IFRAME:
    case GUMBO_TAG_OBJECT:
    case GUMBO_TAG_CANVAS:
    case GUMBO_TAG_AUDIO:
    case GUMBO_TAG_VIDEO:
    case GUMBO_TAG_SELECT:
    case GUMBO_TAG_TEXTAREA:
    case GUMBO_TAG_BUTTON:
    case GUMBO_TAG_NOFRAMES:
    case GUMBO_TAG_DATALIST:
    case GUMBO_TAG_APPLET:
      return Style::kSkip;
    case GUMBO_TAG_TITLE:
      return Style::kTitle;
    case GUMBO_TAG_P:
    case GUMBO_TAG_BLOCKQUOTE:
    case GUMBO_TAG_TABLE:
    case GUMBO_TAG_FIGURE:
    case GUMBO_TAG_HR:
    case GUMBO_TAG_ARTICLE:
    case GUMBO_TAG_SECTION:
    case GUMBO_TAG_ASIDE:
    case GUMBO_TAG_HEADER:
    case GUMBO_TAG_FOOTER:
    case GUMBO_TAG_MAIN:
    case GUMBO_TAG_FORM:
    case GUMBO_TAG_FIELDSET:
    case GUMBO_TAG_DETAILS:
      return Style::kParagraph;
    case GUMBO_TAG_DIV:
    case GUMBO_TAG_ADDRESS:
    case GUMBO_TAG_CAPTION:
    case GUMBO_TAG_FIGCAPTION:
    case GUMBO_TAG_CENTER:
    case GUMBO_TAG_LEGEND:
    case GUMBO_TAG_SUMMARY:
    case GUMBO_TAG_BODY:
    case GUMBO_TAG_HGROUP:
      return Style::kBlock;
    case GUMBO_TAG_H1:
    case GUMBO_TAG_H2:
    case GUMBO_TAG_H3:
    case GUMBO_TAG_H4:
    case GUMBO_TAG_H5:
    case GUMBO_TAG_H6:
      return Style::kHeading;
    case GUMBO_TAG_UL:
    case GUMBO_TAG_OL:
    case GUMBO_TAG_DL:
    case GUMBO_TAG_MENU:
    case GUMBO_TAG_DIR:
      return Style::kList;
    case GUMBO_TAG_LI:
      return Style::kItem;
    case GUMBO_TAG_DT:
      return Style::kTerm;
    case GUMBO_TAG_DD:
      return Style::kDefinition;
    case GUMBO_TAG_PRE:
    case GUMBO_TAG_LISTING:
    case GUMBO_TAG_XMP:
      return Style::kPre;
    case GUMBO_TAG_BR:
      return Style::kBreak;
    case GUMBO_TAG_TR:
      return Style::kRow;
    case GUMBO_TAG_TD:
    case GUMBO_TAG_TH:
      return Style::kCell;
    default:
      return Style::kInline;
  }
}

bool hidden(const GumboElement& element) {
  const GumboAttribute* style = gumbo_get_attribute(&element.attributes, "style");
  if (style != nullptr) {
    std::string value;
    for (const char* c = style->value; *c != 0; ++c)
      if (*c != ' ') value += static_cast<char>(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
    if (value.find("display:none") != std::string::npos) return true;
  }
  return gumbo_get_attribute(&element.attributes, "hidden") != nullptr;
}

class Extractor {
 public:
  void run(const GumboNode* root) {
    push(root);
    while (!stack_.empty()) {
      Frame& frame = stack_.back();
      const GumboVector* children = children_of(frame.node);
      if (children != nullptr && frame.next < children->length) {
        push(static_cast<const GumboNode*>(children->data[frame.next++]));
      } else {
        const Frame done = frame;
        stack_.pop_back();
        if (children != nullptr && done.node->type != GUMBO_NODE_DOCUMENT) leave(done);
      }
    }
    document_.kind = DocumentKind::kHtml;
    document_.text = writer_.finish();
  }
  Document take() { return std::move(document_); }

 private:
  struct Frame {
    const GumboNode* node;
    Style style = Style::kInline;
    unsigned next = 0;
    std::size_t prefix = 0;  // of the writer, when the element began
    std::size_t begin = 0;   // size of the text then
  };

  static const GumboVector* children_of(const GumboNode* node) {
    if (node->type == GUMBO_NODE_DOCUMENT) return &node->v.document.children;
    return node->type == GUMBO_NODE_ELEMENT ? &node->v.element.children : nullptr;
  }

  void push(const GumboNode* node) {
    switch (node->type) {
      case GUMBO_NODE_TEXT:
      case GUMBO_NODE_WHITESPACE:
      case GUMBO_NODE_CDATA:
        if (pre_depth_ > 0)
          writer_.verbatim(node->v.text.text);
        else
          writer_.text(node->v.text.text);
        return;
      case GUMBO_NODE_DOCUMENT:
        stack_.push_back({node});
        return;
      case GUMBO_NODE_ELEMENT: {
        const Style style = style_of(node->v.element.tag);
        if (style == Style::kTitle) {
          if (document_.title.empty()) document_.title = title_text(node->v.element);
        } else if (style != Style::kSkip && !hidden(node->v.element)) {
          stack_.push_back({node, style, 0, writer_.prefix_size(), writer_.size()});
          enter(node->v.element, style);
        }
        return;
      }
      default:
        return;  // comments; the content of <template>
    }
  }

  static std::string title_text(const GumboElement& element) {
    Writer title;
    for (unsigned i = 0; i < element.children.length; ++i) {
      const auto* child = static_cast<const GumboNode*>(element.children.data[i]);
      if (child->type == GUMBO_NODE_TEXT || child->type == GUMBO_NODE_WHITESPACE)
        title.text(child->v.text.text);
    }
    std::string text = title.finish();
    if (!text.empty()) text.pop_back();
    return text;
  }

  void enter(const GumboElement& element, Style style) {
    switch (style) {
      case Style::kBlock:
      case Style::kRow:
        writer_.line_break(1);
        break;
      case Style::kParagraph:
        writer_.line_break(2);
        break;
      case Style::kHeading:
        writer_.line_break(2);
        writer_.prefix(std::string(static_cast<std::size_t>(element.tag - GUMBO_TAG_H1 + 1), '#') + " ");
        writer_.tight(true);
        break;
      case Style::kList:
        writer_.line_break(lists_.empty() ? 2 : 1);
        lists_.push_back(element.tag == GUMBO_TAG_OL ? 1 : 0);
        break;
      case Style::kItem: {
        writer_.line_break(1);
        int* number = lists_.empty() || lists_.back() == 0 ? nullptr : &lists_.back();
        writer_.prefix(number != nullptr ? std::to_string((*number)++) + ". " : "- ");
        writer_.indent(2);
        writer_.tight(true);
        break;
      }
      case Style::kTerm:
        writer_.line_break(2);
        break;
      case Style::kDefinition:
        writer_.line_break(1);
        writer_.indent(2);
        writer_.tight(true);
        break;
      case Style::kPre:
        writer_.line_break(2);
        writer_.indent(4);
        if (pre_depth_++ == 0) writer_.begin_verbatim();
        break;
      case Style::kBreak:
        if (pre_depth_ > 0)
          writer_.verbatim("\n");
        else
          writer_.line_break(1);
        break;
      case Style::kCell:
        writer_.cell_separator(row_begin());
        writer_.tight(true);
        break;
      case Style::kInline:
      case Style::kSkip:
      case Style::kTitle:
        break;
    }
  }

  void leave(const Frame& frame) {
    switch (frame.style) {
      case Style::kBlock:
      case Style::kRow:
      case Style::kTerm:
        writer_.line_break(1);
        break;
      case Style::kParagraph:
        writer_.line_break(2);
        break;
      case Style::kHeading:
        add_heading(frame);
        writer_.drop_prefix(frame.prefix);
        writer_.tight(false);
        writer_.line_break(2);
        break;
      case Style::kList:
        lists_.pop_back();
        writer_.line_break(lists_.empty() ? 2 : 1);
        break;
      case Style::kItem:
        writer_.drop_prefix(frame.prefix);
        [[fallthrough]];
      case Style::kDefinition:
        writer_.indent(-2);
        writer_.tight(false);
        writer_.line_break(1);
        break;
      case Style::kPre:
        --pre_depth_;
        writer_.indent(-4);
        writer_.line_break(2);
        break;
      case Style::kCell:
        writer_.tight(false);
        break;
      case Style::kInline:
      case Style::kSkip:
      case Style::kTitle:
      case Style::kBreak:
        break;
    }
  }

  void add_heading(const Frame& frame) {
    if (writer_.size() == frame.begin) return;  // nothing to see in it
    const auto level = static_cast<int>(frame.node->v.element.tag - GUMBO_TAG_H1) + 1;
    const std::size_t offset = writer_.prefix_offset();
    std::string_view line = writer_.from(offset);
    const std::size_t mark = line.find(std::string(static_cast<std::size_t>(level), '#') + " ");
    if (mark == std::string_view::npos ||
        (!document_.headings.empty() && document_.headings.back().offset >= offset))
      return;
    std::string text(line.substr(mark + static_cast<std::size_t>(level) + 1));
    std::replace(text.begin(), text.end(), '\n', ' ');
    if (text.find_first_not_of(" \t") == std::string::npos) return;
    document_.headings.push_back({offset, level, std::move(text)});
  }

  std::size_t row_begin() const {
    for (auto frame = stack_.rbegin(); frame != stack_.rend(); ++frame)
      if (frame->style == Style::kRow) return frame->begin;
    return writer_.size();
  }

  Writer writer_;
  Document document_;
  std::vector<Frame> stack_;
  std::vector<int> lists_;
  int pre_depth_ = 0;
};

/// How deep the elements may lie in each other: tags that are opened and not closed, without those that the
/// parser closes by itself (a <p> ends at the next one) and those that have no content.
std::size_t nesting(std::string_view html) {
  constexpr std::string_view kNotCounted[] = {
      "p",        "li",     "dt",    "dd",  "tr",    "td",   "th",   "option", "thead", "tbody", "tfoot",
      "colgroup", "br",     "hr",    "img", "input", "link", "meta", "area",   "base",  "col",   "embed",
      "param",    "source", "track", "wbr", "html",  "head", "body", "rt",     "rp"};
  std::size_t depth = 0, most = 0;
  for (std::size_t at = html.find('<'); at != std::string_view::npos; at = html.find('<', at)) {
    if (html.substr(at, 4) == "<!--") {
      at = html.find("-->", at);
      continue;
    }
    const bool closes = html.substr(at + 1, 1) == "/";
    const std::size_t begin = at + 1 + closes;
    std::string name;
    for (at = begin; at < html.size() && name.size() < 16; ++at) {
      const char c = html[at] >= 'A' && html[at] <= 'Z' ? static_cast<char>(html[at] + 32) : html[at];
      if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9' && !name.empty()))) break;
      name += c;
    }
    if (name.empty() ||
        std::find(std::begin(kNotCounted), std::end(kNotCounted), name) != std::end(kNotCounted))
      continue;
    if (closes)
      depth -= depth > 0;
    else
      most = std::max(most, ++depth);
  }
  return most;
}

}  // namespace

Document extract_html(std::string_view html) {
  // A parser looks through all open elements at most tags: without a bound a small file could keep it busy
  // for hours. Browsers stop at some hundred levels.
  constexpr std::size_t kMostNesting = 1000;
  if (nesting(html) > kMostNesting)
    invalid("HTML elements are nested deeper than the limit of ", kMostNesting);
  Blocks blocks;
  GumboOptions options = kGumboDefaultOptions;
  options.allocator = &Blocks::allocate;
  options.deallocator = &Blocks::release;
  options.userdata = &blocks;
  options.max_errors = 0;
  const GumboOutput* output = gumbo_parse_with_options(&options, html.data(), html.size());
  Extractor extractor;
  extractor.run(output->document);
  return extractor.take();
}

}  // namespace vecstore::cli
