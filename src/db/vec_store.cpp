#include "vecstore/vec_store.hpp"

#include "base/error.hpp"

namespace vecstore {
namespace {
constexpr std::string_view kName = "default";
}

VecStore VecStore::open(std::string_view directory, const CollectionOptions& collection,
                        const OpenOptions& options) {
  return VecStore(VecDatabase::open(directory, options), collection);
}

std::optional<Collection> VecStore::existing() const {
  try {
    return db_.get_collection(kName);
  } catch (const Error& e) {
    if (e.code() != ErrorCode::kNotFound) throw;
    return std::nullopt;
  }
}

Collection VecStore::writable() { return db_.get_or_create_collection(kName, options_); }

std::uint64_t VecStore::erase(std::string_view id) {
  auto c = existing();
  return c ? c->erase(id) : 0;
}
std::optional<Record> VecStore::get(std::string_view id) const {
  const auto c = existing();
  return c ? c->get(id) : std::nullopt;
}
std::uint64_t VecStore::count() const {
  const auto c = existing();
  return c ? c->count() : 0;
}
Hits VecStore::query(const Query& query) const {
  const auto c = existing();
  return c ? c->query(query) : Hits{};
}
Hits VecStore::hybrid_query(const HybridQuery& query) const {
  const auto c = existing();
  return c ? c->hybrid_query(query) : Hits{};
}
Hits VecStore::query_text(std::string_view text, const TextQueryOptions& options) const {
  const auto c = existing();
  return c ? c->query_text(text, options) : Hits{};
}

}  // namespace vecstore
