// Analyzers over any bytes: the first byte chooses the analyzer, the second what it is for.
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/utf8.hpp"
#include "text/analyzer.hpp"

namespace {

void require(bool holds) {
  if (!holds) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace vecstore;
  if (size < 2) return 0;
  static const std::vector<std::string> names = analyzer_names();
  static std::map<std::string, text::Analyzer> analyzers;
  const std::string& name = names[data[0] % names.size()];
  text::Analyzer& analyzer = analyzers.try_emplace(name, name).first->second;
  analyzer.trim();
  const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
  text::Analyzer::Stream stream = analyzer.stream(text, static_cast<text::Purpose>(data[1] % 4));
  std::uint32_t position = 0;
  for (text::Token t; stream.next(t);) {
    require(!t.term.empty() && valid_utf8(t.term));
    require(t.start_byte < t.end_byte && t.end_byte <= text.size());
    require(t.position >= position);
    position = t.position;
  }
  return 0;
}
