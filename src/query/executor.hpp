// Executor: runs a plan on one read view and reads the records of what it returns.
#pragma once
#include "query/request.hpp"
#include "shard/read_view.hpp"

namespace vecstore::query {

/// The answer; `view` may be renewed on the way (Hits::sequence tells which commit was seen). Throws
/// kDeadline and kCancelled through `ctx`. Damaged records are left out and counted.
Hits execute(const Request& request, shard::ReadView& view, Context& ctx);

}  // namespace vecstore::query
