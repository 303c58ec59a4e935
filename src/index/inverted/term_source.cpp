#include "index/inverted/term_source.hpp"

#include <algorithm>
#include <bit>

#include "simd/column_kernels.hpp"

namespace vecstore::inverted {

std::shared_ptr<const DecodedList> TermSource::bare_list(std::string_view term, std::uint32_t field) const {
  std::vector<std::uint32_t> docs;
  std::vector<float> values;
  postings(term, field, docs, values);
  if (docs.empty()) return nullptr;
  return std::make_shared<DecodedList>(DecodedList::of_values(docs, std::move(values), documents()));
}

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
  if (const PresentRows* present = source.present_rows()) {
    const std::size_t first_word =
        static_cast<std::size_t>(std::min<std::uint64_t>(present->first_word, rows.size()));
    simd::column_kernels().gather_bits(rows.data() + first_word, present->words.data(),
                                       std::min(present->words.size(), rows.size() - first_word), out.data());
    if (inverted) {
      for (std::uint32_t w = 0; w * 64 < documents; ++w)
        out[w] = ~out[w] &
                 (documents - w * 64 < 64 ? (std::uint64_t{1} << (documents % 64)) - 1 : ~std::uint64_t{0});
    }
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

void add_rows_of(const TermSource& source, std::span<const std::uint64_t> docs, RowBits& rows) {
  const std::uint32_t documents = source.documents();
  const auto out = rows.words();
  // `bits` are of rows that follow each other, from this one on.
  const auto add = [&](std::uint64_t row, std::uint64_t bits) {
    const auto word = static_cast<std::size_t>(row / 64), shift = static_cast<std::size_t>(row % 64);
    out[word] |= bits << shift;
    if (shift > 0 && bits >> (64 - shift) != 0) out[word + 1] |= bits >> (64 - shift);
  };
  if (documents == 0) return;
  const std::uint64_t first = source.row(0), last = source.row(documents - 1);
  const bool all_follow = first <= last && last - first + 1 == documents && last < rows.size();
  const PresentRows* present = all_follow ? nullptr : source.present_rows();
  if (present && present->first_word <= out.size() &&
      present->words.size() <= out.size() - present->first_word) {
    simd::column_kernels().spread_bits(docs.data(), present->words.data(), present->words.size(),
                                       out.data() + present->first_word);
    return;
  }
  for (std::uint32_t w = 0; w < (std::uint64_t{documents} + 63) / 64; ++w) {
    std::uint64_t bits = docs[w];
    if (bits == 0) continue;
    const std::uint32_t begin = w * 64, count = std::min<std::uint32_t>(64, documents - begin);
    const std::uint64_t row = all_follow ? first + begin : source.row(begin);
    const std::uint64_t end = all_follow ? row + count : source.row(begin + count - 1) + 1;
    if (row < end && end - row == count && end <= rows.size()) {
      add(row, bits);
      continue;
    }
    for (; bits != 0; bits &= bits - 1) {
      const std::uint64_t one = source.row(begin + static_cast<std::uint32_t>(std::countr_zero(bits)));
      if (one < rows.size()) rows.set(static_cast<std::size_t>(one));
    }
  }
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
