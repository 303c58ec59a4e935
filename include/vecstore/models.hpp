// Models: turning texts into vectors, with the models of this library or with the program's own.
#pragma once
#include <concepts>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "vecstore/error.hpp"

namespace vecstore {

/// What a class needs to serve as an embedder. All members are const and may be called from several threads
/// at once.
///
/// - `name()`: what a collection stores to find the model again, 1 to 512 bytes of UTF-8.
/// - `fingerprint()`: equal for two models exactly when their vectors may be compared with each other; a
/// collection
///   refuses an embedder whose fingerprint differs from the stored one. Not empty.
/// - `dimension()`: components per vector, at least 1, the same in every call.
/// - `embed_batch(texts, out)`: writes `texts.size() * dimension()` finite floats, row i being the vector of
/// texts[i].
///   Texts are UTF-8. A text may be empty. Throw to refuse; nothing of the batch is used then.
template <class M>
concept EmbeddingModel =
    requires(const M& model, std::span<const std::string_view> texts, std::span<float> out) {
      { model.name() } -> std::convertible_to<std::string>;
      { model.fingerprint() } -> std::convertible_to<std::string>;
      { model.dimension() } -> std::convertible_to<std::size_t>;
      model.embed_batch(texts, out);
    };

namespace detail {

/// The type-erased model behind an Embedder.
class EmbedderModel {
 public:
  virtual ~EmbedderModel() = default;
  virtual std::string name() const = 0;
  virtual std::string fingerprint() const = 0;
  virtual std::size_t dimension() const = 0;
  virtual void embed_batch(std::span<const std::string_view> texts, std::span<float> out) const = 0;
};

/// Holds `Holder`, which is a model or a shared_ptr to one.
template <class Model, class Holder>
class EmbedderAdapter final : public EmbedderModel {
 public:
  explicit EmbedderAdapter(Holder holder) : holder_(std::move(holder)) {}
  std::string name() const override { return model().name(); }
  std::string fingerprint() const override { return model().fingerprint(); }
  std::size_t dimension() const override { return model().dimension(); }
  void embed_batch(std::span<const std::string_view> texts, std::span<float> out) const override {
    model().embed_batch(texts, out);
  }

 private:
  const Model& model() const {
    if constexpr (std::is_same_v<Model, Holder>) {
      return holder_;
    } else {
      return *holder_;
    }
  }
  Holder holder_;
};

}  // namespace detail

/// A handle to any embedding model: cheap to copy, safe to share between threads. Any EmbeddingModel converts
/// to it (by value, or as a shared_ptr), so `{.embedder = model}` takes a SentenceTransformer or a class of
/// the program.
///
/// The handle checks what the model returns: a vector that is missing, not finite or not of the announced
/// dimension is kInvalidArgument with the text's index; an exception of the model that is not an Error
/// becomes kIo and keeps its what(). Nothing of a failed batch is returned.
class Embedder {
 public:
  /// No embedder; `false` in a condition. Its calls throw kInvalidArgument.
  Embedder() = default;

  /// Wraps a model. Throws kInvalidArgument if its name or fingerprint is empty or its dimension is 0 or
  /// above 65,536.
  template <class M>
    requires(EmbeddingModel<std::remove_cvref_t<M>> && !std::same_as<std::remove_cvref_t<M>, Embedder>)
  Embedder(M&& model)  // NOLINT(google-explicit-constructor): the conversion is the purpose
      : Embedder(
            Erased{std::make_shared<detail::EmbedderAdapter<std::remove_cvref_t<M>, std::remove_cvref_t<M>>>(
                std::forward<M>(model))}) {}

  /// Shares a model. Throws as above, and for a null pointer.
  template <class M>
    requires EmbeddingModel<std::remove_const_t<M>>
  Embedder(std::shared_ptr<M> model)  // NOLINT(google-explicit-constructor)
      : Embedder(Erased{
            model ? std::make_shared<detail::EmbedderAdapter<std::remove_const_t<M>, std::shared_ptr<M>>>(
                        std::move(model))
                  : nullptr}) {}

  explicit operator bool() const noexcept { return model_ != nullptr; }

  /// As they were when the model was wrapped; empty and 0 for no embedder.
  const std::string& name() const noexcept { return name_; }
  const std::string& fingerprint() const noexcept { return fingerprint_; }
  std::size_t dimension() const noexcept { return dimension_; }

  std::vector<float> embed(std::string_view text) const;
  std::vector<std::vector<float>> embed_batch(std::span<const std::string_view> texts) const;
  /// Row-major; `out.size()` must be `texts.size() * dimension()`. On an error the content of `out` is
  /// unspecified.
  void embed_batch(std::span<const std::string_view> texts, std::span<float> out) const;

 private:
  struct Erased {
    std::shared_ptr<const detail::EmbedderModel> model;
  };
  explicit Embedder(Erased erased);

  std::shared_ptr<const detail::EmbedderModel> model_;
  std::string name_;
  std::string fingerprint_;
  std::size_t dimension_ = 0;
};

/// How a model computes.
enum class Precision {
  kFast,  ///< bfloat16 products with 32-bit sums where the processor has them (AMX, AVX512-BF16), else as
          ///< kF32.
  kF32,   ///< 32-bit floats throughout.
};

/// "fast", "f32".
std::string_view to_string(Precision precision);
/// The inverse; throws kInvalidArgument that lists the names.
Precision parse_precision(std::string_view name);

/// Options of SentenceTransformer::load.
struct LoadOptions {
  Precision precision = Precision::kFast;
  /// Threads that one call may use; 0 = one per processor. A call with one text uses one thread.
  std::size_t threads = 0;
  /// Further folders that hold model folders, looked at after VECSTORE_MODELS.
  std::vector<std::string> search_dirs = {};
};

/// A text embedder of the sentence-transformers family, read from a folder and computed by this library: BERT
/// encoder, WordPiece tokenizer, mean or first-token pooling, optional normalisation (Reimers and Gurevych
/// 2019, arXiv:1908.10084). Cheap to copy (copies share the weights), safe to share between threads.
///
/// The folder holds `config.json`, `model.safetensors`, `tokenizer.json` or `vocab.txt`, and optionally
/// `modules.json`, `1_Pooling/config.json`, `sentence_bert_config.json`. Texts are cut at the folder's
/// `max_seq_length` tokens, the two special ones included. Bytes that are not UTF-8 count as U+FFFD.
class SentenceTransformer {
 public:
  /// Loads a model by path or by name. A name is looked for as a path, then as a folder in each directory of
  /// the environment variable VECSTORE_MODELS (separated by ':'), of `options.search_dirs`, in
  /// share/vecstore/models of the installation and in the user's cache folder ($XDG_CACHE_HOME or
  /// ~/.cache)/vecstore/models. A text with a '/' is a path and nothing else.
  ///
  /// Errors: kNotFound that lists the places tried; kCorruption or kUnsupportedFormat that name the file and
  /// what is wrong with it; kInvalidArgument if the library was built without models. Cost: reads the weights
  /// once (a tenth of a second per 100 MB) and keeps them in memory in the form that the processor's kernels
  /// want.
  static SentenceTransformer load(std::string_view name_or_path, const LoadOptions& options = {});

  /// The name given to load, or the absolute path of the folder if it was found as a path.
  std::string name() const;
  /// A hash over weights, vocabulary and everything of the configuration that changes vectors; not over the
  /// precision.
  std::string fingerprint() const;
  std::size_t dimension() const;
  std::size_t max_seq_length() const;
  Precision precision() const;
  /// The kernels in use: "amx", "avx512-bf16", "avx512", "avx2" or "scalar".
  std::string kernels() const;

  /// The number of tokens that the model sees of the text before it is cut, special tokens included.
  std::size_t count_tokens(std::string_view text) const;

  std::vector<float> embed(std::string_view text) const;
  std::vector<std::vector<float>> embed_batch(std::span<const std::string_view> texts) const;
  /// Row-major; `out.size()` must be `texts.size() * dimension()`. Texts of any lengths may be mixed: none is
  /// padded, and a text's vector depends on the other texts of the batch only by rounding.
  void embed_batch(std::span<const std::string_view> texts, std::span<float> out) const;

 private:
  class Impl;
  explicit SentenceTransformer(std::shared_ptr<const Impl> impl);
  std::shared_ptr<const Impl> impl_;
};

/// The model that a collection's schema names: as SentenceTransformer::load, and if `name` is a path that is
/// gone, its last part is looked for by name. The caller compares the fingerprint with the stored one.
Embedder load_embedder(std::string_view name, std::span<const std::string> search_dirs);

}  // namespace vecstore
