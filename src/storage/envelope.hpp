// Envelope: what every stored value that is not a row block is wrapped in, so that damage and mix-ups are
// found.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "storage/format.hpp"

namespace vecstore::storage {

inline constexpr std::size_t kEnvelopeBytes = 32;

/// header (format, kind, length, collection, CRC32C, sequence, hash of the key) + payload. The CRC covers all
/// of it.
std::string seal(ValueKind kind, std::uint32_t collection, std::uint64_t sequence, std::string_view key,
                 std::string_view payload);

struct Opened {
  std::uint64_t sequence = 0;
  std::string_view payload;
};

/// Checks everything; kCorruption names what is wrong, kUnsupportedFormat a newer format.
Opened unseal(ValueKind kind, std::uint32_t collection, std::string_view key, std::string_view value);

}  // namespace vecstore::storage
