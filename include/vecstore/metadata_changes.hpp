// Changes to a record's metadata, for update_metadata and update_where.
#pragma once
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "vecstore/metadata.hpp"

namespace vecstore {

/// What to change, in the order of the calls; everything else stays:
///
///     MetadataChanges().set("author.name", "Ada").increment("views").append("tags", "new").unset("draft")
///
/// A path is dotted, as in Metadata::get. On the way to what set, increment and append write, a missing or
/// null step becomes an object; a step that is something else is kInvalidArgument, which names the path.
class MetadataChanges {
 public:
  /// Puts the value there, whatever was there.
  MetadataChanges& set(std::string_view path, Metadata value) {
    return add(Kind::kSet, path, std::move(value));
  }
  /// Removes it; nothing happens where there is none.
  MetadataChanges& unset(std::string_view path) { return add(Kind::kUnset, path, nullptr); }
  /// Adds to the number there; a missing or null one counts as 0. Integers stay integers when `by` is one.
  /// Something that is no number, a sum beyond int64 or double, `by` that is not finite: kInvalidArgument.
  template <class T>
    requires(detail::IntegerType<T> || std::floating_point<T>)
  MetadataChanges& increment(std::string_view path, T by) {
    return add(Kind::kIncrement, path, Metadata(by));
  }
  MetadataChanges& increment(std::string_view path) { return increment(path, 1); }
  /// Adds one element at the end of the array there; a missing or null one becomes an array. Something that
  /// is no array: kInvalidArgument.
  MetadataChanges& append(std::string_view path, Metadata value) {
    return add(Kind::kAppend, path, std::move(value));
  }

  bool empty() const noexcept { return changes_.empty(); }
  /// Carries them out on an object; after an error it may be changed in part.
  void apply(Metadata& metadata) const;

 private:
  enum class Kind : std::uint8_t { kSet, kUnset, kIncrement, kAppend };
  struct Change {
    Kind kind;
    std::string path;
    Metadata value;
  };
  MetadataChanges& add(Kind kind, std::string_view path, Metadata value);
  static void unset_at(Metadata& metadata, std::string_view path);
  static void apply_to(Metadata& target, const Change& change);

  std::vector<Change> changes_;
};

}  // namespace vecstore
