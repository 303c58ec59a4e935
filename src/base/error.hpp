// Short forms for raising Error inside the library.
#pragma once
#include <string>
#include <string_view>

#include "vecstore/error.hpp"

namespace vecstore {

namespace detail {
inline void append(std::string& out, std::string_view s) { out += s; }
inline void append(std::string& out, const char* s) { out += s; }
inline void append(std::string& out, char c) { out += c; }
template <class T>
  requires std::is_arithmetic_v<T>
void append(std::string& out, T v) {
  out += std::to_string(v);
}
}  // namespace detail

/// Text made of its arguments: strings as they are, numbers in decimal.
template <class... Parts>
std::string concat(const Parts&... parts) {
  std::string out;
  (detail::append(out, parts), ...);
  return out;
}

/// throw Error(code, concat(parts...)).
template <class... Parts>
[[noreturn]] void fail(ErrorCode code, const Parts&... parts) {
  throw Error(code, concat(parts...));
}

template <class... Parts>
[[noreturn]] void invalid(const Parts&... parts) {
  throw Error(ErrorCode::kInvalidArgument, concat(parts...));
}

}  // namespace vecstore
