// Stop words: words too common to tell documents apart.
#pragma once
#include <span>
#include <string_view>

namespace vecstore::text {

/// The 33 English words that Lucene's English analyzer and bm25s leave out by default, sorted.
std::span<const std::string_view> english_stop_words();

}  // namespace vecstore::text
