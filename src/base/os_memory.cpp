#include "base/os_memory.hpp"

#include <sys/mman.h>

#include <cstring>
#include <new>

namespace vecstore::os {

AlignedBytes allocate_bytes(std::size_t bytes) {
  constexpr std::size_t kHugePage = std::size_t{2} << 20;
  const std::size_t alignment = bytes >= kHugePage ? kHugePage : 64;
  if (bytes > SIZE_MAX - alignment) throw std::bad_alloc();
  const std::size_t rounded = (bytes / alignment + 1) * alignment;
  void* p = std::aligned_alloc(alignment, rounded);
  if (!p) throw std::bad_alloc();
#if defined(MADV_HUGEPAGE)
  if (alignment == kHugePage) ::madvise(p, rounded, MADV_HUGEPAGE);
#endif
  std::memset(p, 0, rounded);
  return AlignedBytes(static_cast<std::uint8_t*>(p));
}

}  // namespace vecstore::os
