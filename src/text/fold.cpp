#include "text/fold.hpp"

#include <utf8proc.h>

#include <vector>

#include "base/error.hpp"
#include "text/utf8.hpp"

namespace vecstore::text {
namespace {

bool is_latin_or_greek(utf8proc_int32_t c) {
  return c < 0x0250 || (c >= 0x0370 && c <= 0x03FF) || (c >= 0x1E00 && c <= 0x1FFF);
}

bool is_accent(utf8proc_int32_t c) { return c >= 0x0300 && c <= 0x036F; }

}  // namespace

void fold(std::string_view word, std::string& out, Accents accents) {
  out.clear();
  constexpr auto kOptions = static_cast<utf8proc_option_t>(
      UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD | UTF8PROC_IGNORE | UTF8PROC_STABLE);
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(word.data());
  const auto size = static_cast<utf8proc_ssize_t>(word.size());
  std::vector<utf8proc_int32_t> chars(word.size() + 32);
  auto count =
      utf8proc_decompose(bytes, size, chars.data(), static_cast<utf8proc_ssize_t>(chars.size()), kOptions);
  if (count > static_cast<utf8proc_ssize_t>(chars.size())) {
    chars.resize(static_cast<std::size_t>(count));
    count = utf8proc_decompose(bytes, size, chars.data(), count, kOptions);
  }
  if (count < 0) invalid("text: a word cannot be folded: ", utf8proc_errmsg(count));

  std::size_t kept = 0;
  bool drops_accents = false;
  for (utf8proc_ssize_t i = 0; i < count; ++i) {
    const utf8proc_int32_t c = chars[static_cast<std::size_t>(i)];
    if (is_accent(c) && drops_accents) continue;
    if (!is_accent(c)) drops_accents = accents == Accents::kDrop && is_latin_or_greek(c);
    chars[kept++] = c == 0x2019 ? '\'' : c;
  }
  const auto composed =
      utf8proc_normalize_utf32(chars.data(), static_cast<utf8proc_ssize_t>(kept),
                               static_cast<utf8proc_option_t>(UTF8PROC_COMPOSE | UTF8PROC_STABLE));
  for (utf8proc_ssize_t i = 0; i < composed; ++i) {
    append_utf8(out, static_cast<char32_t>(chars[static_cast<std::size_t>(i)]));
  }
}

}  // namespace vecstore::text
