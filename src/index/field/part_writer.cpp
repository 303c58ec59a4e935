#include "index/field/part_writer.hpp"

#include "base/bytes.hpp"

namespace vecstore::fields {

void FieldPartWriter::add(const FieldPathKey& path, const FieldValues& values) {
  const std::string bytes = encode_field(values, span_);
  if (bytes.empty()) {
    overflow_ = true;
    return;
  }
  const auto header = load<FieldHeader>(bytes.data());
  entries_.push_back({path, size_, bytes.size(), header.rows, header.postings, header.ordinals()});
  sink_(bytes);
  size_ += bytes.size();
  static constexpr char kZero[64] = {};
  const std::size_t padding = (64 - size_ % 64) % 64;
  if (padding > 0) sink_({kZero, padding});
  size_ += padding;
}

void FieldPartWriter::finish(std::span<const std::uint32_t> irregular, bool overflow) {
  put_varint(directory_, span_);
  directory_ += static_cast<char>(overflow || overflow_);
  put_varint(directory_, entries_.size());
  for (const FieldEntry& e : entries_) {
    put_varint(directory_, e.path.size());
    directory_ += e.path;
    put_varint(directory_, e.offset / 64);
    for (const std::uint64_t n :
         {e.length, std::uint64_t{e.rows}, std::uint64_t{e.postings}, std::uint64_t{e.ordinals}})
      put_varint(directory_, n);
  }
  put_varint(directory_, irregular.size());
  std::uint32_t last = 0;
  for (const std::uint32_t row : irregular) {
    put_varint(directory_, row - last);
    last = row;
  }
}

}  // namespace vecstore::fields
