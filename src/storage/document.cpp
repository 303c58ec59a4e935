#include "storage/document.hpp"

#include <zstd.h>

#include <memory>

#include "base/bytes.hpp"

namespace vecstore::storage {
namespace {

// The first byte of a stored document says which parts follow.
enum Flag : std::uint8_t { kHasSource = 1, kHasExpiry = 2, kHasText = 4, kCompressed = 8, kKnownFlags = 15 };
constexpr int kLevel = 3;
constexpr std::uint64_t kMaxText = std::uint64_t{64} << 20;

std::string compress(std::string_view text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  const std::size_t n = ZSTD_compress(out.data(), out.size(), text.data(), text.size(), kLevel);
  if (ZSTD_isError(n) || n + 10 >= text.size()) return {};
  out.resize(n);
  return out;
}

}  // namespace

void encode_document(const Document& d, std::string& out) {
  std::string packed;
  if (d.text.size() >= kCompressFrom) packed = compress(d.text);
  std::uint8_t flags = 0;
  if (!d.source.empty() || d.start || d.end || d.part) flags |= kHasSource;
  if (d.expires_ms) flags |= kHasExpiry;
  if (!d.text.empty()) flags |= kHasText;
  if (!packed.empty()) flags |= kCompressed;
  out += static_cast<char>(flags);
  put_sized(out, d.id);
  put_sized(out, d.metadata);
  if (flags & kHasSource) {
    put_sized(out, d.source);
    put_varint(out, d.start);
    put_varint(out, d.end);
    put_varint(out, d.part);
  }
  if (flags & kHasExpiry) put(out, *d.expires_ms);
  if (flags & kHasText) put_sized(out, packed.empty() ? d.text : packed);
}

Document decode_document(std::string_view bytes) {
  ByteReader in(bytes, "document");
  const auto flags = in.get<std::uint8_t>();
  if (flags & ~kKnownFlags) fail(ErrorCode::kCorruption, "document: flags ", int{flags}, " are unknown");
  Document d;
  d.id = in.sized();
  d.metadata = in.sized();
  if (flags & kHasSource) {
    d.source = in.sized();
    d.start = in.varint();
    d.end = in.varint();
    d.part = static_cast<std::uint32_t>(in.varint());
  }
  if (flags & kHasExpiry) d.expires_ms = in.get<std::int64_t>();
  if (flags & kHasText) d.text = in.sized();
  d.text_compressed = (flags & kCompressed) != 0;
  if (!in.empty()) fail(ErrorCode::kCorruption, "document: ", in.rest().size(), " bytes too many");
  return d;
}

std::string document_text(const Document& d) {
  if (!d.text_compressed) return std::string(d.text);
  const unsigned long long size = ZSTD_getFrameContentSize(d.text.data(), d.text.size());
  if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN || size > kMaxText) {
    fail(ErrorCode::kCorruption, "document '", d.id, "': its text is no valid zstd frame");
  }
  std::string out(size, '\0');
  thread_local const std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context(ZSTD_createDCtx(),
                                                                                  ZSTD_freeDCtx);
  const std::size_t n =
      ZSTD_decompressDCtx(context.get(), out.data(), out.size(), d.text.data(), d.text.size());
  if (ZSTD_isError(n) || n != size)
    fail(ErrorCode::kCorruption, "document '", d.id, "': its text does not decompress");
  return out;
}

}  // namespace vecstore::storage
