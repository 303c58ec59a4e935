// Damaged segment files are put aside under another name, so that somebody can look at what happened.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace vecstore::shard {

/// So many are kept, the newest; those behind the newest one only while they are this large together.
inline constexpr std::size_t kMostQuarantined = 4;
inline constexpr std::uint64_t kMostQuarantinedBytes = std::uint64_t{256} << 20;

/// Renames segment `number` of a database to `<number>.vsx.bad-<milliseconds since 1970>` and removes the
/// oldest that are too many. What fails is left as it is: such a file is no part of anything.
void quarantine(const std::string& database, std::uint64_t number) noexcept;
bool is_quarantined(std::string_view file_name);
/// Removes all but the newest `keep`; how many were removed.
std::size_t trim_quarantine(const std::string& database, std::size_t keep) noexcept;

}  // namespace vecstore::shard
