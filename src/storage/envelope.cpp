#include "storage/envelope.hpp"

#include "base/bytes.hpp"
#include "base/crc32c.hpp"
#include "base/hash.hpp"

namespace vecstore::storage {
namespace {

struct Header {
  std::uint8_t format;
  std::uint8_t kind;
  std::uint16_t zero;
  std::uint32_t length;
  std::uint32_t collection;
  std::uint32_t crc;
  std::uint64_t sequence;
  std::uint64_t key_hash;
};
static_assert(sizeof(Header) == kEnvelopeBytes);

std::uint32_t checksum(Header header, std::string_view payload) {
  header.crc = 0;
  const std::uint32_t seed = crc32c(as_byte_span({reinterpret_cast<const char*>(&header), sizeof header}));
  return crc32c(as_byte_span(payload), seed);
}

}  // namespace

std::string seal(ValueKind kind, std::uint32_t collection, std::uint64_t sequence, std::string_view key,
                 std::string_view payload) {
  Header header{kFormatVersion,
                static_cast<std::uint8_t>(kind),
                0,
                static_cast<std::uint32_t>(payload.size()),
                collection,
                0,
                sequence,
                hash64(key)};
  header.crc = checksum(header, payload);
  std::string out(reinterpret_cast<const char*>(&header), sizeof header);
  return out += payload;
}

Opened unseal(ValueKind kind, std::uint32_t collection, std::string_view key, std::string_view value) {
  const auto damaged = [&](std::string_view what) {
    fail(ErrorCode::kCorruption, "stored value of kind ", static_cast<int>(kind), " in collection ",
         collection, ": ", what);
  };
  if (value.size() < kEnvelopeBytes) damaged("shorter than its header");
  const auto header = load<Header>(value.data());
  const std::string_view payload = value.substr(kEnvelopeBytes);
  if (header.length != payload.size()) damaged("length differs from its header's");
  if (header.crc != checksum(header, payload)) damaged("checksum differs");
  if (header.format > kFormatVersion) {
    fail(ErrorCode::kUnsupportedFormat, "stored value has format ", static_cast<int>(header.format),
         ", this version reads up to ", kFormatVersion);
  }
  if (header.kind != static_cast<std::uint8_t>(kind) || header.collection != collection ||
      header.key_hash != hash64(key)) {
    damaged("belongs to another key");
  }
  return {header.sequence, payload};
}

}  // namespace vecstore::storage
