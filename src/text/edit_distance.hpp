// Edit distance: how many mistakes make one word another.
#pragma once
#include <cstddef>
#include <string_view>

namespace vecstore::text {

/// True when at most `most` edits (insert, delete or replace a code point, swap two neighbours; no code point
/// is edited twice) turn one word into the other. Time: length x most.
bool within_edits(std::u32string_view a, std::u32string_view b, std::size_t most);

}  // namespace vecstore::text
