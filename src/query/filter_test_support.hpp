// For the tests: random filters and records over a small vocabulary, and an evaluator that is slow and
// obviously right.
#pragma once
#include <random>
#include <string>

#include "query/filter_ast.hpp"
#include "vecstore/filter.hpp"
#include "vecstore/metadata.hpp"

namespace vecstore::filter_test {

using Rng = std::mt19937_64;

/// Any tree of the language; `depth` bounds AND, OR, NOT, ANY.
FilterNodePtr random_node(Rng& rng, int depth);
inline Filter random_filter(Rng& rng, int depth) { return Filter(random_node(rng, depth)); }
/// A record whose fields the random filters ask for, with missing and null ones and mixed types.
Metadata random_record(Rng& rng);

/// Reads the filter's JSON form, not its tree; collects values instead of stopping early; compares numbers in
/// 64-bit mantissas, dates through the calendar of the standard library, patterns by trying everything.
bool naive_matches(const Metadata& filter, const Metadata& record);

}  // namespace vecstore::filter_test
