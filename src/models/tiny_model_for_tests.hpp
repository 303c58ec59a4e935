// For tests: small random BERT models, their plain forward pass in double precision, and their folders on
// disk.
#pragma once
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "models/bert.hpp"

namespace vecstore::models {

/// A model that is small enough to be computed by loops.
class TinyModel {
 public:
  TinyModel(const BertConfig& config, unsigned seed) : config_(config), random_(seed) {
    const BertConfig& c = config_;
    make("embeddings.word_embeddings.weight", {c.vocabulary, c.hidden}, 1.0f);
    make("embeddings.position_embeddings.weight", {c.positions, c.hidden}, 0.5f);
    make("embeddings.token_type_embeddings.weight", {c.types, c.hidden}, 0.5f);
    norm("embeddings.LayerNorm");
    for (std::size_t i = 0; i < c.layers; ++i) {
      const std::string p = prefix(i);
      for (const char* part : {"query", "key", "value"})
        dense(p + "attention.self." + part, c.hidden, c.hidden);
      dense(p + "attention.output.dense", c.hidden, c.hidden);
      norm(p + "attention.output.LayerNorm");
      dense(p + "intermediate.dense", c.inner, c.hidden);
      dense(p + "output.dense", c.hidden, c.inner);
      norm(p + "output.LayerNorm");
    }
  }

  const BertConfig& config() const { return config_; }

  TensorSource source() const {
    return [this](std::string_view name, std::span<const std::size_t> shape) {
      const auto& [sides, values] = tensors_.at(std::string(name));
      if (!std::equal(sides.begin(), sides.end(), shape.begin(), shape.end()))
        throw std::logic_error(std::string(name));
      return values;
    };
  }

  /// Hidden states [length][hidden] of one sequence, straight from the paper's formulas.
  std::vector<double> forward(std::span<const std::int32_t> ids) const {
    const BertConfig& c = config_;
    const std::size_t n = ids.size();
    std::vector<double> x(n * c.hidden);
    for (std::size_t t = 0; t < n; ++t) {
      for (std::size_t j = 0; j < c.hidden; ++j) {
        x[t * c.hidden + j] =
            double{at("embeddings.word_embeddings.weight")[static_cast<std::size_t>(ids[t]) * c.hidden + j]} +
            at("embeddings.position_embeddings.weight")[t * c.hidden + j] +
            at("embeddings.token_type_embeddings.weight")[j];
      }
    }
    apply_norm(x, "embeddings.LayerNorm");
    for (std::size_t i = 0; i < c.layers; ++i) {
      const std::string p = prefix(i);
      const auto mixed = attend(apply(x, p + "attention.self.query", c.hidden, c.hidden),
                                apply(x, p + "attention.self.key", c.hidden, c.hidden),
                                apply(x, p + "attention.self.value", c.hidden, c.hidden), n);
      add(x, apply(mixed, p + "attention.output.dense", c.hidden, c.hidden));
      apply_norm(x, p + "attention.output.LayerNorm");
      std::vector<double> inner = apply(x, p + "intermediate.dense", c.inner, c.hidden);
      for (double& v : inner) v = activate(v);
      add(x, apply(inner, p + "output.dense", c.hidden, c.inner));
      apply_norm(x, p + "output.LayerNorm");
    }
    return x;
  }

  /// The weights as a safetensors file.
  std::string safetensors() const {
    std::string header;
    std::string data;
    for (const auto& [name, tensor] : tensors_) {
      std::string shape;
      for (const std::size_t side : tensor.first) shape += (shape.empty() ? "" : ",") + std::to_string(side);
      const std::size_t bytes = tensor.second.size() * sizeof(float);
      header += (header.empty() ? "{\"" : ",\"") + name + R"(":{"dtype":"F32","shape":[)" + shape +
                R"(],"data_offsets":[)" + std::to_string(data.size()) + "," +
                std::to_string(data.size() + bytes) + "]}";
      data.append(reinterpret_cast<const char*>(tensor.second.data()), bytes);
    }
    header += "}";
    std::string out;
    for (int i = 0; i < 8; ++i)
      out += static_cast<char>(static_cast<std::uint64_t>(header.size()) >> (8 * i));
    return out + header + data;
  }

  static void write_file(const std::filesystem::path& file, std::string_view content) {
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << content;
  }

  /// A sentence-transformers folder: mean pooling, normalised, vocabulary of letters, at most 16 tokens.
  void write_folder(const std::filesystem::path& folder) const {
    const BertConfig& c = config_;
    const auto number = [](const char* key, std::size_t n) {
      return std::string("\"") + key + "\":" + std::to_string(n) + ",";
    };
    write_file(folder / "config.json",
               "{" + number("hidden_size", c.hidden) + number("intermediate_size", c.inner) +
                   number("num_hidden_layers", c.layers) + number("num_attention_heads", c.heads) +
                   number("vocab_size", c.vocabulary) + number("max_position_embeddings", c.positions) +
                   number("type_vocab_size", c.types) + R"("model_type":"bert","hidden_act":"gelu"})");
    write_file(folder / "modules.json",
               R"([{"type":"sentence_transformers.models.Transformer","path":""},)"
               R"({"type":"sentence_transformers.models.Pooling","path":"1_Pooling"},)"
               R"({"type":"sentence_transformers.models.Normalize","path":"2_Normalize"}])");
    write_file(folder / "1_Pooling/config.json",
               R"({"pooling_mode_mean_tokens":true,"pooling_mode_cls_token":false})");
    write_file(folder / "sentence_bert_config.json", R"({"max_seq_length":16,"do_lower_case":false})");
    write_file(folder / "vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\nab\n##a\n##b\n##c\n");
    write_file(folder / "model.safetensors", safetensors());
  }

 private:
  static std::string prefix(std::size_t layer) { return "encoder.layer." + std::to_string(layer) + "."; }
  void make(const std::string& name, std::vector<std::size_t> shape, float scale, float shift = 0) {
    std::size_t count = 1;
    for (const std::size_t side : shape) count *= side;
    std::normal_distribution<float> normal(shift, scale);
    std::vector<float> values(count);
    for (float& v : values) v = normal(random_);
    tensors_[name] = {std::move(shape), std::move(values)};
  }
  void dense(const std::string& name, std::size_t out, std::size_t in) {
    make(name + ".weight", {out, in}, 1.5f / std::sqrt(static_cast<float>(in)));
    make(name + ".bias", {out}, 0.3f);
  }
  void norm(const std::string& name) {
    make(name + ".weight", {config_.hidden}, 0.1f, 1.0f);
    make(name + ".bias", {config_.hidden}, 0.1f);
  }
  const std::vector<float>& at(const std::string& name) const { return tensors_.at(name).second; }

  std::vector<double> apply(const std::vector<double>& x, const std::string& name, std::size_t out,
                            std::size_t in) const {
    const std::vector<float>& w = at(name + ".weight");
    const std::vector<float>& bias = at(name + ".bias");
    std::vector<double> y(x.size() / in * out);
    for (std::size_t i = 0; i < y.size(); ++i) {
      double sum = bias[i % out];
      for (std::size_t k = 0; k < in; ++k) sum += x[i / out * in + k] * w[i % out * in + k];
      y[i] = sum;
    }
    return y;
  }
  std::vector<double> attend(const std::vector<double>& q, const std::vector<double>& k,
                             const std::vector<double>& v, std::size_t n) const {
    const std::size_t h = config_.hidden;
    const std::size_t d = h / config_.heads;
    std::vector<double> out(n * h, 0.0);
    for (std::size_t begin = 0; begin < h; begin += d) {
      for (std::size_t i = 0; i < n; ++i) {
        std::vector<double> e(n);
        double sum = 0;
        for (std::size_t j = 0; j < n; ++j) {
          double dot = 0;
          for (std::size_t m = begin; m < begin + d; ++m) dot += q[i * h + m] * k[j * h + m];
          e[j] = std::exp(dot / std::sqrt(static_cast<double>(d)));
          sum += e[j];
        }
        for (std::size_t j = 0; j < n; ++j) {
          for (std::size_t m = begin; m < begin + d; ++m) out[i * h + m] += e[j] / sum * v[j * h + m];
        }
      }
    }
    return out;
  }
  void apply_norm(std::vector<double>& x, const std::string& name) const {
    const std::size_t h = config_.hidden;
    for (std::size_t begin = 0; begin < x.size(); begin += h) {
      double mean = 0;
      double square = 0;
      for (std::size_t j = 0; j < h; ++j) mean += x[begin + j] / static_cast<double>(h);
      for (std::size_t j = 0; j < h; ++j)
        square += (x[begin + j] - mean) * (x[begin + j] - mean) / static_cast<double>(h);
      for (std::size_t j = 0; j < h; ++j) {
        x[begin + j] = (x[begin + j] - mean) / std::sqrt(square + config_.epsilon) * at(name + ".weight")[j] +
                       at(name + ".bias")[j];
      }
    }
  }
  static void add(std::vector<double>& x, const std::vector<double>& y) {
    for (std::size_t i = 0; i < x.size(); ++i) x[i] += y[i];
  }
  double activate(double v) const {
    switch (config_.activation) {
      case Activation::kGelu:
        return 0.5 * v * (1 + std::erf(v / std::sqrt(2.0)));
      case Activation::kGeluTanh:
        return 0.5 * v * (1 + std::tanh(std::sqrt(2 / M_PI) * (v + 0.044715 * v * v * v)));
      case Activation::kRelu:
        return v > 0 ? v : 0;
    }
    return v;
  }

  BertConfig config_;
  std::mt19937 random_;
  std::map<std::string, std::pair<std::vector<std::size_t>, std::vector<float>>> tensors_;
};

}  // namespace vecstore::models
