// Markdown: where headings stand, and where a splitter may cut.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "text/separator.hpp"

namespace vecstore::text {

/// Headings, ends of code blocks, horizontal rules, paragraphs, lines, words, characters.
const std::vector<Separator>& markdown_separators();

struct Heading {
  std::size_t byte = 0;  ///< Start of its line.
  std::string path;      ///< The headings above it and itself, outermost first: "Install > Linux > Debian".
};

/// The headings that begin with one to six #, outside of fenced code blocks, in the order of the text.
std::vector<Heading> markdown_headings(std::string_view text);

}  // namespace vecstore::text
