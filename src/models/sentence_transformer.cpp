#include <limits>

#include "base/error.hpp"
#include "models/model_search.hpp"
#include "models/text_encoder.hpp"
#include "vecstore/models.hpp"

namespace vecstore {

class SentenceTransformer::Impl {
 public:
  Impl(models::FoundModel found, const LoadOptions& options)
      : name(std::move(found.name)),
        precision(options.precision),
        encoder(found.folder, models::choose_kernels(options.precision == Precision::kFast),
                options.threads) {}

  std::string name;
  Precision precision;
  models::TextEncoder encoder;
};

SentenceTransformer::SentenceTransformer(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

SentenceTransformer SentenceTransformer::load(std::string_view name_or_path, const LoadOptions& options) {
  return SentenceTransformer(
      std::make_shared<const Impl>(models::find_model(name_or_path, options.search_dirs), options));
}

std::string SentenceTransformer::name() const { return impl_->name; }
std::string SentenceTransformer::fingerprint() const { return impl_->encoder.fingerprint(); }
std::size_t SentenceTransformer::dimension() const { return impl_->encoder.dimension(); }
std::size_t SentenceTransformer::max_seq_length() const { return impl_->encoder.max_seq_length(); }
Precision SentenceTransformer::precision() const { return impl_->precision; }
std::string SentenceTransformer::kernels() const { return std::string(impl_->encoder.kernels().name); }

std::size_t SentenceTransformer::count_tokens(std::string_view text) const {
  std::vector<std::int32_t> ids;
  impl_->encoder.tokenizer().encode(text, std::numeric_limits<std::int32_t>::max(), ids);
  return ids.size();
}

std::vector<float> SentenceTransformer::embed(std::string_view text) const {
  std::vector<float> out(dimension());
  embed_batch(std::span(&text, 1), out);
  return out;
}

std::vector<std::vector<float>> SentenceTransformer::embed_batch(
    std::span<const std::string_view> texts) const {
  std::vector<float> flat(texts.size() * dimension());
  embed_batch(texts, flat);
  std::vector<std::vector<float>> rows;
  rows.reserve(texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const float* row = flat.data() + i * dimension();
    rows.emplace_back(row, row + dimension());
  }
  return rows;
}

void SentenceTransformer::embed_batch(std::span<const std::string_view> texts, std::span<float> out) const {
  if (out.size() % dimension() != 0 || out.size() / dimension() != texts.size()) {
    invalid("embed_batch: room for ", out.size(), " floats does not fit ", texts.size(),
            " texts of dimension ", dimension());
  }
  impl_->encoder.embed(texts, out);
}

}  // namespace vecstore
