// What commands share: opening, choosing a collection, finding a model, stopping.
#pragma once
#include <optional>
#include <stop_token>
#include <string>

#include "cli/commands.hpp"
#include "vecstore/vec_database.hpp"

namespace vecstore::cli {

inline constexpr const char* kDefaultModel = "all-MiniLM-L6-v2";

VecDatabase open_to_read(const Common& common);
VecDatabase open_to_write(const Common& common, bool create);
/// The one that was named, else "default", else the only one. kNotFound lists what there is.
Collection choose_collection(const VecDatabase& db, const Common& common);

/// The model that the options name; none for "none" and for nothing. kNotFound.
Embedder load_model(const ModelOptions& options, const Common& common);
/// For queries: the options' model, or the collection's own where only a precision is given, else none: then
/// the collection finds its model by itself.
Embedder query_model(const ModelOptions& options, const Common& common, const CollectionInfo& info);

/// "dense", "text", "hybrid"; empty: hybrid where the collection has a model, text elsewhere.
/// kInvalidArgument.
Mode choose_mode(const std::string& name, const CollectionInfo& info);
void set_fusion(const FusionOptions& options, TextQueryOptions& request);
std::string_view to_string(Mode mode);
/// "match", also for nothing, or "query". kInvalidArgument.
TextSyntax parse_syntax(const std::string& name);
/// The text fields of a new collection; nullopt where none of the options is given. UsageError.
std::optional<std::vector<TextField>> text_fields(const TextArguments& options);
/// UsageError for a filter that does not parse; nullopt for an empty one.
std::optional<Filter> parse_where(const std::string& where);

/// Requested by the first Ctrl-C (or SIGTERM); the second ends the process at once.
std::stop_token stop_on_signals();
/// Throws kCancelled.
void check_stop(const std::stop_token& stop);

}  // namespace vecstore::cli
