// Large arrays on huge pages.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

namespace vecstore::os {

struct FreeBytes {
  void operator()(std::uint8_t* p) const { std::free(p); }
};
/// Zeroed bytes, aligned to a cache line at least.
using AlignedBytes = std::unique_ptr<std::uint8_t[], FreeBytes>;

/// From 2 MiB on, the kernel is asked for huge pages: random reads then miss the address caches less often.
/// Throws std::bad_alloc.
AlignedBytes allocate_bytes(std::size_t bytes);

}  // namespace vecstore::os
