// UTF-8: is it valid?
#pragma once
#include <string_view>

namespace vecstore {

/// True when `text` is well-formed UTF-8: no overlong form, no surrogate, nothing above U+10FFFF. Empty text
/// is valid. Several bytes per cycle.
bool valid_utf8(std::string_view text) noexcept;

}  // namespace vecstore
