// Whether a graph over codes finds what it should, measured before it is used.
#pragma once
#include "index/vector/hnsw_index.hpp"

namespace vecstore {

/// The share of the ten nearest other rows that walks with a large ef return for some of the rows as queries;
/// 1 for fewer than two rows. Codes keep about 12 bits of a component, so it is low where rows that are near
/// each other differ by less (tight groups far apart), or where a few rows leave no range for the others:
/// such rows are to be scanned. Every row is compared with 48 others, on the threads of `options`: about a
/// hundredth of a build. Throws kCancelled, kDeadline.
double sampled_recall(const HnswIndex& index, const RowVectors& vectors, const HnswOptions& options,
                      Context& context);

/// Below this, sampled_recall says that rows are better scanned.
inline constexpr double kLeastSampledRecall = 0.8;

}  // namespace vecstore
