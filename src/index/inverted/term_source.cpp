#include "index/inverted/term_source.hpp"

namespace vecstore::inverted {

std::vector<std::uint64_t> documents_of(const TermSource& source, std::span<const std::uint64_t> rows,
                                        bool inverted) {
  const std::uint32_t documents = source.documents();
  std::vector<std::uint64_t> out((std::size_t{documents} + kWindow - 1) / kWindow * (kWindow / 64));
  if (documents == 0) return out;
  const std::uint64_t first = source.row(0);
  if (source.row(documents - 1) - first + 1 == documents) {  // every row between is a document
    const auto word = [&](std::uint64_t w) {
      const std::uint64_t bits = w < rows.size() ? rows[static_cast<std::size_t>(w)] : 0;
      return inverted ? ~bits : bits;
    };
    const std::uint64_t begin = first / 64, shift = first % 64;
    for (std::size_t w = 0; w < (std::size_t{documents} + 63) / 64; ++w) {
      out[w] = word(begin + w) >> shift;
      if (shift > 0) out[w] |= word(begin + w + 1) << (64 - shift);
    }
    if (documents % 64 != 0) out[documents / 64] &= (std::uint64_t{1} << (documents % 64)) - 1;
    return out;
  }
  for (std::uint32_t d = 0; d < documents; ++d) {
    const std::uint64_t row = source.row(d);
    const bool set =
        row / 64 < rows.size() && (rows[static_cast<std::size_t>(row / 64)] >> (row % 64) & 1) != 0;
    if (set != inverted) out[d / 64] |= std::uint64_t{1} << (d % 64);
  }
  return out;
}

std::uint32_t document_of(const TermSource& source, std::uint64_t row) {
  std::uint32_t first = 0, count = source.documents();
  while (count > 0) {
    const std::uint32_t half = count / 2;
    const std::uint64_t at = source.row(first + half);
    if (at == row) return first + half;
    if (at < row) {
      first += half + 1;
      count -= half + 1;
    } else {
      count = half;
    }
  }
  return kNoPosting;
}

}  // namespace vecstore::inverted
