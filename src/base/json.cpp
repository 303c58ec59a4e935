#include "base/json.hpp"

#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <memory>

#include "base/error.hpp"

namespace vecstore {
namespace {

// simdjson counts depth in its own way; ours is exact and stricter, its own only bounds its stack.
constexpr std::size_t kParserDepth = 160;
// A parser keeps the buffers of the largest text; those of larger texts than this are given back.
constexpr std::size_t kKeptParserBytes = 1 << 20;

[[noreturn]] void too_deep(std::size_t limit) { invalid("json: depth > ", limit); }

/// Large texts only: finds nesting that is too deep before anything is allocated for it.
void scan_depth(std::string_view text, std::size_t limit) {
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > limit) too_deep(limit);
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
}

/// Builds the tree from simdjson's tape, whose strings are valid UTF-8 (lone surrogates are refused there
/// too); recursion is bounded by kMaxJsonDepth.
class TreeBuilder {
 public:
  explicit TreeBuilder(const JsonLimits& limits) : limits_(limits) {}

  Metadata build(simdjson::dom::element element, std::size_t depth) {
    using simdjson::dom::element_type;
    switch (element.type()) {
      case element_type::NULL_VALUE:
        return nullptr;
      case element_type::BOOL:
        return bool(element.get_bool());
      case element_type::INT64:
        return std::int64_t(element.get_int64());
      case element_type::DOUBLE:
        return double(element.get_double());
      case element_type::STRING:
        return std::string_view(element.get_string());
      case element_type::UINT64:
        invalid("json: the integer ", std::uint64_t(element.get_uint64()), " is above the largest, ",
                INT64_MAX);
      case element_type::ARRAY: {
        if (depth == limits_.max_depth) too_deep(limits_.max_depth);
        const simdjson::dom::array children = element.get_array();
        Metadata::Array array;
        for (auto child : children) array.push_back(build(child, depth + 1));
        return Metadata(std::move(array));
      }
      case element_type::OBJECT: {
        if (depth == limits_.max_depth) too_deep(limits_.max_depth);
        return build_object(element.get_object(), depth);
      }
    }
    invalid("json: unknown element");
  }

 private:
  Metadata build_object(simdjson::dom::object object, std::size_t depth);

  const JsonLimits& limits_;
  std::size_t keys_ = 0;
};

/// Sorting instead of hashing: no choice of keys makes it slow.
void refuse_duplicates(const Metadata::Object& members) {
  std::vector<std::string_view> keys;
  keys.reserve(members.size());
  for (const auto& member : members) keys.push_back(member.key);
  std::sort(keys.begin(), keys.end());
  const auto twice = std::adjacent_find(keys.begin(), keys.end());
  if (twice != keys.end()) invalid("json: the key '", twice->substr(0, 64), "' comes twice");
}

Metadata TreeBuilder::build_object(simdjson::dom::object object, std::size_t depth) {
  Metadata::Object members;
  for (auto field : object) {
    if (++keys_ > limits_.max_keys) fail(ErrorCode::kTooLarge, "json: more than ", limits_.max_keys, " keys");
    members.push_back({std::string(field.key), build(field.value, depth + 1)});
  }
  refuse_duplicates(members);
  return Metadata::from_unique_members(std::move(members));
}

Metadata parse_with(simdjson::dom::parser& parser, std::string_view text, const JsonLimits& limits) {
  if (auto error = parser.allocate(std::max<std::size_t>(text.size(), 256), kParserDepth)) {
    fail(ErrorCode::kOutOfMemory, "json: no memory for a text of ", text.size(), " bytes (",
         simdjson::error_message(error), ")");
  }
  simdjson::dom::element root;
  const auto error = parser.parse(text.data(), text.size()).get(root);
  if (error == simdjson::DEPTH_ERROR) too_deep(limits.max_depth);
  if (error) invalid("json: not valid: ", simdjson::error_message(error));
  return TreeBuilder(limits).build(root, 0);
}

}  // namespace

Metadata parse_json(std::string_view text, const JsonLimits& limits) {
  if (text.starts_with("\xEF\xBB\xBF")) invalid("json: begins with a byte order mark");
  if (text.size() > kMaxMetadataBytes) scan_depth(text, limits.max_depth);
  if (text.size() > kKeptParserBytes) {
    simdjson::dom::parser parser;
    return parse_with(parser, text, limits);
  }
  thread_local simdjson::dom::parser parser;
  return parse_with(parser, text, limits);
}

void append_json_string(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  std::size_t plain = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    out.append(text, plain, i - plain);
    plain = i + 1;
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        out += "\\u00";
        out += kHex[c >> 4];
        out += kHex[c & 15];
    }
  }
  out.append(text, plain, text.size() - plain);
  out += '"';
}

void append_json_double(std::string& out, double value) {
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), value).ptr;
  const std::string_view digits(buffer, static_cast<std::size_t>(end - buffer));
  out += digits;
  if (digits.find_first_of(".e") == std::string_view::npos) out += ".0";
}

void append_json(std::string& out, const Metadata& value) {
  switch (value.type()) {
    case Metadata::Type::kNull:
      out += "null";
      break;
    case Metadata::Type::kBool:
      out += value.as_bool() ? "true" : "false";
      break;
    case Metadata::Type::kInt:
      out += std::to_string(value.as_int());
      break;
    case Metadata::Type::kDouble:
      append_json_double(out, value.as_double());
      break;
    case Metadata::Type::kString:
      append_json_string(out, value.as_string());
      break;
    case Metadata::Type::kArray: {
      char before = '[';
      for (const auto& element : value.as_array()) {
        out += before;
        append_json(out, element);
        before = ',';
      }
      out += before == '[' ? "[]" : "]";
      break;
    }
    case Metadata::Type::kObject: {
      char before = '{';
      for (const auto& [key, member] : value.as_object()) {
        out += before;
        append_json_string(out, key);
        out += ':';
        append_json(out, member);
        before = ',';
      }
      out += before == '{' ? "{}" : "}";
      break;
    }
  }
}

}  // namespace vecstore
