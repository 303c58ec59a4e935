#include "vecstore/metadata.hpp"

#include <algorithm>
#include <cmath>
#include <ostream>

#include "base/error.hpp"
#include "base/json.hpp"

namespace vecstore {
namespace {

constexpr std::string_view kTypeNames[] = {"null",     "a bool",   "an integer", "a double",
                                           "a string", "an array", "an object"};

[[noreturn]] void wrong_type(const Metadata& m, std::string_view wanted) {
  invalid("metadata: the value is ", kTypeNames[static_cast<std::size_t>(m.type())], ", not ", wanted);
}

const char* not_null(const char* text) {
  if (!text) invalid("metadata: a string is a null pointer; null is Metadata(nullptr)");
  return text;
}

const Metadata& shared_null() noexcept {
  static const Metadata null(nullptr);
  return null;
}

}  // namespace

Metadata::Metadata() noexcept : value_(Object()) {}
Metadata::Metadata(std::nullptr_t) noexcept : value_(nullptr) {}
Metadata::Metadata(const char* value) : value_(std::string(not_null(value))) {}
Metadata::Metadata(std::string value) noexcept : value_(std::move(value)) {}
Metadata::Metadata(std::string_view value) : value_(std::string(value)) {}
Metadata::Metadata(Array values) noexcept : value_(std::move(values)) {}

Metadata::Metadata(std::initializer_list<detail::MetadataItem> list) {
  if (list.size() == 1 && list.begin()->copied_) {
    *this = std::move(list.begin()->value_);
  } else {
    build(list.begin(), list.size());
  }
}

void Metadata::build(const detail::MetadataItem* items, std::size_t count) {
  const bool pairs = std::all_of(items, items + count, [](const auto& item) { return item.is_pair(); });
  if (pairs) {
    Object object;
    object.reserve(count);
    value_ = std::move(object);
    auto& members = std::get<Object>(value_);
    for (std::size_t i = 0; i < count; ++i) {
      auto& pair = std::get<Array>(items[i].value_.value_);
      auto& key = std::get<std::string>(pair[0].value_);
      if (find(key)) invalid("metadata: the key '", key, "' comes twice");
      members.push_back({std::move(key), std::move(pair[1])});
    }
  } else {
    Array array;
    array.reserve(count);
    for (std::size_t i = 0; i < count; ++i) array.push_back(std::move(items[i].value_));
    value_ = std::move(array);
  }
}

Metadata Metadata::array(std::initializer_list<detail::MetadataItem> elements) {
  Array array;
  array.reserve(elements.size());
  for (const auto& element : elements) array.push_back(std::move(element.value_));
  return Metadata(std::move(array));
}

Metadata Metadata::object(std::initializer_list<detail::MetadataItem> members) {
  for (const auto& member : members) {
    if (!member.is_pair()) invalid("metadata: a member of an object is a braced pair {\"key\", value}");
  }
  Metadata m;
  m.build(members.begin(), members.size());
  return m;
}

Metadata Metadata::from_unique_members(Object members) noexcept {
  Metadata m;
  m.value_ = std::move(members);
  return m;
}

Metadata Metadata::parse(std::string_view json) { return parse_json(json); }

double Metadata::finite(double value) {
  if (!std::isfinite(value)) invalid("metadata: a number must be finite; NaN and infinity have no JSON form");
  return value;
}

void Metadata::refuse_unsigned(std::uint64_t value) {
  invalid("metadata: ", value, " is above the largest integer, ", INT64_MAX);
}

bool Metadata::as_bool() const {
  if (!is_bool()) wrong_type(*this, "a bool");
  return std::get<bool>(value_);
}

std::int64_t Metadata::as_int() const {
  if (!is_int()) wrong_type(*this, "an integer");
  return std::get<std::int64_t>(value_);
}

double Metadata::as_double() const {
  if (is_int()) return static_cast<double>(std::get<std::int64_t>(value_));
  if (!is_double()) wrong_type(*this, "a number");
  return std::get<double>(value_);
}

const std::string& Metadata::as_string() const {
  if (!is_string()) wrong_type(*this, "a string");
  return std::get<std::string>(value_);
}

const Metadata::Array& Metadata::as_array() const {
  if (!is_array()) wrong_type(*this, "an array");
  return std::get<Array>(value_);
}

const Metadata::Object& Metadata::as_object() const {
  if (!is_object()) wrong_type(*this, "an object");
  return std::get<Object>(value_);
}

std::size_t Metadata::size() const noexcept {
  if (const auto* array = std::get_if<Array>(&value_)) return array->size();
  if (const auto* object = std::get_if<Object>(&value_)) return object->size();
  return 0;
}

const Metadata* Metadata::find(std::string_view key) const noexcept {
  if (const auto* object = std::get_if<Object>(&value_)) {
    for (const Member& member : *object) {
      if (member.key == key) return &member.value;
    }
  }
  return nullptr;
}

const Metadata& Metadata::operator[](std::string_view key) const noexcept {
  const Metadata* value = find(key);
  return value ? *value : shared_null();
}

Metadata& Metadata::operator[](std::string_view key) {
  if (is_null()) value_ = Object();
  if (!is_object()) wrong_type(*this, "an object");
  if (const Metadata* value = find(key)) return *const_cast<Metadata*>(value);
  return std::get<Object>(value_).emplace_back(Member{std::string(key), nullptr}).value;
}

const Metadata& Metadata::at(std::size_t index) const {
  const Array& array = as_array();
  if (index >= array.size())
    invalid("metadata: index ", index, " is past the end of an array of ", array.size());
  return array[index];
}

const Metadata& Metadata::get(std::string_view path) const noexcept {
  const Metadata* value = this;
  while (value) {
    const auto dot = path.find('.');
    value = value->find(path.substr(0, dot));
    if (dot == std::string_view::npos) break;
    path.remove_prefix(dot + 1);
  }
  return value ? *value : shared_null();
}

bool Metadata::erase(std::string_view key) {
  auto* object = std::get_if<Object>(&value_);
  return object && std::erase_if(*object, [&](const Member& member) { return member.key == key; }) > 0;
}

void Metadata::push_back(Metadata value) {
  if (is_null() || (is_object() && empty())) value_ = Array();
  if (!is_array()) wrong_type(*this, "an array");
  std::get<Array>(value_).push_back(std::move(value));
}

std::string Metadata::to_json() const {
  std::string out;
  append_json(out, *this);
  return out;
}

bool operator==(const Metadata& a, const Metadata& b) {
  if (!a.is_object() || !b.is_object()) return a.value_ == b.value_;
  if (a.size() != b.size()) return false;
  const auto& others = b.as_object();
  std::size_t i = 0;
  // Mostly the order is the same too, so that the search is needed only behind the first difference.
  for (const auto& member : a.as_object()) {
    const auto& other = others[i++];
    const Metadata* value = other.key == member.key ? &other.value : b.find(member.key);
    if (!value || !(member.value == *value)) return false;
  }
  return true;
}

std::ostream& operator<<(std::ostream& out, const Metadata& value) { return out << value.to_json(); }

}  // namespace vecstore
