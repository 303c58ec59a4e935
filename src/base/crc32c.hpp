// CRC32C (Castagnoli), the checksum of everything that reaches the disk.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

namespace vecstore {

/// The standard CRC-32C: crc32c("123456789") == 0xE3069283. `seed` is the value of the bytes before:
/// crc32c(b, crc32c(a)) equals the value of a followed by b. Uses the CPU's instruction (several interleaved
/// lanes, tens of GB/s) where there is one, else tables.
std::uint32_t crc32c(std::span<const std::byte> data, std::uint32_t seed = 0);

/// The table form, for machines without the instruction and for tests.
std::uint32_t crc32c_portable(std::span<const std::byte> data, std::uint32_t seed = 0);

}  // namespace vecstore
