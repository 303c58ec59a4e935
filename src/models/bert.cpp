#include "models/bert.hpp"

#include <algorithm>
#include <array>

#include "base/error.hpp"
#include "base/executor.hpp"

namespace vecstore::models {
namespace {

// Enough rows to use a panel of weights several times while it is in the cache; few enough for the
// activations of a group to stay in the second-level cache.
constexpr std::size_t kGroupTokens = 192;
// Below this a group's share of the weights' way from memory costs more than a second thread brings.
constexpr std::size_t kSmallestGroup = 32;

const std::array<std::string, 3> kQkv = {"attention.self.query", "attention.self.key",
                                         "attention.self.value"};

std::string layer_prefix(std::size_t layer) { return concat("encoder.layer.", layer, "."); }

std::uint16_t to_bf16(float x) {
  std::uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  if ((bits & 0x7f800000u) == 0x7f800000u) return static_cast<std::uint16_t>(bits >> 16);
  return static_cast<std::uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1)) >> 16);
}

// weights[out][in] into the panels that DenseView describes, columns from `first` on.
void pack(std::span<const float> weights, std::size_t in, std::size_t in_padded, std::size_t out,
          std::size_t first, const Kernels& kernels, std::byte* to) {
  const std::size_t panel = kernels.panel;
  const std::size_t step = kernels.step;
  for (std::size_t n = 0; n < out; ++n) {
    const std::size_t column = first + n;
    const std::size_t base = column / panel * panel * in_padded + column % panel * step;
    const float* row = weights.data() + n * in;
    for (std::size_t k = 0; k < in; ++k) {
      const std::size_t at = base + k / step * panel * step + k % step;
      if (step == 1) {
        reinterpret_cast<float*>(to)[at] = row[k];
      } else {
        reinterpret_cast<std::uint16_t*>(to)[at] = to_bf16(row[k]);
      }
    }
  }
}

}  // namespace

const float* BertEncoder::keep(std::span<const float> values, std::size_t size) {
  memory_.emplace_back(size * sizeof(float));
  std::copy(values.begin(), values.end(), memory_.back().as<float>());
  return memory_.back().as<float>();
}

DenseView BertEncoder::dense(const TensorSource& tensors, std::span<const std::string> names, std::size_t in,
                             std::size_t out_each) {
  const std::size_t out = padded(out_each * names.size());
  const std::size_t element = kernels_.step == 1 ? sizeof(float) : sizeof(std::uint16_t);
  memory_.emplace_back(padded(in) * out * element);
  std::byte* weights = memory_.back().data();
  std::vector<float> bias;
  for (std::size_t i = 0; i < names.size(); ++i) {
    pack(tensors(names[i] + ".weight", std::array{out_each, in}), in, padded(in), out_each, i * out_each,
         kernels_, weights);
    const std::vector<float> part = tensors(names[i] + ".bias", std::array{out_each});
    bias.insert(bias.end(), part.begin(), part.end());
  }
  return {weights, keep(bias, out), padded(in), out};
}

NormView BertEncoder::norm(const TensorSource& tensors, const std::string& name) {
  const float* gain = keep(tensors(name + ".weight", std::array{config_.hidden}), padded(config_.hidden));
  return {gain, keep(tensors(name + ".bias", std::array{config_.hidden}), padded(config_.hidden))};
}

BertEncoder::BertEncoder(const BertConfig& config, const Kernels& kernels, const TensorSource& tensors)
    : config_(config), kernels_(kernels) {
  const BertConfig& c = config_;
  const auto one = [&](const std::string& name, std::size_t in, std::size_t out) {
    return dense(tensors, std::array{name}, in, out);
  };
  view_.hidden = c.hidden;
  view_.heads = c.heads;
  view_.epsilon = c.epsilon;
  view_.activation = c.activation;
  view_.words = keep(tensors("embeddings.word_embeddings.weight", std::array{c.vocabulary, c.hidden}),
                     c.vocabulary * c.hidden);
  std::vector<float> positions =
      tensors("embeddings.position_embeddings.weight", std::array{c.positions, c.hidden});
  const std::vector<float> types =
      tensors("embeddings.token_type_embeddings.weight", std::array{c.types, c.hidden});
  for (std::size_t i = 0; i < positions.size(); ++i) positions[i] += types[i % c.hidden];
  view_.positions = keep(positions, positions.size());
  view_.norm_embedding = norm(tensors, "embeddings.LayerNorm");
  for (std::size_t i = 0; i < c.layers; ++i) {
    const std::string p = layer_prefix(i);
    std::array<std::string, 3> qkv = kQkv;
    for (std::string& name : qkv) name.insert(0, p);
    LayerView layer{};
    layer.qkv = dense(tensors, qkv, c.hidden, c.hidden);
    layer.context = one(p + "attention.output.dense", c.hidden, c.hidden);
    layer.norm_context = norm(tensors, p + "attention.output.LayerNorm");
    layer.inner = one(p + "intermediate.dense", c.hidden, c.inner);
    layer.outer = one(p + "output.dense", c.inner, c.hidden);
    layer.norm_outer = norm(tensors, p + "output.LayerNorm");
    layers_.push_back(layer);
  }
  view_.layers = layers_;
}

void BertEncoder::run_group(std::span<const std::int32_t> ids, std::span<const std::uint32_t> offsets,
                            std::size_t first, std::size_t last, const Take& take) const {
  std::vector<std::uint32_t> local;
  std::size_t longest = 0;
  for (std::size_t i = first; i <= last; ++i) {
    local.push_back(offsets[i] - offsets[first]);
    if (i > first) longest = std::max<std::size_t>(longest, local.back() - local[local.size() - 2]);
  }
  const std::size_t rows = local.back() + kSlackRows;
  const std::size_t width = padded(config_.hidden);
  const std::size_t element = kernels_.step == 1 ? sizeof(float) : sizeof(std::uint16_t);
  const std::size_t head = padded(config_.hidden / config_.heads);
  const std::size_t square = (longest + kSlackRows) * padded(longest);

  std::array<std::size_t, 10> sizes = {rows * width * sizeof(float),
                                       rows * width * element,
                                       rows * width * element,
                                       rows * padded(3 * config_.hidden) * element,
                                       rows * padded(config_.inner) * element,
                                       square * sizeof(float),
                                       square * element,
                                       padded(longest) * head * element,
                                       padded(longest) * head * element,
                                       padded(longest) * sizeof(float)};
  std::size_t total = 0;
  std::array<std::size_t, 10> at{};
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    at[i] = total;
    total += (sizes[i] + 63) / 64 * 64;
  }
  const AlignedBytes memory(total);
  std::byte* base = memory.data();
  const Scratch scratch{reinterpret_cast<float*>(base + at[0]),
                        base + at[1],
                        base + at[2],
                        base + at[3],
                        base + at[4],
                        reinterpret_cast<float*>(base + at[5]),
                        base + at[6],
                        base + at[7],
                        base + at[8],
                        reinterpret_cast<float*>(base + at[9])};
  kernels_.forward(view_, Batch{ids.data() + offsets[first], local}, scratch);
  for (std::size_t i = 0; i + 1 < local.size(); ++i) {
    take(first + i, scratch.x + local[i] * width, local[i + 1] - local[i], width);
  }
}

void BertEncoder::run(std::span<const std::int32_t> ids, std::span<const std::uint32_t> offsets,
                      std::size_t threads, const Take& take) const {
  Executor& executor = Executor::shared();
  const std::size_t most = executor.workers() + 1;
  const std::size_t workers = threads == 0 ? most : std::min(threads, most);
  // As many groups as the threads share evenly.
  const std::size_t share = offsets.back() / workers;
  const std::size_t rounds = (share + kGroupTokens - 1) / kGroupTokens;
  const std::size_t target = std::max(kSmallestGroup, share / std::max<std::size_t>(rounds, 1));
  const std::size_t count = offsets.size() - 1;
  std::vector<std::size_t> groups = {0};
  for (std::size_t i = 1; i < count; ++i) {
    if (offsets[i + 1] - offsets[groups.back()] > target) groups.push_back(i);
  }
  groups.push_back(count);
  const auto run_one = [&](std::size_t g) { run_group(ids, offsets, groups[g], groups[g + 1], take); };
  executor.parallel_for(groups.size() - 1, workers, run_one);
}

}  // namespace vecstore::models
