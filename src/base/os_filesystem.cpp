// is_remote_filesystem: by the numbers that statfs(2) reports, and by mount type for FUSE.
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <fstream>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/os_error.hpp"
#include "base/os_file.hpp"

namespace vecstore::os {
namespace {

constexpr std::uint32_t kFuse = 0x65735546;

constexpr std::array<std::uint32_t, 15> kRemote = {
    0x00006969,  // NFS
    0x0000517B,  // SMB
    0xFF534D42,  // CIFS
    0xFE534D42,  // SMB2
    0x01021997,  // 9p
    0x5346414F,  // AFS
    0x6B414653,  // kAFS
    0x73757245,  // Coda
    0x0000564C,  // NCP
    0x00C36400,  // Ceph
    0x0BD00BD0,  // Lustre
    0x47504653,  // GPFS
    0x01161970,  // GFS2
    0x7461636F,  // OCFS2
    0x19830326,  // BeeGFS
};

// The file system type that /proc/self/mountinfo gives for a device: the word after the lone '-'.
std::string mount_type(dev_t device) {
  std::ifstream mounts("/proc/self/mountinfo");
  const std::string wanted = concat(::major(device), ":", ::minor(device));
  for (std::string line; std::getline(mounts, line);) {
    const std::size_t first = line.find(' ');
    const std::size_t second = first == std::string::npos ? first : line.find(' ', first + 1);
    if (second == std::string::npos) continue;
    const std::size_t third = line.find(' ', second + 1);
    if (line.compare(second + 1, third - second - 1, wanted) != 0) continue;
    const std::size_t dash = line.find(" - ", third);
    if (dash == std::string::npos) continue;
    return line.substr(dash + 3, line.find(' ', dash + 3) - dash - 3);
  }
  return {};
}

bool is_remote_fuse(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return false;
  const std::string type = mount_type(info.st_dev);
  constexpr std::array<std::string_view, 6> kTypes = {"fuse.sshfs",     "fuse.s3fs",   "fuse.gcsfuse",
                                                      "fuse.glusterfs", "fuse.rclone", "fuse.curlftpfs"};
  return std::find(kTypes.begin(), kTypes.end(), type) != kTypes.end();
}

}  // namespace

bool is_remote_filesystem(const std::string& path) {
  std::string probe = path.empty() ? "." : path;
  struct statfs info{};
  while (::statfs(probe.c_str(), &info) != 0) {
    if (errno == EINTR) continue;
    if (errno != ENOENT && errno != ENOTDIR) fail_os(errno, "ask for the file system of", probe);
    const std::size_t slash = probe.find_last_of('/');
    if (slash == std::string::npos) {
      probe = ".";
    } else if (slash == 0) {
      probe = "/";
    } else {
      probe.resize(slash);
    }
  }
  const auto kind = static_cast<std::uint32_t>(info.f_type);
  if (kind == kFuse) return is_remote_fuse(probe);
  return std::find(kRemote.begin(), kRemote.end(), kind) != kRemote.end();
}

}  // namespace vecstore::os
