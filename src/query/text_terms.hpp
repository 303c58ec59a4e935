// From the text of a query to the tree of terms that the text index evaluates.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "index/term_index.hpp"
#include "index/term_query.hpp"
#include "query/request.hpp"
#include "vecstore/options.hpp"

namespace vecstore::query {

/// `warnings` gets what the caller should know: parts of the text that were left out. Throws kInvalidArgument
/// for a text that is not of the query language, and where one of its limits is passed.
TermNode text_terms(std::span<const TextField> fields, std::string_view text, TextSyntax syntax,
                    std::vector<std::string>& warnings);

/// The query's words with how many documents have them: "run:12 fox:3", phrases in quotes.
std::string describe_terms(const TermNode& query, const CorpusStats& stats);

}  // namespace vecstore::query
