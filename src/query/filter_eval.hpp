// Evaluates a filter on one record: on a metadata tree, or on stored bytes without building a tree.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/metadata_codec.hpp"
#include "vecstore/filter.hpp"

namespace vecstore {

/// The fields of a record that are not metadata. These names always mean the record's own field; a metadata
/// key of the same name cannot be reached by a filter. Inside ANY too they are the record's.
inline constexpr std::string_view kRecordFieldNames[] = {"_id",    "_text", "_source",
                                                         "_start", "_end",  "_part"};
bool is_record_field(std::string_view name) noexcept;

/// Where a filter gets them from. Called only for the names that the filter uses, so that a text is read only
/// if needed.
class RecordFields {
 public:
  virtual ~RecordFields() = default;
  /// A scalar (a string's bytes must live until the next call) or null when the record has none.
  virtual EncodedValue get(std::string_view name) const = 0;
};

/// Splits a text into words for MATCH; `path` is the field without [*], so that each field can have its
/// analyzer.
using AnalyzeFn = std::function<std::vector<std::string>(std::string_view path, std::string_view text)>;

/// A filter made ready: paths resolved to stored numbers, IN lists sorted, patterns compiled. Made once per
/// query.
///
/// Immutable: matches() may be called from any thread if `analyze` may. `names` must outlive it; names that
/// are added later are found too. Cost per record: proportional to the bytes of the fields on the way to
/// those that the filter uses; patterns and substrings are linear in the text; IN is logarithmic in its list.
class FilterProgram {
 public:
  /// For stored bytes and trees. Without `analyze`, MATCH splits at everything that is no letter or digit and
  /// ignores the case of ASCII letters.
  FilterProgram(const Filter& filter, const FieldNames& names, AnalyzeFn analyze = {});
  /// For trees alone.
  explicit FilterProgram(const Filter& filter, AnalyzeFn analyze = {});
  FilterProgram(FilterProgram&&) noexcept;
  FilterProgram& operator=(FilterProgram&&) noexcept;
  ~FilterProgram();

  /// True when the record passes; a filter without a condition passes everything. Without `record` its own
  /// fields are missing.
  bool matches(const Metadata& metadata, const RecordFields* record = nullptr) const;
  /// The same on the form of encode_metadata. Damage on the way to a used field is kCorruption.
  bool matches_encoded(std::string_view bytes, const RecordFields* record = nullptr) const;

  /// True when a record field of this name is used, so that the caller knows what to read.
  bool uses(std::string_view record_field) const noexcept;

  struct Node;

 private:
  std::unique_ptr<const Node> root_;
  AnalyzeFn analyze_;
};

}  // namespace vecstore
