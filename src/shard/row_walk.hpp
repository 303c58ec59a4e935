// RowWalk: how far a walk over rows of the truth has come.
#pragma once
#include <cstdint>
#include <vector>

namespace vecstore::shard {

/// Good also where the walk was ended by an exception: it goes on with the row that was not handled.
struct RowWalk {
  std::uint64_t next_row = 0;             ///< Rows below this one are done.
  std::vector<std::uint64_t> unreadable;  ///< Live rows, ascending, that could not be read.
};

}  // namespace vecstore::shard
