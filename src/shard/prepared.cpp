#include "shard/prepared.hpp"

#include <bit>

#include "base/bytes.hpp"
#include "segment/dense_segment.hpp"
#include "storage/state.hpp"

namespace vecstore::shard {

PreparedVector prepare_dense(std::uint16_t field, std::span<const float> values, ByteArena& arena) {
  PreparedVector out;
  out.field = field;
  out.element = ElementType::kF32;
  out.inverse_norm = segment::inverse_norm(values);
  out.bytes = {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
  std::uint32_t minus_zeros = 0;
  for (float v : values) minus_zeros |= std::uint32_t{std::bit_cast<std::uint32_t>(v) == 0x80000000u};
  if (minus_zeros) {
    char* copy = arena.reserve(values.size_bytes());
    for (std::size_t i = 0; i < values.size(); ++i) store(copy + i * sizeof(float), values[i] + 0.0f);
    out.bytes = {copy, values.size_bytes()};
  }
  return out;
}

void PreparedBatch::add(PreparedWrite write, std::size_t first_vector) {
  write.first_vector = static_cast<std::uint32_t>(first_vector);
  write.vector_count = static_cast<std::uint32_t>(vectors.size() - first_vector);
  if (write.kind == PreparedWrite::Kind::kInsert || write.kind == PreparedWrite::Kind::kUpsert) {
    // Here the bytes are still in the cache; in the transaction they would come from memory again.
    write.content = storage::content_crc(write.document, {});
    for (const PreparedVector& v : vectors_of(write))
      write.content = storage::extend_content_crc(write.content, v.bytes);
  }
  writes.push_back(write);
}

}  // namespace vecstore::shard
