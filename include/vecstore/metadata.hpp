// Metadata: a JSON value, written in braces where a record is made, read with [] where it is used.
#pragma once
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace vecstore {

namespace detail {
class MetadataItem;

template <class T>
concept CharacterType = std::same_as<T, char> || std::same_as<T, wchar_t> || std::same_as<T, char8_t> ||
                        std::same_as<T, char16_t> || std::same_as<T, char32_t>;
template <class T>
concept IntegerType = std::integral<T> && !std::same_as<T, bool> && !CharacterType<T>;
}  // namespace detail

/// A JSON value: null, bool, 64-bit integer, double, string, array or object.
///
/// Braces follow one rule: a list whose elements are all braced pairs that begin with a string is an object,
/// every other list is an array.
///
///     {{"source", "web"}}                                {"source":"web"}
///     {{"year", 2026}, {"tags", {"c++", "search"}}}      {"year":2026,"tags":["c++","search"]}
///     {}  and  Metadata()                                {}       (an empty object; null is
///     Metadata(nullptr)) Metadata::array({{"a", "b"}})                      [["a","b"]]
///
/// A one-element list that holds a Metadata is a copy of it: Metadata{other} equals other.
///
/// Objects keep the order in which their keys were added; equality ignores that order. Keys are unique.
/// Integers are exact over the whole of int64 and never become doubles; a double stays a double, also when it
/// has no fraction (1.0 prints as 1.0). An unsigned value above the int64 range, NaN and infinities:
/// kInvalidArgument. Strings are UTF-8; that is checked where a record is stored and where JSON is parsed,
/// not here.
///
/// A value type: copies are deep. Reading from several threads is safe, writing needs exclusive access.
/// Finding a key is linear: the library stores at most 256 keys per record.
class Metadata {
 public:
  struct Member;
  using Array = std::vector<Metadata>;
  using Object = std::vector<Member>;
  /// In the order of type comparison; not stored.
  enum class Type : std::uint8_t { kNull, kBool, kInt, kDouble, kString, kArray, kObject };

  /// An empty object.
  Metadata() noexcept;
  Metadata(std::nullptr_t) noexcept;
  template <class T>
    requires std::same_as<T, bool>
  Metadata(T value) noexcept;
  template <detail::IntegerType T>
  Metadata(T value);
  template <std::floating_point T>
    requires(sizeof(T) <= sizeof(double))
  Metadata(T value);
  Metadata(const char* value);
  Metadata(std::string value) noexcept;
  Metadata(std::string_view value);
  Metadata(std::initializer_list<detail::MetadataItem> list);
  /// An array of the vector's elements.
  template <class T>
  Metadata(const std::vector<T>& values);
  Metadata(Array values) noexcept;

  /// An array, whatever the elements look like; no argument: an empty one.
  static Metadata array(std::initializer_list<detail::MetadataItem> elements = {});
  /// An object; each element is a braced pair that begins with a string, else kInvalidArgument. A key that
  /// comes twice: kInvalidArgument.
  static Metadata object(std::initializer_list<detail::MetadataItem> members = {});
  /// An object of these members, whose keys must differ (not checked: for code that made sure).
  static Metadata from_unique_members(Object members) noexcept;
  /// Reads one JSON text (RFC 8259, UTF-8, no byte order mark). kInvalidArgument for everything that is not
  /// valid, and for: nesting deeper than 32, a key twice in one object, a lone surrogate, an integer outside
  /// int64, a number beyond double. Nothing is converted silently.
  static Metadata parse(std::string_view json);

  Type type() const noexcept { return static_cast<Type>(value_.index()); }
  bool is_null() const noexcept { return type() == Type::kNull; }
  bool is_bool() const noexcept { return type() == Type::kBool; }
  bool is_int() const noexcept { return type() == Type::kInt; }
  bool is_double() const noexcept { return type() == Type::kDouble; }
  bool is_number() const noexcept { return is_int() || is_double(); }
  bool is_string() const noexcept { return type() == Type::kString; }
  bool is_array() const noexcept { return type() == Type::kArray; }
  bool is_object() const noexcept { return type() == Type::kObject; }

  /// The value; kInvalidArgument when the type is another one. as_double also takes an integer (rounded to
  /// nearest).
  bool as_bool() const;
  std::int64_t as_int() const;
  double as_double() const;
  const std::string& as_string() const;
  const Array& as_array() const;
  /// `for (const auto& [key, value] : m.as_object())`.
  const Object& as_object() const;

  /// Elements of an array, members of an object, 0 for everything else.
  std::size_t size() const noexcept;
  bool empty() const noexcept { return size() == 0; }

  /// The member's value; a shared null when there is none or this is no object.
  const Metadata& operator[](std::string_view key) const noexcept;
  /// The member's value; inserts null when there is none. A null becomes an object first; another type is
  /// kInvalidArgument.
  Metadata& operator[](std::string_view key);
  /// The element; kInvalidArgument when this is no array or the index is past its end.
  const Metadata& at(std::size_t index) const;
  /// The same with []: `hit.metadata["tags"][0]`.
  template <detail::IntegerType T>
  const Metadata& operator[](T index) const {
    return at(static_cast<std::size_t>(index));
  }
  template <detail::IntegerType T>
  Metadata& operator[](T index) {
    return const_cast<Metadata&>(at(static_cast<std::size_t>(index)));
  }
  /// The value at a dotted path ("author.name"); a shared null when a step is missing. Keys that hold a dot
  /// are reached with [] only.
  const Metadata& get(std::string_view path) const noexcept;
  /// nullptr when there is no such member: tells a missing key from one that is null.
  const Metadata* find(std::string_view key) const noexcept;
  bool contains(std::string_view key) const noexcept { return find(key) != nullptr; }
  /// True when there was such a member.
  bool erase(std::string_view key);
  /// Appends to an array; a null or an empty object becomes an array first; another type is kInvalidArgument.
  void push_back(Metadata value);

  /// Compact JSON. Numbers round-trip exactly; text above U+007F is written as it is.
  std::string to_json() const;

  /// Same type and same value; 1 and 1.0 differ. (Filters compare numbers by value.)
  friend bool operator==(const Metadata& a, const Metadata& b);
  /// Writes to_json().
  friend std::ostream& operator<<(std::ostream& out, const Metadata& value);

 private:
  friend class detail::MetadataItem;
  template <class T>
  static std::int64_t integer(T value) {
    if constexpr (std::is_unsigned_v<T> && sizeof(T) >= sizeof(std::int64_t)) {
      if (value > static_cast<T>(INT64_MAX)) refuse_unsigned(value);
    }
    return static_cast<std::int64_t>(value);
  }
  static double finite(double value);
  [[noreturn]] static void refuse_unsigned(std::uint64_t value);
  void build(const detail::MetadataItem* items, std::size_t count);

  std::variant<std::nullptr_t, bool, std::int64_t, double, std::string, Array, Object> value_;
};

struct Metadata::Member {
  std::string key;
  Metadata value;
  friend bool operator==(const Member&, const Member&) = default;
};

// Outside the class, because the variant needs the complete Member.
template <class T>
  requires std::same_as<T, bool>
Metadata::Metadata(T value) noexcept : value_(value) {}
template <detail::IntegerType T>
Metadata::Metadata(T value) : value_(integer(value)) {}
template <std::floating_point T>
  requires(sizeof(T) <= sizeof(double))
Metadata::Metadata(T value) : value_(finite(static_cast<double>(value))) {}

namespace detail {
/// One element of a braced list. It knows whether it was written in braces, which is what tells the pair of a
/// key and a value from an array of two strings that came from elsewhere.
class MetadataItem {
 public:
  MetadataItem() = default;
  MetadataItem(std::initializer_list<MetadataItem> list) : braced_(true) {
    value_.build(list.begin(), list.size());
  }
  template <class T>
    requires(!std::same_as<std::remove_cvref_t<T>, MetadataItem> && std::constructible_from<Metadata, T>)
  MetadataItem(T&& value)
      : value_(std::forward<T>(value)), copied_(std::same_as<std::remove_cvref_t<T>, Metadata>) {}

 private:
  friend class vecstore::Metadata;
  bool is_pair() const noexcept {
    return braced_ && value_.is_array() && value_.size() == 2 && value_.at(0).is_string();
  }
  // A list hands out const elements; each is read once, so its value may be moved from.
  mutable Metadata value_;
  bool braced_ = false;
  bool copied_ = false;
};
}  // namespace detail

template <class T>
Metadata::Metadata(const std::vector<T>& values) {
  Array array;
  array.reserve(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) array.emplace_back(static_cast<const T&>(values[i]));
  value_ = std::move(array);
}

}  // namespace vecstore
