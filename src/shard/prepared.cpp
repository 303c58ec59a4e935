#include "shard/prepared.hpp"

#include "segment/dense_segment.hpp"

namespace vecstore::shard {

PreparedVector prepare_dense(std::uint16_t field, std::span<const float> values) {
  PreparedVector out;
  out.field = field;
  out.element = ElementType::kF32;
  out.inverse_norm = segment::inverse_norm(values);
  out.bytes.resize(values.size() * sizeof(float));
  auto* target = reinterpret_cast<float*>(out.bytes.data());
  for (std::size_t i = 0; i < values.size(); ++i) target[i] = values[i] + 0.0f;
  return out;
}

}  // namespace vecstore::shard
