// RecursiveTextSplitter.
#include <algorithm>
#include <deque>
#include <utility>

#include "base/error.hpp"
#include "base/utf8.hpp"
#include "text/markdown.hpp"
#include "text/separator.hpp"
#include "text/utf8.hpp"
#include "vecstore/text.hpp"

namespace vecstore {
namespace {

using text::Separator;

struct Piece {
  std::size_t start_byte;
  std::size_t end_byte;
  std::size_t start_char;
  std::size_t end_char;

  std::size_t size() const { return end_char - start_char; }
};

std::vector<Separator> literal_separators(const std::vector<std::string>& list) {
  std::vector<Separator> out;
  for (const std::string& s : list) out.push_back({s});
  return out;
}

/// Joins neighbouring pieces, each shorter than the limit, into chunks; the last pieces of a chunk that fit
/// into the overlap begin the next one.
class Joiner {
 public:
  Joiner(std::size_t limit, std::size_t overlap, std::vector<Piece>& out)
      : limit_(limit), overlap_(overlap), out_(out) {}

  void add(const Piece& piece) {
    if (total() + piece.size() > limit_) {
      emit();
      while (total() > overlap_ || (total() > 0 && total() + piece.size() > limit_)) held_.pop_front();
    }
    held_.push_back(piece);
  }
  void flush() {
    emit();
    held_.clear();
  }

 private:
  std::size_t total() const { return held_.empty() ? 0 : held_.back().end_char - held_.front().start_char; }
  void emit() {
    if (held_.empty()) return;
    const Piece &first = held_.front(), &last = held_.back();
    out_.push_back({first.start_byte, last.end_byte, first.start_char, last.end_char});
  }

  std::size_t limit_;
  std::size_t overlap_;
  std::vector<Piece>& out_;
  std::deque<Piece> held_;  // contiguous
};

class Splitting {
 public:
  Splitting(std::string_view text, const std::vector<Separator>& separators, std::size_t limit,
            std::size_t overlap)
      : text_(text), separators_(separators), limit_(limit), overlap_(overlap), valid_(valid_utf8(text)) {}

  std::vector<Piece> run() {
    if (!text_.empty()) split({0, text_.size(), 0, text::count_characters(text_, valid_)}, 0);
    return std::move(out_);
  }

 private:
  std::string_view view(const Piece& p) const {
    return text_.substr(p.start_byte, p.end_byte - p.start_byte);
  }

  /// Cuts `whole` at the first separator, from number `first` on, that occurs in it; what is not short enough
  /// then is cut at the following ones. Depth is at most the number of separators.
  void split(const Piece& whole, std::size_t first) {
    const std::string_view content = view(whole);
    std::size_t chosen = first;
    Separator::Match match;
    while (chosen < separators_.size() && !separators_[chosen].empty()) {
      match = separators_[chosen].find(content, 0);
      if (match) break;
      ++chosen;
    }
    if (!match) return split_characters(whole);

    Joiner joiner(limit_, overlap_, out_);
    std::size_t start = whole.start_byte, chars = whole.start_char;
    const auto take = [&](std::size_t end) {
      if (end == start) return;
      Piece piece{start, end, chars, chars};
      piece.end_char += text::count_characters(view(piece), valid_);
      start = end;
      chars = piece.end_char;
      if (piece.size() < limit_) return joiner.add(piece);
      joiner.flush();
      split(piece, chosen + 1);
    };
    while (match) {
      take(whole.start_byte + match.start);
      match = separators_[chosen].find(content, match.end);
    }
    take(whole.end_byte);
    joiner.flush();
  }

  void split_characters(const Piece& whole) {
    Joiner joiner(limit_, overlap_, out_);
    std::size_t byte = whole.start_byte;
    for (std::size_t c = whole.start_char; c < whole.end_char; ++c) {
      const Piece piece{byte, byte + text::decode(text_, byte).length, c, c + 1};
      joiner.add(piece);
      byte = piece.end_byte;
    }
    joiner.flush();
  }

  std::string_view text_;
  const std::vector<Separator>& separators_;
  std::size_t limit_;
  std::size_t overlap_;
  bool valid_;
  std::vector<Piece> out_;
};

void set_headings(std::string_view text, std::vector<Chunk>& chunks) {
  const std::vector<text::Heading> headings = text::markdown_headings(text);
  std::size_t next = 0;  // the first heading behind the chunk's start; chunks are in the order of the text
  for (Chunk& chunk : chunks) {
    const std::size_t blank = chunk.text.find_first_not_of(" \t\r\n");
    const std::size_t visible = chunk.start_byte + (blank == std::string::npos ? 0 : blank);
    while (next > 0 && headings[next - 1].byte > visible) --next;
    while (next < headings.size() && headings[next].byte <= visible) ++next;
    if (next > 0 && !headings[next - 1].path.empty()) chunk.metadata["heading"] = headings[next - 1].path;
  }
}

}  // namespace

RecursiveTextSplitter::RecursiveTextSplitter() : separators_{"\n\n", "\n", " ", ""} {}

RecursiveTextSplitter RecursiveTextSplitter::markdown() {
  RecursiveTextSplitter splitter;
  splitter.preset_ = Preset::kMarkdown;
  return splitter;
}

RecursiveTextSplitter RecursiveTextSplitter::preset(std::string_view name) {
  if (name == "plain") return plain();
  if (name == "markdown") return markdown();
  invalid("splitter '", name, "' is unknown; known are plain, markdown");
}

RecursiveTextSplitter& RecursiveTextSplitter::chunk_size(std::size_t code_points) {
  chunk_size_ = code_points;
  return *this;
}

RecursiveTextSplitter& RecursiveTextSplitter::overlap(std::size_t code_points) {
  overlap_ = code_points;
  return *this;
}

RecursiveTextSplitter& RecursiveTextSplitter::separators(std::vector<std::string> list) {
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (!valid_utf8(list[i])) invalid("separators[", i, "] is not valid UTF-8");
  }
  separators_ = std::move(list);
  own_separators_ = true;
  return *this;
}

std::vector<Chunk> RecursiveTextSplitter::split(std::string_view text) const {
  if (chunk_size_ == 0) invalid("chunk_size is 0; it must be at least 1");
  if (overlap_ >= chunk_size_)
    invalid("overlap is ", overlap_, "; it must be less than chunk_size (", chunk_size_, ")");
  const bool markdown = preset_ == Preset::kMarkdown;
  const std::vector<Separator> separators =
      markdown && !own_separators_ ? text::markdown_separators() : literal_separators(separators_);

  std::vector<Chunk> chunks;
  for (const Piece& p : Splitting(text, separators, chunk_size_, overlap_).run()) {
    chunks.push_back({std::string(text.substr(p.start_byte, p.end_byte - p.start_byte)),
                      p.start_char,
                      p.end_char,
                      p.start_byte,
                      p.end_byte,
                      {}});
  }
  if (markdown) set_headings(text, chunks);
  return chunks;
}

}  // namespace vecstore
