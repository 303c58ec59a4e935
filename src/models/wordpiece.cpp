#include "models/wordpiece.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "models/char_classes.hpp"

namespace vecstore::models {
namespace {

constexpr char32_t kReplacement = 0xfffd;

// Decodes one code point from a text that is not empty and removes its bytes; U+FFFD for what is not UTF-8
// (overlong forms, surrogates, broken sequences).
char32_t take_code_point(std::string_view& text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  std::size_t length = 1;
  char32_t c = lead;
  if (lead >= 0x80) {
    length = lead >= 0xf0 && lead <= 0xf4  ? 4
             : lead >= 0xe0 && lead < 0xf0 ? 3
             : lead >= 0xc2 && lead < 0xe0 ? 2
                                           : 0;
    c = length == 4 ? lead & 7u : length == 3 ? lead & 15u : lead & 31u;
    std::size_t good = 1;
    while (good < length && good < text.size() && (byte(good) & 0xc0u) == 0x80)
      c = c << 6 | (byte(good++) & 63u);
    const bool shortest = length == 2 || (length == 3 && c >= 0x800) || (length == 4 && c >= 0x10000);
    if (good < length || !shortest || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) {
      length = 1;
      c = kReplacement;
    }
  }
  text.remove_prefix(length);
  return c;
}

void append_utf8(std::string& out, char32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xc0 | c >> 6);
    out += static_cast<char>(0x80 | (c & 63));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xe0 | c >> 12);
    out += static_cast<char>(0x80 | (c >> 6 & 63));
    out += static_cast<char>(0x80 | (c & 63));
  } else {
    out += static_cast<char>(0xf0 | c >> 18);
    out += static_cast<char>(0x80 | (c >> 12 & 63));
    out += static_cast<char>(0x80 | (c >> 6 & 63));
    out += static_cast<char>(0x80 | (c & 63));
  }
}

}  // namespace

/// One text on its way through the stages, code point by code point.
class WordPiece::Run {
 public:
  Run(const WordPiece& tokenizer, std::size_t limit, std::vector<std::int32_t>& out)
      : t_(tokenizer), c_(tokenizer.config_), end_(out.size() + limit - 1), out_(out) {}

  bool full() const { return out_.size() >= end_; }
  void token(std::int32_t id) {
    if (!full()) out_.push_back(id);
  }

  // First stage: clean, make ideographs words.
  void add(char32_t c) {
    if (c_.clean) {
      if (c == 0 || c == kReplacement || is_bert_control(c)) return;
      if (is_bert_space(c)) c = ' ';
    }
    if (c >= 0x80 && c_.split_cjk && is_bert_ideograph(c)) {
      fold(' ');
      fold(c);
      fold(' ');
    } else {
      fold(c);
    }
  }

  // The end of the text or of the part before an added token.
  void finish() {
    flush_marks();
    end_word();
  }

 private:
  // Second stage: decompose, put marks into canonical order, drop accents.
  void fold(char32_t c) {
    if (c < 0x80 || !c_.strip_accents) {
      flush_marks();
      return lower(c);
    }
    char32_t parts[4];
    const int count = decompose(c, parts);
    for (int i = 0; i < count; ++i) {
      if (is_bert_accent(parts[i])) continue;
      const int order = combining_class(parts[i]);
      if (order == 0) {
        flush_marks();
        lower(parts[i]);
      } else {
        const auto behind = [](const Mark& a, const Mark& b) { return a.order < b.order; };
        const Mark mark{order, parts[i]};
        marks_.insert(std::upper_bound(marks_.begin(), marks_.end(), mark, behind), mark);
        if (marks_.size() >= kMostMarks) flush_marks();
      }
    }
  }

  void flush_marks() {
    for (const Mark& mark : marks_) lower(mark.c);
    marks_.clear();
  }

  void lower(char32_t c) {
    if (!c_.lowercase) return split(c);
    if (c < 0x80) return split(c >= 'A' && c <= 'Z' ? c + 32 : c);
    if (c == 0x130) {  // The only code point whose lower case is two.
      split('i');
      return split(0x307);
    }
    split(bert_lower(c));
  }

  // Third stage: words.
  void split(char32_t c) {
    if (is_bert_space(c)) return end_word();
    if (is_bert_punctuation(c)) {
      end_word();
      grow(c);
      return end_word();
    }
    grow(c);
  }

  void grow(char32_t c) {
    // One more than allowed is enough to know that the word is too long.
    if (length_ <= c_.max_word) append_utf8(word_, c);
    ++length_;
  }

  // Fourth stage: the longest piece first, from left to right.
  void end_word() {
    if (length_ == 0) return;
    pieces_.clear();
    const std::string_view word = word_;
    std::size_t begin = 0;
    while (length_ <= c_.max_word && begin < word.size()) {
      const Pieces& pieces = begin == 0 ? t_.initial_ : t_.continuing_;
      std::size_t size = std::min(word.size() - begin, t_.longest_);
      auto found = pieces.end();
      for (; size > 0; --size) {
        if (begin + size < word.size() && (static_cast<unsigned char>(word[begin + size]) & 0xc0u) == 0x80)
          continue;
        found = pieces.find(word.substr(begin, size));
        if (found != pieces.end()) break;
      }
      if (size == 0) break;
      pieces_.push_back(found->second);
      begin += size;
    }
    if (begin == word.size() && length_ <= c_.max_word) {
      for (const std::int32_t piece : pieces_) token(piece);
    } else {
      token(t_.unknown_);
    }
    word_.clear();
    length_ = 0;
  }

  struct Mark {
    int order;
    char32_t c;
  };
  static constexpr std::size_t kMostMarks = 256;

  const WordPiece& t_;
  const WordPieceConfig& c_;
  std::size_t end_;
  std::vector<std::int32_t>& out_;
  std::vector<Mark> marks_;
  std::string word_;
  std::size_t length_ = 0;
  std::vector<std::int32_t> pieces_;
};

WordPiece::WordPiece(WordPieceConfig config) : config_(std::move(config)) {
  for (std::size_t id = 0; id < config_.vocabulary.size(); ++id) {
    const std::string_view piece = config_.vocabulary[id];
    if (piece.empty()) continue;
    if (!initial_.emplace(piece, static_cast<std::int32_t>(id)).second) {
      fail(ErrorCode::kCorruption, "vocabulary: the piece \"", piece, "\" has two ids, one is ", id);
    }
    longest_ = std::max(longest_, piece.size());
    if (piece.starts_with(config_.continuation)) {
      continuing_.emplace(piece.substr(config_.continuation.size()), static_cast<std::int32_t>(id));
    }
  }
  for (const AddedToken& token : config_.added)
    added_begin_[static_cast<unsigned char>(token.content.at(0))] = true;
  unknown_ = id_of(config_.unknown, "unknown token");
  first_ = id_of(config_.first, "first token");
  last_ = id_of(config_.last, "last token");
}

std::int32_t WordPiece::id_of(const std::string& token, std::string_view what) const {
  const auto it = initial_.find(token);
  if (it != initial_.end()) return it->second;
  for (const AddedToken& added : config_.added) {
    if (added.content == token) return added.id;
  }
  fail(ErrorCode::kCorruption, "vocabulary: the ", what, " \"", token, "\" is missing");
}

// The longest added token that the text begins with.
const AddedToken* WordPiece::added_at(std::string_view text) const {
  const AddedToken* best = nullptr;
  for (const AddedToken& token : config_.added) {
    if (text.starts_with(token.content) && (best == nullptr || token.content.size() > best->content.size()))
      best = &token;
  }
  return best;
}

void WordPiece::encode(std::string_view text, std::size_t limit, std::vector<std::int32_t>& out) const {
  out.push_back(first_);
  Run run(*this, limit - 1, out);
  while (!text.empty() && !run.full()) {
    if (added_begin_[static_cast<unsigned char>(text[0])]) {
      if (const AddedToken* token = added_at(text)) {
        run.finish();
        run.token(token->id);
        text.remove_prefix(token->content.size());
        continue;
      }
    }
    run.add(take_code_point(text));
  }
  run.finish();
  out.push_back(last_);
}

}  // namespace vecstore::models
