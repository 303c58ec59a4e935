#include "base/utf8.hpp"

#include <simdjson.h>

namespace vecstore {

bool valid_utf8(std::string_view text) noexcept { return simdjson::validate_utf8(text.data(), text.size()); }

}  // namespace vecstore
