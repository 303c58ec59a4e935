// JSON: strict reading into Metadata, writing, and the limits of a record's metadata. The only user of
// simdjson.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "vecstore/metadata.hpp"

namespace vecstore {

/// Limits of one record's metadata; also the depth of every JSON text that is read.
inline constexpr std::size_t kMaxJsonDepth = 32;      ///< Containers within containers; {} has depth 1.
inline constexpr std::size_t kMaxMetadataKeys = 256;  ///< All objects of one record together.
inline constexpr std::size_t kMaxMetadataBytes =
    64 * 1024;  ///< Keys and strings in bytes, 8 per other value.

struct JsonLimits {
  std::size_t max_keys = SIZE_MAX;  ///< All objects together; kTooLarge, counted before they are compared.
  std::size_t max_depth = kMaxJsonDepth;  ///< At most 128.
};

/// Metadata::parse, with other limits.
Metadata parse_json(std::string_view text, const JsonLimits& limits = {});

/// Reads the metadata of a record: an object within all limits, as validate_metadata checks them.
Metadata parse_metadata(std::string_view text);

/// Throws kInvalidArgument (no object, too deep, invalid UTF-8, a key with U+0000) or kTooLarge (keys,
/// bytes).
void validate_metadata(const Metadata& metadata);

/// Appends compact JSON.
void append_json(std::string& out, const Metadata& value);
/// Appends a JSON string with its quotes.
void append_json_string(std::string& out, std::string_view text);
/// Appends the shortest decimal that reads back as the same double, always with a fraction or an exponent.
void append_json_double(std::string& out, double value);

}  // namespace vecstore
