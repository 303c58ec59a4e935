// Bits by the CPU's instruction; the flags of this file allow SSE4.2 and with it POPCNT.
#if defined(__x86_64__)
#include <stddef.h>
#include <stdint.h>

namespace vecstore::detail {

size_t count_bits_sse42(const uint64_t* words, size_t size) {
  size_t count = 0;
  for (size_t i = 0; i < size; ++i) count += (size_t)__builtin_popcountll(words[i]);
  return count;
}

}  // namespace vecstore::detail
#endif
