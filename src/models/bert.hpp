// The BERT encoder: weights in the kernels' layout, and the division of a batch among threads.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/aligned.hpp"
#include "models/kernels.hpp"

namespace vecstore::models {

struct BertConfig {
  std::size_t hidden = 0;
  std::size_t inner = 0;
  std::size_t layers = 0;
  std::size_t heads = 0;
  std::size_t vocabulary = 0;
  std::size_t positions = 0;
  std::size_t types = 0;
  float epsilon = 1e-12f;
  Activation activation = Activation::kGelu;
};

/// Gives a tensor's values in row-major order; throws if it is missing or has another shape.
using TensorSource =
    std::function<std::vector<float>(std::string_view name, std::span<const std::size_t> shape)>;

class BertEncoder {
 public:
  BertEncoder(const BertConfig& config, const Kernels& kernels, const TensorSource& tensors);

  const BertConfig& config() const { return config_; }
  const Kernels& kernels() const { return kernels_; }

  /// Runs the sequences (none empty, none longer than config().positions, ids below config().vocabulary).
  /// `take` gets each sequence's hidden states, [length][stride]; it is called from several threads, once for
  /// each sequence. A sequence's states do not depend on the others, to the last bit. `threads` as
  /// Executor::parallel_for.
  using Take =
      std::function<void(std::size_t sequence, const float* states, std::size_t length, std::size_t stride)>;
  void run(std::span<const std::int32_t> ids, std::span<const std::uint32_t> offsets, std::size_t threads,
           const Take& take) const;

 private:
  const float* keep(std::span<const float> values, std::size_t size);
  DenseView dense(const TensorSource& tensors, std::span<const std::string> names, std::size_t in,
                  std::size_t out_each);
  NormView norm(const TensorSource& tensors, const std::string& name);
  void run_group(std::span<const std::int32_t> ids, std::span<const std::uint32_t> offsets, std::size_t first,
                 std::size_t last, const Take& take) const;

  BertConfig config_;
  const Kernels& kernels_;
  std::vector<AlignedBytes> memory_;
  std::vector<LayerView> layers_;
  EncoderView view_{};
};

}  // namespace vecstore::models
