// In place of this folder in a build without models: loading names the option; the program's own embedders
// work.
#include "base/error.hpp"
#include "vecstore/models.hpp"

namespace vecstore {
namespace {

[[noreturn]] void fail_without_models(std::string_view name) {
  invalid("model \"", name,
          "\": this library was built with VECSTORE_WITH_MODELS=OFF; pass an embedder of your own");
}

}  // namespace

class SentenceTransformer::Impl {};

SentenceTransformer::SentenceTransformer(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
SentenceTransformer SentenceTransformer::load(std::string_view name_or_path, const LoadOptions&) {
  fail_without_models(name_or_path);
}
Embedder load_embedder(std::string_view name, std::span<const std::string>) { fail_without_models(name); }

// No object exists to call these on; they are here for the linker.
std::string SentenceTransformer::name() const { fail_without_models(""); }
std::string SentenceTransformer::fingerprint() const { fail_without_models(""); }
std::size_t SentenceTransformer::dimension() const { fail_without_models(""); }
std::size_t SentenceTransformer::max_seq_length() const { fail_without_models(""); }
Precision SentenceTransformer::precision() const { fail_without_models(""); }
std::string SentenceTransformer::kernels() const { fail_without_models(""); }
std::size_t SentenceTransformer::count_tokens(std::string_view) const { fail_without_models(""); }
std::vector<float> SentenceTransformer::embed(std::string_view) const { fail_without_models(""); }
std::vector<std::vector<float>> SentenceTransformer::embed_batch(std::span<const std::string_view>) const {
  fail_without_models("");
}
void SentenceTransformer::embed_batch(std::span<const std::string_view>, std::span<float>) const {
  fail_without_models("");
}

}  // namespace vecstore
