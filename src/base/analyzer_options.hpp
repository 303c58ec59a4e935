// AnalyzerOptions as they are stored with a collection, and their limits.
#pragma once
#include <string_view>

#include "vecstore/analyzer_options.hpp"
#include "vecstore/metadata.hpp"

namespace vecstore {

inline constexpr std::size_t kMaxStopWords = 10'000;
inline constexpr std::size_t kMaxSynonymRules = 10'000;
inline constexpr std::size_t kMaxSynonymWords = 64;           ///< Words and phrases of one rule.
inline constexpr std::size_t kMaxAnalyzerText = 255;          ///< Bytes of a stop word.
inline constexpr std::size_t kMaxSynonymRule = 4096;          ///< Bytes of a rule.
inline constexpr std::size_t kMaxAnalyzerBytes = 512 * 1024;  ///< Bytes of all of them.
inline constexpr std::uint32_t kMaxNgram = 32;
inline constexpr std::uint32_t kMaxNgramSpread = 8;
inline constexpr std::uint32_t kMaxEdgeNgram = 64;

/// What can be said without the analyzer: sizes, UTF-8, ranges. `what` begins the message, like
/// "text_fields[0].analysis". Whether the options fit the analyzer says text::check_analyzer.
void check_analyzer_options(std::string_view what, const AnalyzerOptions& options);

/// An object of what is given, see to_json.
Metadata analyzer_metadata(const AnalyzerOptions& options);
/// The inverse, strict: throws kInvalidArgument for an unknown member, a wrong type and a value out of range.
/// Unlike the options of an index these decide what is found; there is no default that could stand in.
AnalyzerOptions read_analyzer_options(std::string_view what, const Metadata& stored);

}  // namespace vecstore
