// Document: everything of a record but its vectors, as one row of the documents keyspace.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace vecstore::storage {

/// Borrowed views of a record's parts; after decoding they point into the stored bytes.
struct Document {
  std::string_view id;
  std::string_view metadata;  ///< Stored form (base/metadata_codec.hpp).
  std::string_view text;
  std::string_view source;
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  std::uint32_t part = 0;
  std::optional<std::int64_t> expires_ms;  ///< Wall time in milliseconds.
  bool text_compressed = false;            ///< After decoding: `text` is a zstd frame, see `document_text`.
};

/// Texts of at least this many bytes are compressed (zstd level 3) where that makes them smaller. Shorter
/// ones would be slower to read without a dictionary and hardly smaller.
inline constexpr std::size_t kCompressFrom = 2048;

void encode_document(const Document& document, std::string& out);
/// kCorruption when malformed. Reads ids, metadata and places without touching the text.
Document decode_document(std::string_view bytes);
/// The text of a decoded document, uncompressed.
std::string document_text(const Document& document);

}  // namespace vecstore::storage
