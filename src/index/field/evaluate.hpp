// Conditions on the rows of a part.
#pragma once
#include "base/context.hpp"
#include "index/field/field_part.hpp"
#include "index/field_query.hpp"

namespace vecstore::fields {

/// The rows of the part, relative to its first, that match and that may. Rows of which the part knows nothing
/// count as rows without values.
RowSet evaluate(const FieldNode& node, const FieldPart& part, const Context& context);

/// How many rows may match, without reading more than the ends of ranges. `expected` takes conditions for
/// independent.
Cardinality estimate(const FieldNode& node, const FieldPart& part);

}  // namespace vecstore::fields
