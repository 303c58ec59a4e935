// Catalogue: which collections there are, under which numbers, with which schemas. Everything happens inside
// the caller's transaction.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "catalog/schema.hpp"
#include "storage/store.hpp"

namespace vecstore::catalog {

inline constexpr std::uint32_t kDefaultNamespace = 0;  ///< The program's own.

std::optional<std::uint32_t> find_collection(const storage::Txn& txn, std::uint32_t name_space,
                                             std::string_view name);
/// (name, number) in the order of the names.
std::vector<std::pair<std::string, std::uint32_t>> list_collections(const storage::Txn& txn,
                                                                    std::uint32_t name_space);

/// kAlreadyExists when the name is taken. Returns the new number.
std::uint32_t create_collection(storage::Commit& commit, std::uint32_t name_space, std::string_view name,
                                const Schema& schema);
/// Takes the name and the record of the collection away, at once; its keys are left to `sweep`. kNotFound.
std::uint32_t drop_collection(storage::Commit& commit, std::uint32_t name_space, std::string_view name);

Schema read_schema(const storage::Txn& txn, std::uint32_t collection, const storage::CollectionState& state);
/// Stores a changed schema and counts `state.schema` up; the caller writes the state.
void write_schema(storage::Commit& commit, std::uint32_t collection, storage::CollectionState& state,
                  const Schema& schema);

/// Marks a dropped vector field's rows for `sweep`.
void drop_vector_rows(storage::Commit& commit, std::uint32_t collection, std::uint16_t field);
/// Erases up to `limit` keys of what was dropped; false when nothing is left. A crash between two sweeps
/// loses nothing: the marks are part of the truth.
bool sweep(storage::Commit& commit, std::size_t limit);

}  // namespace vecstore::catalog
