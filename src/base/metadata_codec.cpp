#include "base/metadata_codec.hpp"

#include <bit>
#include <cmath>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/varint.hpp"

namespace vecstore {
namespace {

enum Head : unsigned { kConstant = 0, kInteger = 1, kDouble = 2, kString = 3, kArray = 4, kObject = 5 };
constexpr unsigned kFollows = 31;

[[noreturn]] void corrupt(std::string_view what) { fail(ErrorCode::kCorruption, "metadata: ", what); }

void put_head(std::string& out, Head type, std::uint64_t n) {
  if (n < kFollows) {
    out += static_cast<char>(type | n << 3);
  } else {
    out += static_cast<char>(type | kFollows << 3);
    put_varint(out, n);
  }
}

void put_double(std::string& out, double value) {
  const auto bits = std::bit_cast<std::uint64_t>(value);
  for (int i = 0; i < 8; ++i) out += static_cast<char>(bits >> (8 * i));
}

double get_double(const char* p) {
  std::uint64_t bits = 0;
  for (int i = 0; i < 8; ++i) bits |= static_cast<std::uint64_t>(static_cast<unsigned char>(p[i])) << (8 * i);
  return std::bit_cast<double>(bits);
}

class Encoder {
 public:
  Encoder(FieldNames& names, std::string& out) : names_(names), out_(out) {}

  void value(const Metadata& m, std::size_t depth) {
    switch (m.type()) {
      case Metadata::Type::kNull:
        put_head(out_, kConstant, 0);
        break;
      case Metadata::Type::kBool:
        put_head(out_, kConstant, m.as_bool() ? 2 : 1);
        break;
      case Metadata::Type::kInt:
        put_head(out_, kInteger, zigzag(m.as_int()));
        break;
      case Metadata::Type::kDouble:
        put_head(out_, kDouble, 0);
        put_double(out_, m.as_double());
        break;
      case Metadata::Type::kString:
        put_head(out_, kString, m.as_string().size());
        out_ += m.as_string();
        break;
      case Metadata::Type::kArray:
        container(kArray, depth, [&] {
          for (const auto& element : m.as_array()) value(element, depth + 1);
        });
        break;
      case Metadata::Type::kObject:
        container(kObject, depth, [&] {
          for (const auto& [key, member] : m.as_object()) {
            put_key(key);
            value(member, depth + 1);
          }
        });
        break;
    }
  }

 private:
  template <class Body>
  void container(Head type, std::size_t depth, Body&& body) {
    if (depth == kMaxJsonDepth) invalid("metadata: depth > ", kMaxJsonDepth);
    const std::size_t start = out_.size();
    body();
    // The length is known only now; bodies are small, so that moving them is cheaper than measuring first.
    std::string head;
    put_head(head, type, out_.size() - start);
    out_.insert(start, head);
  }

  void put_key(const std::string& key) {
    if (const auto id = names_.intern(key)) {
      put_varint(out_, std::uint64_t{*id} + 1);
    } else {
      put_varint(out_, 0);
      put_varint(out_, key.size());
      out_ += key;
    }
  }

  FieldNames& names_;
  std::string& out_;
};

/// Reads a member's name: its stored number, or 0 and the name itself.
std::uint64_t read_key(const char*& p, const char* end, std::string_view& name) {
  std::uint64_t stored = 0;
  if (!get_varint(p, end, stored)) corrupt("a key is cut off");
  if (stored == 0) {
    std::uint64_t length = 0;
    if (!get_varint(p, end, length) || length > static_cast<std::uint64_t>(end - p))
      corrupt("a key is cut off");
    name = {p, static_cast<std::size_t>(length)};
    p += length;
  } else if (stored > FieldNames::kMaxNames) {
    corrupt("a key's number is out of range");
  }
  return stored;
}

/// Moves `p` behind one value that nobody wants.
void skip_encoded(const char*& p, const char* end) {
  if (p == end) corrupt("a value is cut off");
  const auto head = static_cast<unsigned char>(*p++);
  const unsigned type = head & 7;
  std::uint64_t n = head >> 3;
  if (n == kFollows && !get_varint(p, end, n)) corrupt("a number is cut off");
  if (type <= kInteger) return;
  if (type > kObject) corrupt("unknown type");
  if (type == kDouble) n = 8;
  if (n > static_cast<std::uint64_t>(end - p)) corrupt("a length is past the end");
  p += n;
}

Metadata decode(const EncodedValue& value, const FieldNames& names, std::size_t depth) {
  const char* p = value.bytes.data();
  const char* end = p + value.bytes.size();
  switch (value.type) {
    case Metadata::Type::kNull:
      return nullptr;
    case Metadata::Type::kBool:
      return value.boolean;
    case Metadata::Type::kInt:
      return value.integer;
    case Metadata::Type::kDouble:
      return value.number;
    case Metadata::Type::kString:
      return value.bytes;
    case Metadata::Type::kArray: {
      if (depth == kMaxJsonDepth) corrupt("nested too deep");
      Metadata::Array array;
      while (p != end) array.push_back(decode(read_encoded(p, end), names, depth + 1));
      return Metadata(std::move(array));
    }
    case Metadata::Type::kObject: {
      if (depth == kMaxJsonDepth) corrupt("nested too deep");
      Metadata::Object members;
      while (p != end) {
        std::string_view name;
        if (const auto stored = read_key(p, end, name))
          name = names.name(static_cast<std::uint32_t>(stored - 1));
        members.push_back({std::string(name), decode(read_encoded(p, end), names, depth + 1)});
      }
      return Metadata::from_unique_members(std::move(members));
    }
  }
  corrupt("unknown type");
}

}  // namespace

void encode_metadata(const Metadata& metadata, FieldNames& names, std::string& out) {
  Encoder(names, out).value(metadata, 0);
}

Metadata decode_metadata(std::string_view bytes, const FieldNames& names) {
  return decode(read_encoded(bytes), names, 0);
}

EncodedValue read_encoded(const char*& p, const char* end) {
  if (p == end) corrupt("a value is cut off");
  const auto head = static_cast<unsigned char>(*p++);
  const unsigned type = head & 7;
  std::uint64_t n = head >> 3;
  if (n == kFollows && !get_varint(p, end, n)) corrupt("a number is cut off");
  EncodedValue value;
  switch (type) {
    case kConstant:
      if (n > 2) corrupt("unknown constant");
      if (n > 0) {
        value.type = Metadata::Type::kBool;
        value.boolean = n == 2;
      }
      return value;
    case kInteger:
      value.type = Metadata::Type::kInt;
      value.integer = unzigzag(n);
      return value;
    case kDouble:
      if (n != 0 || end - p < 8) corrupt("a double is cut off");
      value.type = Metadata::Type::kDouble;
      value.number = get_double(p);
      if (!std::isfinite(value.number)) corrupt("a double is not finite");
      p += 8;
      return value;
    case kString:
      value.type = Metadata::Type::kString;
      break;
    case kArray:
      value.type = Metadata::Type::kArray;
      break;
    case kObject:
      value.type = Metadata::Type::kObject;
      break;
    default:
      corrupt("unknown type");
  }
  if (n > static_cast<std::uint64_t>(end - p)) corrupt("a length is past the end");
  value.bytes = {p, static_cast<std::size_t>(n)};
  p += n;
  return value;
}

EncodedValue read_encoded(std::string_view bytes) {
  const char* p = bytes.data();
  const char* end = p + bytes.size();
  const EncodedValue value = read_encoded(p, end);
  if (p != end) corrupt("bytes are left over");
  return value;
}

EncodedKey::EncodedKey(std::string name, const FieldNames& names)
    : name_(std::move(name)), names_(&names), known_(names.size()) {
  if (const auto id = names.find(name_)) stored_ = std::uint64_t{*id} + 1;
}

bool EncodedKey::matches(const char*& p, const char* end) const {
  std::string_view name;
  const std::uint64_t stored = read_key(p, end, name);
  if (stored == 0) return name == name_;
  if (stored_ != 0 || stored <= known_) return stored == stored_;
  return names_->name(static_cast<std::uint32_t>(stored - 1)) == name_;
}

bool EncodedKey::find(const EncodedValue& object, EncodedValue& value) const {
  if (object.type != Metadata::Type::kObject) return false;
  const char* p = object.bytes.data();
  const char* end = p + object.bytes.size();
  while (p != end) {
    if (matches(p, end)) {
      value = read_encoded(p, end);
      return true;
    }
    skip_encoded(p, end);
  }
  return false;
}

}  // namespace vecstore
