// The limits of a record's metadata; see base/json.hpp.
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/utf8.hpp"

namespace vecstore {
namespace {

struct Tally {
  std::size_t keys = 0;
  std::size_t bytes = 0;

  void add_bytes(std::size_t n) {
    bytes += n;
    if (bytes > kMaxMetadataBytes)
      fail(ErrorCode::kTooLarge, "metadata: more than ", kMaxMetadataBytes, " bytes");
  }

  void add_string(std::string_view text, std::string_view what) {
    add_bytes(text.size());
    if (!valid_utf8(text)) invalid("metadata: ", what, " is not valid UTF-8");
  }

  void walk(const Metadata& value, std::size_t depth) {
    switch (value.type()) {
      case Metadata::Type::kString:
        add_string(value.as_string(), "a string");
        break;
      case Metadata::Type::kArray:
        enter(depth);
        for (const auto& element : value.as_array()) walk(element, depth + 1);
        break;
      case Metadata::Type::kObject:
        enter(depth);
        for (const auto& [key, member] : value.as_object()) {
          if (++keys > kMaxMetadataKeys)
            fail(ErrorCode::kTooLarge, "metadata: more than ", kMaxMetadataKeys, " keys");
          add_string(key, "a key");
          if (key.find('\0') != std::string::npos) invalid("metadata: a key holds U+0000");
          walk(member, depth + 1);
        }
        break;
      default:
        add_bytes(8);
    }
  }

  static void enter(std::size_t depth) {
    if (depth == kMaxJsonDepth) invalid("metadata: depth > ", kMaxJsonDepth);
  }
};

}  // namespace

void validate_metadata(const Metadata& metadata) {
  if (!metadata.is_object()) invalid("metadata: a record's metadata is an object, {\"key\": value, ...}");
  Tally().walk(metadata, 0);
}

Metadata parse_metadata(std::string_view text) {
  // JSON spends at most six bytes on one (\u00XX), so that far longer texts cannot fit and are not even
  // parsed.
  if (text.size() > 16 * kMaxMetadataBytes) {
    fail(ErrorCode::kTooLarge, "metadata: a JSON text of ", text.size(), " bytes; at most ",
         kMaxMetadataBytes, " bytes of keys and values are stored");
  }
  Metadata metadata = parse_json(text, {.max_keys = kMaxMetadataKeys});
  validate_metadata(metadata);
  return metadata;
}

}  // namespace vecstore
