#include "base/metadata_names.hpp"

#include <bit>

#include "base/error.hpp"

namespace vecstore {

FieldNames::~FieldNames() = default;

FieldNames::Place FieldNames::place(std::uint32_t id) noexcept {
  const auto chunk = static_cast<std::size_t>(std::bit_width(id / kFirstChunk + 1) - 1);
  return {chunk, id - kFirstChunk * ((1u << chunk) - 1)};
}

std::optional<std::uint32_t> FieldNames::find(std::string_view name) const {
  std::shared_lock lock(mutex_);
  const auto found = ids_.find(name);
  if (found == ids_.end()) return std::nullopt;
  return found->second;
}

std::optional<std::uint32_t> FieldNames::intern(std::string_view name) {
  if (const auto id = find(name)) return id;
  if (name.size() > kMaxNameBytes) return std::nullopt;
  std::unique_lock lock(mutex_);
  if (const auto found = ids_.find(name); found != ids_.end()) return found->second;
  const std::uint32_t id = size();
  if (id >= kMaxNames) return std::nullopt;
  const auto [chunk, offset] = place(id);
  if (!chunks_[chunk]) chunks_[chunk] = std::make_unique<std::string[]>(std::size_t{kFirstChunk} << chunk);
  std::string& stored = chunks_[chunk][offset];
  stored = name;
  ids_.emplace(stored, id);
  size_.store(id + 1, std::memory_order_release);
  return id;
}

std::string_view FieldNames::name(std::uint32_t id) const {
  const std::uint32_t count = size();
  if (id >= count) fail(ErrorCode::kCorruption, "metadata: field name ", id, " of ", count);
  const auto [chunk, offset] = place(id);
  return chunks_[chunk][offset];
}

}  // namespace vecstore
