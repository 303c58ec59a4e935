// Analyzer::Stream for all shapes but plain words: one segment may give several tokens, which wait in
// pending_.
#include <algorithm>
#include <array>

#include "text/analyzer.hpp"
#include "text/characters.hpp"
#include "text/utf8.hpp"

namespace vecstore::text {

bool Analyzer::Stream::next_pending(Token& token) {
  while (head_ == pending_.size()) {
    pending_.clear();
    head_ = 0;
    if (!read_more()) return false;
  }
  token = pending_[head_++];
  return true;
}

/// Reads a segment, or what belongs together, into pending_, which may stay empty. False at the end.
bool Analyzer::Stream::read_more() {
  if (analyzer_.spec_->shape == Shape::kBigrams) return read_characters();
  if (!has_segment_ && !segmenter_.next(segment_)) return false;
  has_segment_ = false;
  switch (analyzer_.spec_->shape) {
    case Shape::kNgrams:
    case Shape::kEdgeNgrams:
      put_grams(segment_);
      break;
    case Shape::kCode:
      read_identifier();
      break;
    case Shape::kWords:
    case Shape::kBigrams:
      put(term_of(segment_.start, segment_.end, segment_.ascii), position_, segment_.start, segment_.end);
      ++position_;
      break;
  }
  return true;
}

std::string_view Analyzer::Stream::term_of(std::size_t start, std::size_t end, bool ascii) {
  if (purpose_ <= Purpose::kQuery) return analyzer_.term_of(text_, {start, end, ascii});
  return analyzer_.unstopped(text_.substr(start, end - start), purpose_ == Purpose::kFuzzy);
}

bool Analyzer::Stream::read_characters() {
  const auto put_word = [&](std::size_t start, std::size_t end, bool ascii) {
    if (start == end) return;
    end_run();
    put(term_of(start, end, ascii), position_++, start, end);
  };
  if (!segmenter_.next(segment_)) {
    const bool more = run_length_ > 0;
    end_run();
    return more;
  }
  std::size_t word = segment_.start;
  if (!segment_.ascii) {
    for (std::size_t pos = segment_.start; pos < segment_.end;) {
      const std::size_t end = std::min(character_end(text_, pos), segment_.end);
      if (is_cjk(decode(text_, pos).code_point)) {
        put_word(word, pos, false);
        put_character(pos, end);
        word = end;
      }
      pos = end;
    }
  }
  put_word(word, segment_.end, segment_.ascii);
  return true;
}

void Analyzer::Stream::put_character(std::size_t start, std::size_t end) {
  if (run_length_ > 0 && last_end_ == start) {
    put(term_of(last_start_, end, false), position_ - 1, last_start_, end);
  } else {
    end_run();
  }
  ++run_length_;
  ++position_;
  last_start_ = start;
  last_end_ = end;
}

void Analyzer::Stream::end_run() {
  if (run_length_ > 0 && (purpose_ == Purpose::kDocument || run_length_ == 1)) {
    const std::size_t before = pending_.size();
    put(term_of(last_start_, last_end_, false), position_ - 1, last_start_, last_end_);
    if (purpose_ != Purpose::kDocument && pending_.size() > before) pending_.back().prefix = true;
  }
  run_length_ = 0;
}

void Analyzer::Stream::put_grams(const Segment& segment) {
  std::array<std::size_t, kMaxSegmentBytes + 1> starts;  // of the characters, and the end of the last
  std::size_t n = 0;
  for (std::size_t pos = segment.start; pos < segment.end; ++n) {
    starts[n] = pos;
    pos = segment.ascii ? pos + 1 : std::min(character_end(text_, pos), segment.end);
  }
  starts[n] = segment.end;
  const bool edge = analyzer_.spec_->shape == Shape::kEdgeNgrams;
  const bool document = purpose_ == Purpose::kDocument;
  const std::size_t longest = std::min<std::size_t>(n, analyzer_.spec_->max_gram);
  const std::size_t shortest = std::min<std::size_t>(n, document ? analyzer_.spec_->min_gram : longest);
  const auto put_gram = [&](std::size_t first, std::size_t length) {
    const std::size_t start = starts[first];
    const std::size_t end = starts[first + length];
    put(term_of(start, end, segment.ascii), position_ + static_cast<std::uint32_t>(edge ? 0 : first), start,
        end);
  };
  const std::size_t last = edge || (!document && n > 0) ? (edge ? 1 : n - longest + 1) : n;
  for (std::size_t first = 0; first < last; ++first) {
    const std::size_t left = n - first;
    for (std::size_t length = std::min(shortest, left); length <= std::min(longest, left); ++length)
      put_gram(first, length);
  }
  if (!document && n < analyzer_.spec_->min_gram && !pending_.empty()) pending_.back().prefix = true;
  position_ += static_cast<std::uint32_t>(edge ? 1 : n);
}

/// Segments with nothing but underscores between them are one identifier. segment_ is its first.
void Analyzer::Stream::read_identifier() {
  std::vector<IdentifierPart> parts;
  const std::size_t start = segment_.start;
  std::size_t end = segment_.end;
  bool ascii = segment_.ascii;
  split_identifier(text_, start, end, parts);
  while ((has_segment_ = segmenter_.next(segment_))) {
    const std::string_view gap = text_.substr(end, segment_.start - end);
    if (gap.empty() || gap.find_first_not_of('_') != std::string_view::npos ||
        segment_.end - start > kMaxSegmentBytes) {
      break;
    }
    split_identifier(text_, segment_.start, segment_.end, parts);
    end = segment_.end;
    ascii = ascii && segment_.ascii;
  }
  if (parts.size() > 1) {
    put(term_of(start, end, ascii), position_, start, end);
    if (!pending_.empty()) pending_.back().whole = true;
  }
  for (const IdentifierPart& part : parts) {
    put(term_of(part.start, part.end, ascii), position_, part.start, part.end);
    ++position_;
  }
}

}  // namespace vecstore::text
