#include "index/inverted/decoded_list.hpp"

#include <algorithm>
#include <bit>

#include "simd/term_kernels.hpp"

namespace vecstore::inverted {

namespace {
/// Without the instruction, which not every processor has, a call would be slower than this.
std::uint32_t count_bits(std::uint64_t v) {
  v -= v >> 1 & 0x5555555555555555u;
  v = (v & 0x3333333333333333u) + (v >> 2 & 0x3333333333333333u);
  v = (v + (v >> 4)) & 0x0f0f0f0f0f0f0f0fu;
  return static_cast<std::uint32_t>(v * 0x0101010101010101u >> 56);
}
}  // namespace

DecodedList::DecodedList(std::span<const std::uint32_t> docs, std::uint32_t documents)
    : size_(static_cast<std::uint32_t>(docs.size())),
      windows_(static_cast<std::uint32_t>((std::uint64_t{documents} + kWindow - 1) / kWindow)) {
  constexpr std::uint32_t kFewest = 256;
  if (size_ < std::max(kFewest, windows_ * 4)) {
    docs_.assign(docs.begin(), docs.end());
    return;
  }
  if (size_ >= documents / simd::term_kernels().dense_share) {
    form_ = Form::kDense;
    bits_.resize(std::size_t{windows_} * (kWindow / 64));
    for (const std::uint32_t d : docs) bits_[d / 64] |= std::uint64_t{1} << (d % 64);
    std::uint32_t count = 0;
    for (std::size_t w = 0; w < bits_.size(); ++w) {
      ranks_.push_back(count);
      count += count_bits(bits_[w]);
    }
    return;
  }
  form_ = Form::kMany;
  ids_.resize(size_);
  starts_.reserve(windows_ + 1);
  std::uint64_t next_start = 0;
  for (std::uint32_t i = 0; i < size_; ++i) {
    ids_[i] = static_cast<std::uint16_t>(docs[i]);
    while (docs[i] >= next_start) {
      starts_.push_back(i);
      if (starts_.size() > windows_) break;
      next_start += kWindow;
    }
  }
  starts_.resize(windows_ + 1, size_);
}

DecodedList DecodedList::of_classes(std::span<const std::uint32_t> docs,
                                    std::span<const std::uint32_t> classes, const float* class_values,
                                    std::uint32_t documents) {
  DecodedList list(docs, documents);
  list.class_values_ = class_values;
  list.classes_.resize(classes.size());
  for (std::uint32_t i = 0; i < list.size_; ++i) {
    if (classes[i] >= kEscape) list.escaped_.emplace_back(i, classes[i]);
    list.classes_[i] = static_cast<std::uint8_t>(std::min<std::uint32_t>(classes[i], kEscape));
  }
  return list;
}

DecodedList DecodedList::of_values(std::span<const std::uint32_t> docs, std::vector<float> values,
                                   std::uint32_t documents) {
  DecodedList list(docs, documents);
  list.values_ = std::move(values);
  return list;
}

DecodedList DecodedList::of_stored(std::span<const std::uint32_t> docs, const float* values,
                                   std::uint32_t documents) {
  DecodedList list(docs, documents);
  list.stored_ = values;
  return list;
}

DecodedList DecodedList::of_codes(std::span<const std::uint32_t> docs, std::span<const std::uint8_t> codes,
                                  float max_value, std::uint32_t documents) {
  DecodedList list(docs, documents);
  list.step_ = max_value / 255.0f;
  list.by_codes_ = true;
  list.set_codes(codes, max_value);
  return list;
}

void DecodedList::encode(const Norm& norm, const float* lengths) {
  norm_ = norm;
  // A byte per block may double what a list takes, not more.
  constexpr std::uint32_t kFewestPerBlock = 4;  // one posting in so many blocks
  constexpr std::uint32_t kBlocks = kWindow / simd::kTermBlock;
  codes_.assign(std::size_t{size_} + simd::kTermCodePadding, 0);
  const bool blocks = form_ != Form::kFew && size_ >= windows_ * (kBlocks / kFewestPerBlock);
  maxima_.assign(blocks ? std::size_t{windows_} * kBlocks : 0, 0);
  for_each_doc([&](std::uint32_t i, std::uint32_t doc) {
    // Rounded up, so that rounding errors cannot make it too small. A share is at most 1.
    const float code = 255.0f * norm.share(value(i), lengths[doc]) + 1.001f;
    codes_[i] = static_cast<std::uint8_t>(std::min(code, 255.0f));
    if (blocks) maxima_[doc / simd::kTermBlock] = std::max(maxima_[doc / simd::kTermBlock], codes_[i]);
  });
  take_rank_codes();
}

void DecodedList::set_codes(std::span<const std::uint8_t> codes, float max_value) {
  max_value_ = max_value;
  codes_.assign(codes.begin(), codes.end());
  codes_.resize(codes.size() + simd::kTermCodePadding);
  take_rank_codes();
}

void DecodedList::take_rank_codes() {
  std::array<std::uint32_t, 256> counts{};
  for (std::uint32_t i = 0; i < size_; ++i) ++counts[codes_[i]];
  rank_codes_.fill(0);
  max_code_ = 0;
  std::uint32_t above = 0;
  for (std::uint32_t code = 255, rank = 0; code > 0; --code) {
    if (counts[code] == 0) continue;
    if (max_code_ == 0) max_code_ = static_cast<std::uint8_t>(code);
    above += counts[code];
    while (rank < kRanks.size() && above >= kRanks[rank])
      rank_codes_[rank++] = static_cast<std::uint8_t>(code);
  }
}

std::uint32_t DecodedList::escaped(std::uint32_t posting) const {
  return std::lower_bound(escaped_.begin(), escaped_.end(), std::pair{posting, std::uint32_t{0}})->second;
}

std::uint32_t DecodedList::find(std::uint32_t doc) const {
  std::uint32_t at = 0;
  return find_next(doc, at);
}

std::uint32_t DecodedList::find_next(std::uint32_t doc, std::uint32_t& at) const {
  if (form_ == Form::kDense) {
    const std::uint64_t word = bits_[doc / 64];
    if (!(word >> (doc % 64) & 1)) return kNoPosting;
    return ranks_[doc / 64] + count_bits(word & ((std::uint64_t{1} << (doc % 64)) - 1));
  }
  const auto search = [&](const auto* values, std::uint32_t first, std::uint32_t last, auto wanted) {
    // Steps that double, then halves: documents asked for in order are near each other.
    std::uint32_t step = 1;
    while (first + step < last && values[first + step] <= wanted) {
      first += step;
      step *= 2;
    }
    std::uint32_t count = std::min(step, last - first);
    while (count > 1) {
      const std::uint32_t half = count / 2;
      first += values[first + half] <= wanted ? half : 0;
      count -= half;
    }
    at = first;
    return first < last && values[first] == wanted ? first : kNoPosting;
  };
  if (form_ == Form::kFew) return search(docs_.data(), at, size_, doc);
  const std::uint32_t window = doc / kWindow;
  return search(ids_.data(), std::max(at, starts_[window]), starts_[window + 1],
                static_cast<std::uint16_t>(doc));
}

void DecodedList::find_all(std::span<const std::uint32_t> docs, std::uint32_t* postings) const {
  static_assert(kNoPosting == simd::kNoTermPosting);
  constexpr std::size_t kFarApart = 16;  // else the next one is a few steps away
  if (form_ == Form::kMany && docs.size() * kFarApart < size_) {
    simd::term_kernels().find_documents(ids_.data(), starts_.data(), docs.data(), docs.size(), postings);
    return;
  }
  std::uint32_t at = 0;
  for (std::size_t i = 0; i < docs.size(); ++i) postings[i] = find_next(docs[i], at);
}

void DecodedList::contains_all(std::span<const std::uint32_t> docs, std::uint8_t* found) const {
  constexpr std::size_t kNearEachOther = 12;
  thread_local std::vector<std::uint64_t> own_bits;
  const std::uint64_t* bits = bits_.data();
  if (form_ != Form::kDense) {
    if (docs.size() * kNearEachOther < size_ || docs.size() < windows_ * 8) {
      thread_local std::vector<std::uint32_t> postings;
      postings.resize(docs.size());
      find_all(docs, postings.data());
      for (std::size_t i = 0; i < docs.size(); ++i) found[i] = postings[i] != kNoPosting;
      return;
    }
    // A bitmap is made in the time of a few searches.
    own_bits.assign(std::size_t{windows_} * (kWindow / 64), 0);
    for_each_doc(
        [](std::uint32_t, std::uint32_t doc) { own_bits[doc / 64] |= std::uint64_t{1} << (doc % 64); });
    bits = own_bits.data();
  }
  for (std::size_t i = 0; i < docs.size(); ++i) found[i] = bits[docs[i] / 64] >> (docs[i] % 64) & 1;
}

void DecodedList::append_docs(std::vector<std::uint32_t>& out) const {
  out.reserve(out.size() + size_);
  for_each_doc([&](std::uint32_t, std::uint32_t doc) { out.push_back(doc); });
}

void DecodedList::restrict(std::vector<std::uint64_t>& mask, bool inverted) const {
  if (form_ == Form::kDense) {
    for (std::size_t w = 0; w < mask.size(); ++w) mask[w] &= inverted ? ~bits_[w] : bits_[w];
    return;
  }
  std::vector<std::uint64_t> bits(mask.size());
  for_each_doc([&](std::uint32_t, std::uint32_t doc) { bits[doc / 64] |= std::uint64_t{1} << (doc % 64); });
  for (std::size_t w = 0; w < mask.size(); ++w) mask[w] &= inverted ? ~bits[w] : bits[w];
}

std::size_t DecodedList::memory_bytes() const {
  return sizeof *this + docs_.capacity() * 4 + ids_.capacity() * 2 + starts_.capacity() * 4 +
         bits_.capacity() * 8 + ranks_.capacity() * 4 + codes_.capacity() + maxima_.capacity() +
         classes_.capacity() + escaped_.capacity() * 8 + values_.capacity() * 4;
}

}  // namespace vecstore::inverted
