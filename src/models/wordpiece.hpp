// The tokenizer of BERT models: clean and fold the text, split at spaces and punctuation, cut words into the
// longest pieces that the vocabulary has. Gives the tokens of Hugging Face's BertTokenizer.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace vecstore::models {

struct AddedToken {
  std::string content;  ///< Found in the text as it is, before anything else; not empty.
  std::int32_t id = 0;
};

struct WordPieceConfig {
  std::vector<std::string> vocabulary;  ///< Piece of each id; ids without a piece have an empty one.
  std::vector<AddedToken> added;
  std::string unknown = "[UNK]";
  std::string first = "[CLS]";
  std::string last = "[SEP]";
  std::string continuation = "##";
  std::size_t max_word = 100;  ///< Code points; a longer word is unknown.
  bool clean = true;           ///< Drop control characters.
  bool split_cjk = true;       ///< Each ideograph is a word.
  bool strip_accents = true;
  bool lowercase = true;
};

class WordPiece {
 public:
  /// Throws kCorruption if the unknown, first or last token has no id or a piece has two.
  explicit WordPiece(WordPieceConfig config);
  WordPiece(const WordPiece&) = delete;
  WordPiece& operator=(const WordPiece&) = delete;

  const WordPieceConfig& config() const { return config_; }

  /// Appends first token, tokens of the text, last token: at most `limit` in all (limit >= 2). Reads no more
  /// of the text than that needs; memory does not depend on the text. Bytes that are not UTF-8 count as
  /// U+FFFD.
  void encode(std::string_view text, std::size_t limit, std::vector<std::int32_t>& out) const;

 private:
  class Run;
  std::int32_t id_of(const std::string& token, std::string_view what) const;
  const AddedToken* added_at(std::string_view text) const;

  using Pieces = std::unordered_map<std::string_view, std::int32_t>;
  WordPieceConfig config_;
  Pieces initial_;     // Pieces that begin a word.
  Pieces continuing_;  // Pieces after the first one, without the prefix.
  std::size_t longest_ = 0;
  bool added_begin_[256] = {};
  std::int32_t unknown_ = 0;
  std::int32_t first_ = 0;
  std::int32_t last_ = 0;
};

}  // namespace vecstore::models
