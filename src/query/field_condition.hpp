// From a filter to what indexes understand.
#pragma once
#include <functional>
#include <optional>

#include "base/metadata_names.hpp"
#include "index/field_query.hpp"
#include "query/filter_ast.hpp"

namespace vecstore::query {

/// What an index of texts knows of a MATCH.
struct MatchedRows {
  FoundRows rows;
  /// Where the value is an array these may be spread over its elements, of which one needs to have them all.
  bool spread = false;
};
/// Nothing when no index knows the texts at that path.
using FindMatched = std::function<std::optional<MatchedRows>(const FilterNode& match)>;

/// The path as field indexes have it, behind `key`; nothing when no record can have a value there that is
/// indexed.
std::optional<FieldPathKey> field_path_key(FieldPathKey key, const FilterPath& path, const FieldNames& names);

/// Rows that match the filter are among those that may match the condition; rows that the condition is sure
/// of match. `names` as the records' metadata were stored with; patterns are kept by reference to `node`.
FieldNode field_condition(const FilterNodePtr& node, const FieldNames& names,
                          const FindMatched& find_matched = {});

}  // namespace vecstore::query
