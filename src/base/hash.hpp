// A 64-bit hash whose values are stored on disk: frozen.
#pragma once
#include <cstdint>
#include <string_view>

namespace vecstore {

/// Mixes all bits into all bits (the finaliser of MurmurHash3).
constexpr std::uint64_t mix64(std::uint64_t h) {
  h = (h ^ (h >> 33)) * 0xff51afd7ed558ccdULL;
  h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53ULL;
  return h ^ (h >> 33);
}

/// FNV-1a, mixed. For keys of up to some hundred bytes; not for untrusted hash tables.
constexpr std::uint64_t hash64(std::string_view bytes) {
  std::uint64_t h = 0xcbf29ce484222325ULL;
  for (char c : bytes) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return mix64(h);
}

}  // namespace vecstore
