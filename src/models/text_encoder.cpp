#include "models/text_encoder.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.hpp"
#include "base/executor.hpp"
#include "models/content_hash.hpp"
#include "models/safetensors.hpp"

namespace vecstore::models {
namespace {

// Texts that are tokenized ahead of their encoding: bounds the memory of a call.
constexpr std::size_t kWindow = 4'096;
constexpr std::size_t kTextsPerTask = 64;

// Hashes each tensor under its name, so that the order of reading does not matter.
class HashedTensors {
 public:
  explicit HashedTensors(const std::filesystem::path& file) : file_(file), tensors_(file) {
    // Exports of a model with a head have the encoder under this prefix.
    if (!tensors_.tensors().contains("embeddings.word_embeddings.weight")) prefix_ = "bert.";
  }

  std::vector<float> read(std::string_view name, std::span<const std::size_t> shape) {
    std::vector<float> values = tensors_.floats(prefix_ + std::string(name), shape);
    for (const float v : values) {
      if (!std::isfinite(v))
        fail(ErrorCode::kCorruption, file_.string(), ": tensor \"", name,
             "\" has a value that is not finite");
    }
    ContentHash hash;
    for (const std::size_t side : shape) hash.add(std::uint64_t{side});
    hash.add(values.data(), values.size() * sizeof(float));
    hashes_[std::string(name)] = hash.hex();
    return values;
  }

  void add_to(ContentHash& hash) const {
    for (const auto& [name, value] : hashes_) {
      hash.add(name);
      hash.add(value);
    }
  }

 private:
  std::filesystem::path file_;
  Safetensors tensors_;
  std::string prefix_;
  std::map<std::string, std::string> hashes_;
};

// Everything but the weights that changes a vector. The order is frozen: collections store the result.
void hash_configuration(const ModelFolder& m, ContentHash& hash) {
  hash.add("vecstore bert 1");
  const BertConfig& b = m.bert;
  for (const std::size_t n : {b.hidden, b.inner, b.layers, b.heads, b.vocabulary, b.positions, b.types}) {
    hash.add(std::uint64_t{n});
  }
  hash.add(&b.epsilon, sizeof b.epsilon);
  hash.add(std::uint64_t{static_cast<unsigned>(b.activation)});
  hash.add(std::uint64_t{static_cast<unsigned>(m.pooling)});
  hash.add(std::uint64_t{m.normalize});
  hash.add(std::uint64_t{m.max_seq_length});
  const WordPieceConfig& t = m.tokenizer;
  hash.add(std::uint64_t{t.vocabulary.size()});
  for (const std::string& piece : t.vocabulary) hash.add(piece);
  hash.add(std::uint64_t{t.added.size()});
  for (const AddedToken& token : t.added) {
    hash.add(token.content);
    hash.add(std::uint64_t{static_cast<std::uint32_t>(token.id)});
  }
  for (const std::string* text : {&t.unknown, &t.first, &t.last, &t.continuation}) hash.add(*text);
  hash.add(std::uint64_t{t.max_word});
  for (const bool flag : {t.clean, t.split_cjk, t.strip_accents, t.lowercase}) hash.add(std::uint64_t{flag});
}

}  // namespace

TextEncoder::TextEncoder(const std::filesystem::path& folder, const Kernels& kernels, std::size_t threads)
    : folder_(read_model_folder(folder)), tokenizer_(folder_.tokenizer), threads_(threads) {
  HashedTensors tensors(folder_.weights);
  const auto read = [&](std::string_view name, std::span<const std::size_t> shape) {
    return tensors.read(name, shape);
  };
  encoder_ = std::make_unique<BertEncoder>(folder_.bert, kernels, read);
  ContentHash hash;
  hash_configuration(folder_, hash);
  tensors.add_to(hash);
  fingerprint_ = "bert1-" + hash.hex();
}

void TextEncoder::embed(std::span<const std::string_view> texts, std::span<float> out) const {
  for (std::size_t first = 0; first < texts.size(); first += kWindow) {
    embed_window(texts.subspan(first, std::min(kWindow, texts.size() - first)),
                 out.data() + first * dimension());
  }
}

void TextEncoder::embed_window(std::span<const std::string_view> texts, float* out) const {
  const std::size_t tasks = (texts.size() + kTextsPerTask - 1) / kTextsPerTask;
  std::vector<std::vector<std::int32_t>> task_ids(tasks);
  std::vector<std::uint32_t> lengths(texts.size());
  Executor::shared().parallel_for(tasks, threads_, [&](std::size_t task) {
    for (std::size_t i = task * kTextsPerTask; i < std::min(texts.size(), (task + 1) * kTextsPerTask); ++i) {
      const std::size_t before = task_ids[task].size();
      tokenizer_.encode(texts[i], folder_.max_seq_length, task_ids[task]);
      lengths[i] = static_cast<std::uint32_t>(task_ids[task].size() - before);
    }
  });
  std::vector<std::int32_t> ids;
  for (const auto& part : task_ids) ids.insert(ids.end(), part.begin(), part.end());
  std::vector<std::uint32_t> offsets = {0};
  for (const std::uint32_t length : lengths) offsets.push_back(offsets.back() + length);
  encoder_->run(ids, offsets, threads_,
                [&](std::size_t i, const float* states, std::size_t length, std::size_t stride) {
                  pool(states, length, stride, out + i * dimension());
                });
}

void TextEncoder::pool(const float* states, std::size_t length, std::size_t stride, float* out) const {
  const std::size_t width = dimension();
  std::copy(states, states + width, out);
  if (folder_.pooling == Pooling::kMean) {
    for (std::size_t t = 1; t < length; ++t) {
      for (std::size_t j = 0; j < width; ++j) out[j] += states[t * stride + j];
    }
    for (std::size_t j = 0; j < width; ++j) out[j] /= static_cast<float>(length);
  }
  if (folder_.normalize) {
    float square = 0;
    for (std::size_t j = 0; j < width; ++j) square += out[j] * out[j];
    const float norm = std::max(std::sqrt(square), 1e-12f);
    for (std::size_t j = 0; j < width; ++j) out[j] /= norm;
  }
}

}  // namespace vecstore::models
