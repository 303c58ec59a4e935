// The stored form of metadata: compact, exact, readable field by field without building a tree.
//
// A value is one head byte (type in the low 3 bits, a number n in the high 5) and a payload; n = 31 means
// that the number follows as a varint. Everything is little-endian.
//
//   type 0  constant  n: 0 null, 1 false, 2 true
//   type 1  integer   n: the zigzag form
//   type 2  double    n = 0; 8 bytes IEEE 754
//   type 3  string    n: length; UTF-8 bytes
//   type 4  array     n: bytes of the body; values one after the other
//   type 5  object    n: bytes of the body; members: varint name, value. Name 0: the name itself follows
//   (varint length,
//                     bytes); name i > 0: number i - 1 of the collection's FieldNames
//
// These numbers are on disk and frozen.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/metadata_names.hpp"
#include "vecstore/metadata.hpp"

namespace vecstore {

/// Appends the stored form; new keys join `names`. kInvalidArgument for nesting deeper than kMaxJsonDepth;
/// other limits are validate_metadata's. Cost: linear, plus one table look-up per key.
void encode_metadata(const Metadata& metadata, FieldNames& names, std::string& out);

/// The inverse. Every malformed input is kCorruption: nothing is read outside `bytes`, nothing is allocated
/// from a number alone.
Metadata decode_metadata(std::string_view bytes, const FieldNames& names);

/// One stored value, read in place: scalars are decoded, strings and containers are views of the stored
/// bytes.
struct EncodedValue {
  Metadata::Type type = Metadata::Type::kNull;
  union {
    bool boolean;
    std::int64_t integer = 0;
    double number;
  };
  std::string_view bytes;  ///< The text of a string, the body of an array or an object.
};

/// Reads the value at `p` and moves `p` behind it, over a whole container at once. kCorruption when
/// malformed.
EncodedValue read_encoded(const char*& p, const char* end);
/// The value that takes all of `bytes`.
EncodedValue read_encoded(std::string_view bytes);

/// A key as it may be stored: by number or by itself. Made once per query; names that join the table later
/// are found all the same.
class EncodedKey {
 public:
  EncodedKey(std::string name, const FieldNames& names);
  const std::string& name() const noexcept { return name_; }
  /// Finds the member of an object: false when there is none or `object` is something else.
  bool find(const EncodedValue& object, EncodedValue& value) const;

 private:
  bool matches(const char*& p, const char* end) const;

  std::string name_;
  const FieldNames* names_;
  std::uint32_t known_;       // Names that the table had; a larger number is looked up.
  std::uint64_t stored_ = 0;  // Number + 1; 0 when the table did not have the name.
};

}  // namespace vecstore
