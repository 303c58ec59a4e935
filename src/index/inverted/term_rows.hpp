// Rows by their terms, without scores: what filters ask for.
#pragma once
#include <span>
#include <string>

#include "index/field_query.hpp"
#include "index/inverted/term_source.hpp"

namespace vecstore::inverted {

/// Adds the rows whose documents have all the words in the field (kAnyField: each in any); those of no word
/// at all are none. Rows behind the end of `rows` are left out. kCorruption.
void add_rows_with(const TermSource& source, std::span<const std::string> words, std::uint32_t field,
                   const Context& context, RowBits& rows);
/// How many documents may have them. Looks at the dictionary only. kCorruption.
Cardinality estimate_rows_with(const TermSource& source, std::span<const std::string> words,
                               std::uint32_t field);

}  // namespace vecstore::inverted
