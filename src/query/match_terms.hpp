// MATCH in filters: how it sees texts, and what the index of texts knows of it.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "query/field_condition.hpp"
#include "query/filter_eval.hpp"
#include "shard/read_view.hpp"
#include "shard/text_follower.hpp"
#include "text/analyzer_pool.hpp"

namespace vecstore::query {

/// MATCH sees a field as its analyzer does; fields that are not indexed as text are split and folded only.
/// Borrows the text fields' analyzers when they are first needed. One thread at a time.
AnalyzeFn analyze_as(const shard::ReadView& view);

/// Whether the index of texts knows something of the filter.
bool asks_for_texts(const Filter& filter, const shard::ReadView& view);

/// Finds the rows by the terms of the texts, which have to outlive it, as has the view, whose state they are
/// of. They may throw TermsDamaged. Splits words at once: what it returns needs no analyzer.
FindMatched match_by_terms(const shard::ReadView& view, const shard::TermsRead& texts);

}  // namespace vecstore::query
