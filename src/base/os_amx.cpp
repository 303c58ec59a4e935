#include "base/os_amx.hpp"

#if defined(__linux__) && defined(__x86_64__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace vecstore {

bool os_request_amx() {
#if defined(__linux__) && defined(__x86_64__)
  // From the kernel's interface; the C library of older systems does not name them.
  constexpr long kRequestPermission = 0x1023;
  constexpr long kTileData = 18;
  static const bool allowed = syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  return allowed;
#else
  return false;
#endif
}

}  // namespace vecstore
