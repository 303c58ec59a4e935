#include "base/count_bits.hpp"

namespace vecstore {

std::size_t count_bits(std::span<const std::uint64_t> words) {
#if defined(__x86_64__)
  static const bool hardware = __builtin_cpu_supports("popcnt");
  if (hardware) return detail::count_bits_sse42(words.data(), words.size());
#endif
  std::size_t count = 0;
  for (const std::uint64_t w : words) count += static_cast<std::size_t>(std::popcount(w));
  return count;
}

}  // namespace vecstore
