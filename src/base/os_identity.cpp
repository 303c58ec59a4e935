#include "base/os_identity.hpp"

#include <sys/stat.h>

#include <cerrno>

#include "base/os_error.hpp"

namespace vecstore::os {

FileIdentity identity_of(const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) fail_os(errno, "look up", path);
  return {static_cast<std::uint64_t>(info.st_dev), static_cast<std::uint64_t>(info.st_ino)};
}

}  // namespace vecstore::os
