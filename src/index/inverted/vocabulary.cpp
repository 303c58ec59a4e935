#include "index/inverted/vocabulary.hpp"

#include <functional>
#include <limits>

#include "base/error.hpp"

namespace vecstore::inverted {
namespace {
std::uint64_t hash_of(std::string_view term) { return std::hash<std::string_view>()(term); }
}  // namespace

std::uint32_t Vocabulary::find(std::string_view wanted) const {
  return table_.find(hash_of(wanted), [&](std::uint32_t id) { return term(id) == wanted; });
}

std::uint32_t Vocabulary::find_or_add(std::string_view added) {
  const std::uint64_t hash = hash_of(added);
  const std::uint32_t known = table_.find(hash, [&](std::uint32_t id) { return term(id) == added; });
  if (known != kNone) return known;
  constexpr std::size_t kLimit = std::numeric_limits<std::uint32_t>::max();
  if (bytes_.size() + added.size() > kLimit)
    fail(ErrorCode::kTooLarge, "terms of one index exceed ", kLimit, " bytes");
  const auto id = static_cast<std::uint32_t>(size());
  ends_.reserve(ends_.size() + 1 > ends_.capacity() ? ends_.size() * 2 : 0);
  bytes_.append(added);
  ends_.push_back(static_cast<std::uint32_t>(bytes_.size()));
  table_.insert(hash, id, [&](std::uint32_t i) { return hash_of(term(i)); });
  return id;
}

}  // namespace vecstore::inverted
