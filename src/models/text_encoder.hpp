// A whole sentence-transformers model: tokenizer, encoder, pooling, normalisation.
#pragma once
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/model_folder.hpp"

namespace vecstore::models {

class TextEncoder {
 public:
  /// Reads the folder and packs the weights for the kernels. `threads` is the most that one call may use, 0 =
  /// no limit.
  TextEncoder(const std::filesystem::path& folder, const Kernels& kernels, std::size_t threads);

  const std::string& fingerprint() const { return fingerprint_; }
  std::size_t dimension() const { return encoder_->config().hidden; }
  std::size_t max_seq_length() const { return folder_.max_seq_length; }
  const Kernels& kernels() const { return encoder_->kernels(); }
  const WordPiece& tokenizer() const { return tokenizer_; }

  /// `out` is [texts][dimension()].
  void embed(std::span<const std::string_view> texts, std::span<float> out) const;

 private:
  void embed_window(std::span<const std::string_view> texts, float* out) const;
  void pool(const float* states, std::size_t length, std::size_t stride, float* out) const;

  ModelFolder folder_;
  WordPiece tokenizer_;
  std::size_t threads_;
  std::unique_ptr<BertEncoder> encoder_;
  std::string fingerprint_;
};

}  // namespace vecstore::models
