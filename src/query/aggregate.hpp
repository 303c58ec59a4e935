// Aggregation: counts and sums over the records of a view, from field indexes, and from the documents where
// these do not know.
#pragma once
#include "base/context.hpp"
#include "shard/read_view.hpp"
#include "vecstore/aggregate.hpp"

namespace vecstore::query {

/// `view` may be renewed. kInvalidArgument, kDeadline, kCancelled; kCorruption when a document that has to be
/// looked at cannot be read.
Aggregates aggregate(const AggregateOptions& options, shard::ReadView& view, Context& ctx);

}  // namespace vecstore::query
