// Keys: big-endian numbers, so that memcmp orders them as the numbers they are.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/hash.hpp"
#include "storage/format.hpp"

namespace vecstore::storage {

inline std::string main_key(MainKind kind, std::string_view rest = {}) {
  std::string k{kMainPrefix, static_cast<char>(kind)};
  return k += rest;
}
inline std::string collection_key(std::uint32_t collection) {
  std::string k = main_key(MainKind::kCollection);
  put_big_endian(k, collection);
  return k;
}
inline std::string name_key(std::uint32_t name_space, std::string_view name) {
  std::string k = main_key(MainKind::kName);
  put_big_endian(k, name_space);
  return k += name;
}
inline std::string collection_prefix(std::uint32_t collection) {
  std::string k;
  put_big_endian(k, collection);
  return k;
}
inline std::string aux_key(std::uint32_t collection, AuxKind kind, std::uint64_t number) {
  std::string k = collection_prefix(collection);
  k += static_cast<char>(kind);
  put_big_endian(k, number);
  return k;
}
/// Key of the row block that ends with `last_row`; looking up the first key >= (…, row) finds the only block
/// that can hold the row.
inline std::string vector_key(std::uint32_t collection, std::uint16_t field, std::uint64_t last_row) {
  std::string k = collection_prefix(collection);
  put_big_endian(k, field);
  put_big_endian(k, last_row);
  return k;
}
inline std::string document_key(std::uint32_t collection, std::uint64_t last_row) {
  std::string k = collection_prefix(collection);
  put_big_endian(k, last_row);
  return k;
}
inline std::string log_key(std::uint64_t sequence) {
  std::string k;
  put_big_endian(k, sequence);
  return k;
}
/// The id itself, or for ids that LMDB's 511-byte limit excludes: its first 464 bytes, 0xFF and two hashes of
/// it. 0xFF occurs in no UTF-8 text, so the forms cannot meet; order is kept down to the first 464 bytes.
inline std::string id_key(std::uint32_t collection, std::string_view id) {
  std::string k = collection_prefix(collection);
  if (id.size() <= kMaxKeyId) return k += id;
  k += id.substr(0, kMaxKeyId - 17 + 1);
  k += '\xff';
  put_big_endian(k, hash64(id));
  std::string salted("vecstore");
  put_big_endian(k, hash64(salted += id));
  return k;
}

}  // namespace vecstore::storage
