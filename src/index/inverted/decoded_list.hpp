// DecodedList: the postings of one term as searches want them, in memory.
#pragma once
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "index/inverted/norm.hpp"

namespace vecstore::inverted {

/// Documents per window: their sums stay in the first-level cache.
inline constexpr std::uint32_t kWindow = 8192;
inline constexpr std::uint32_t kNoPosting = ~std::uint32_t{0};

/// Lists know, for these numbers of documents, a bound that so many reach.
inline constexpr std::array<std::uint32_t, 10> kRanks = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000};

/// Which documents have a term, how often (the value: weighted frequency, or a vector's weight), and an upper
/// bound of its share of the score: value <= max_value * code / 255 for vectors, share(value, length) <=
/// code / 255 for texts. One of three forms:
/// - few documents: their numbers;
/// - many: the low 16 bits of their numbers, and where each window begins;
/// - most: a bitmap with a count of the bits before each of its words.
/// Immutable once made. Thread-safe.
class DecodedList {
 public:
  enum class Form : std::uint8_t { kFew, kMany, kDense };

  /// `docs` ascending, below `documents`. Values are told apart by class where `class_values` is given (it
  /// must outlive the list), else `values` has them.
  static DecodedList of_classes(std::span<const std::uint32_t> docs, std::span<const std::uint32_t> classes,
                                const float* class_values, std::uint32_t documents);
  static DecodedList of_values(std::span<const std::uint32_t> docs, std::vector<float> values,
                               std::uint32_t documents);
  /// Values that are kept elsewhere, in the order of the documents.
  static DecodedList of_stored(std::span<const std::uint32_t> docs, const float* values,
                               std::uint32_t documents);

  /// Values that are known as codes only: code * (max_value / 255).
  static DecodedList of_codes(std::span<const std::uint32_t> docs, std::span<const std::uint8_t> codes,
                              float max_value, std::uint32_t documents);

  /// Computes the codes of a text's term.
  void encode(const Norm& norm, const float* lengths);
  /// Takes the codes of a vector's term.
  void set_codes(std::span<const std::uint8_t> codes, float max_value);

  std::uint32_t size() const { return size_; }
  Form form() const { return form_; }
  bool has_codes() const { return !codes_.empty(); }
  const Norm& norm() const { return norm_; }
  std::uint8_t max_code() const { return max_code_; }
  float max_value() const { return max_value_; }
  /// A code that at least kRanks[i] documents reach; 0 where the list is shorter.
  std::uint8_t rank_code(std::size_t i) const { return rank_codes_[i]; }
  std::size_t memory_bytes() const;

  float value(std::uint32_t posting) const {
    if (stored_ != nullptr) return stored_[posting];
    if (by_codes_) return static_cast<float>(codes_[posting]) * step_;
    if (classes_.empty()) return values_[posting];
    const std::uint8_t c = classes_[posting];
    return class_values_[c != kEscape ? c : escaped(posting)];
  }
  std::uint32_t class_of(std::uint32_t posting) const {
    const std::uint8_t c = classes_[posting];
    return c != kEscape ? c : escaped(posting);
  }
  std::uint8_t code(std::uint32_t posting) const { return codes_[posting]; }

  /// The posting of a document, kNoPosting when it has not the term.
  std::uint32_t find(std::uint32_t doc) const;
  /// The same for ascending documents: `at` starts at 0 and is carried from call to call.
  std::uint32_t find_next(std::uint32_t doc, std::uint32_t& at) const;
  /// find() for many ascending documents.
  void find_all(std::span<const std::uint32_t> docs, std::uint32_t* postings) const;
  /// Whether ascending documents have the term: 1 or 0 each.
  void contains_all(std::span<const std::uint32_t> docs, std::uint8_t* found) const;
  void append_docs(std::vector<std::uint32_t>& out) const;
  /// Calls f(posting, document) for all, in order.
  template <class F>
  void for_each_doc(F&& f) const;
  /// Keeps the bits of `mask` (whole windows) whose documents have the term, or have it not when `inverted`.
  void restrict(std::vector<std::uint64_t>& mask, bool inverted) const;

  // For the loops of searches.
  const std::uint32_t* docs() const { return docs_.data(); }                   ///< kFew
  const std::uint16_t* ids() const { return ids_.data(); }                     ///< kMany
  std::uint32_t start(std::uint32_t window) const { return starts_[window]; }  ///< kMany; one more at the end
  const std::uint32_t* starts() const { return starts_.data(); }
  const std::uint64_t* bits() const { return bits_.data(); }  ///< kDense; whole windows
  std::uint32_t rank(std::uint32_t doc) const {               ///< kDense; doc a multiple of 64
    return ranks_[doc / 64];
  }
  const std::uint32_t* ranks() const { return ranks_.data(); }  ///< kDense; by word of bits()
  const std::uint8_t* codes() const { return codes_.data(); }   ///< Padded.
  /// The largest code of each block of simd::kTermBlock documents, in whole windows. nullptr: not known, the
  /// list is short (or a vector's, for which it does not pay).
  const std::uint8_t* maxima() const { return maxima_.empty() ? nullptr : maxima_.data(); }

 private:
  static constexpr std::uint8_t kEscape = 255;

  explicit DecodedList(std::span<const std::uint32_t> docs, std::uint32_t documents);
  std::uint32_t escaped(std::uint32_t posting) const;
  void take_rank_codes();
  std::uint32_t size_ = 0, windows_ = 0;
  Form form_ = Form::kFew;
  std::uint8_t max_code_ = 0;
  std::array<std::uint8_t, kRanks.size()> rank_codes_{};
  float max_value_ = 1;
  float step_ = 0;         // of values that are codes
  bool by_codes_ = false;  // they are
  Norm norm_;
  std::vector<std::uint32_t> docs_;
  std::vector<std::uint16_t> ids_;
  std::vector<std::uint32_t> starts_;
  std::vector<std::uint64_t> bits_;
  std::vector<std::uint32_t> ranks_;
  std::vector<std::uint8_t> codes_, maxima_;
  std::vector<std::uint8_t> classes_;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> escaped_;  // posting, class
  const float* class_values_ = nullptr;
  std::vector<float> values_;
  const float* stored_ = nullptr;
};

template <class F>
void DecodedList::for_each_doc(F&& f) const {
  std::uint32_t i = 0;
  switch (form_) {
    case Form::kFew:
      for (; i < size_; ++i) f(i, docs_[i]);
      break;
    case Form::kMany:
      for (std::uint32_t w = 0; w < windows_; ++w) {
        const std::uint32_t base = w * kWindow & ~std::uint32_t{0xffff};
        for (; i < starts_[w + 1]; ++i) f(i, base | ids_[i]);
      }
      break;
    case Form::kDense:
      for (std::uint32_t w = 0; w < bits_.size(); ++w) {
        for (std::uint64_t bits = bits_[w]; bits != 0; bits &= bits - 1)
          f(i++, w * 64 + static_cast<std::uint32_t>(std::countr_zero(bits)));
      }
      break;
  }
}

}  // namespace vecstore::inverted
