// A sentence-transformers folder: what its configuration files say.
#pragma once
#include <filesystem>
#include <string>

#include "models/bert.hpp"
#include "models/wordpiece.hpp"

namespace vecstore::models {

enum class Pooling { kMean, kFirst };

struct ModelFolder {
  BertConfig bert;
  WordPieceConfig tokenizer;
  Pooling pooling = Pooling::kMean;
  bool normalize = false;
  std::size_t max_seq_length = 0;
  std::filesystem::path weights;
};

/// Reads and checks every configuration file. Throws kNotFound or kCorruption that name the file,
/// kUnsupportedFormat that names the setting which this library does not compute.
ModelFolder read_model_folder(const std::filesystem::path& folder);

/// The tokenizer's part: tokenizer.json, or vocab.txt with tokenizer_config.json.
WordPieceConfig read_tokenizer(const std::filesystem::path& folder);

}  // namespace vecstore::models
