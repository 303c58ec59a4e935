// What tells two directories apart, however they are spelled.
#pragma once
#include <compare>
#include <cstdint>
#include <string>

namespace vecstore::os {

/// Device and inode: equal for the same directory through links, mounts and relative paths.
struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  auto operator<=>(const FileIdentity&) const = default;
};

/// Throws kNotFound and the like.
FileIdentity identity_of(const std::string& path);

}  // namespace vecstore::os
