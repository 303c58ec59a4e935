// From a filter to what field indexes understand.
#pragma once
#include "base/metadata_names.hpp"
#include "index/field_query.hpp"
#include "query/filter_ast.hpp"

namespace vecstore::query {

/// Rows that match the filter are among those that may match the condition; rows that the condition is sure
/// of match. `names` as the records' metadata were stored with; patterns are kept by reference to `node`.
FieldNode field_condition(const FilterNodePtr& node, const FieldNames& names);

}  // namespace vecstore::query
