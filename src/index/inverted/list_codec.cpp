#include "index/inverted/list_codec.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/bytes.hpp"

namespace vecstore::inverted {

namespace {

constexpr std::size_t kLargestWithSmallSkips = 0x1fffffff;  // bytes: bits then fit 32 bits

/// The parameter that needs fewest bits.
template <class Values>
unsigned best_parameter(const Values& values) {
  if (values.empty()) return 0;
  std::uint64_t sum = 0;
  for (const std::uint32_t v : values) sum += v;
  const unsigned guess = rice_parameter(sum, values.size());
  unsigned best = guess;
  std::uint64_t least = ~std::uint64_t{0};
  for (unsigned k = guess == 0 ? 0 : guess - 1; k <= std::min(guess + 1, kMostRiceParameter); ++k) {
    std::uint64_t bits = 0;
    for (const std::uint32_t v : values) bits += rice_bits(v, k);
    if (bits < least) best = k;
    least = std::min(least, bits);
  }
  return best;
}

struct Few {
  std::uint32_t values[kPostingsPerBlock];
  std::size_t count = 0;
  void push_back(std::uint32_t v) { values[count++] = v; }
  bool empty() const { return count == 0; }
  std::size_t size() const { return count; }
  const std::uint32_t* begin() const { return values; }
  const std::uint32_t* end() const { return values + count; }
};

}  // namespace

ClassTable::ClassTable(std::uint32_t fields, std::vector<std::uint32_t> counts)
    : fields_(fields), counts_(std::move(counts)) {
  for (std::size_t i = 0; i < counts_.size(); i += fields) {
    std::uint32_t total = 0;
    for (std::uint32_t f = 0; f < fields; ++f) total += counts_[i + f];
    totals_.push_back(total);
  }
}

void encode_postings(std::span<const std::uint32_t> docs, std::span<const std::uint32_t> classes,
                     std::string& out) {
  BitWriter bits(out);
  std::uint32_t next_doc = 0;
  for (std::size_t begin = 0; begin < docs.size(); begin += kPostingsPerBlock) {
    const std::size_t end = std::min(docs.size(), begin + kPostingsPerBlock);
    Few gaps;
    for (std::size_t i = begin; i < end; ++i) {
      gaps.push_back(docs[i] - next_doc);
      next_doc = docs[i] + 1;
    }
    const unsigned k = best_parameter(gaps);
    bits.put(k, kParameterBits);
    unsigned c = 0;
    if (!classes.empty()) {
      c = best_parameter(classes.subspan(begin, end - begin));
      bits.put(c, kParameterBits);
    }
    for (std::size_t i = begin; i < end; ++i) {
      bits.put_rice(gaps.values[i - begin], k);
      if (!classes.empty()) bits.put_rice(classes[i], c);
    }
  }
  bits.finish();
}

bool decode_postings(std::span<const std::byte> bytes, std::uint32_t count, std::uint32_t documents,
                     std::uint32_t class_count, std::vector<std::uint32_t>& docs,
                     std::vector<std::uint32_t>& classes) {
  if (count > documents) return false;
  BitReader in(bytes);
  docs.resize(count);
  classes.resize(class_count == 0 ? 0 : count);
  std::uint64_t next_doc = 0;
  std::uint32_t largest = 0;
  for (std::uint32_t begin = 0; begin < count; begin += kPostingsPerBlock) {
    const std::uint32_t end = count - begin > kPostingsPerBlock ? begin + kPostingsPerBlock : count;
    const auto k = static_cast<unsigned>(in.get(kParameterBits));
    const auto c = class_count == 0 ? 0 : static_cast<unsigned>(in.get(kParameterBits));
    for (std::uint32_t i = begin; i < end; ++i) {
      next_doc += in.get_rice(k);
      docs[i] = static_cast<std::uint32_t>(next_doc++);
      if (class_count == 0) continue;
      classes[i] = in.get_rice(c);
      largest = std::max(largest, classes[i]);
    }
    if (next_doc > documents || in.overrun()) return false;
  }
  return class_count == 0 || largest < class_count;
}

void encode_positions(const ClassTable& table, std::span<const std::uint32_t> classes,
                      std::span<const std::uint32_t> positions, std::string& out) {
  std::string stream;
  std::vector<std::uint64_t> starts;
  BitWriter bits(stream);
  std::size_t at = 0;
  std::vector<std::uint32_t> firsts, nexts;
  for (std::size_t begin = 0; begin < classes.size(); begin += kPostingsPerPositionBlock) {
    const std::size_t end = std::min<std::size_t>(classes.size(), begin + kPostingsPerPositionBlock);
    firsts.clear();
    nexts.clear();
    for (std::size_t i = begin; i < end; ++i) {
      for (const std::uint32_t n : table.counts(classes[i])) {
        for (std::uint32_t j = 0; j < n; ++j, ++at) {
          const std::uint32_t p = positions[at] & kMostPosition;
          if (j == 0)
            firsts.push_back(p);
          else
            nexts.push_back(p - (positions[at - 1] & kMostPosition));
        }
      }
    }
    const unsigned first = best_parameter(firsts), next = best_parameter(nexts);
    starts.push_back(bits.bits());
    bits.put(first, kParameterBits);
    bits.put(next, kParameterBits);
    const std::uint32_t *f = firsts.data(), *d = nexts.data();
    for (std::size_t i = begin; i < end; ++i) {
      for (const std::uint32_t n : table.counts(classes[i])) {
        if (n != 0) bits.put_rice(*f++, first);
        for (std::uint32_t j = 1; j < n; ++j) bits.put_rice(*d++, next);
      }
    }
  }
  bits.finish();
  const bool small = stream.size() + 4 * (starts.size() - 1) <= kLargestWithSmallSkips;
  for (std::size_t i = 1; i < starts.size(); ++i) {
    if (small)
      put<std::uint32_t>(out, static_cast<std::uint32_t>(starts[i]));
    else
      put<std::uint64_t>(out, starts[i]);
  }
  out += stream;
}

PositionReader::PositionReader(std::span<const std::byte> bytes, std::uint32_t count) : count_(count) {
  skip_bytes_ = bytes.size() <= kLargestWithSmallSkips ? 4 : 8;
  const std::uint64_t skips =
      count == 0 ? 0 : std::uint64_t{(count - 1) / kPostingsPerPositionBlock} * skip_bytes_;
  good_ = skips <= bytes.size();
  if (!good_) return;
  skips_ = bytes.first(static_cast<std::size_t>(skips));
  bits_ = bytes.subspan(static_cast<std::size_t>(skips));
}

std::uint64_t PositionReader::block_at(std::uint32_t block) const {
  if (block == 0) return 0;
  const char* p = reinterpret_cast<const char*>(skips_.data()) + std::size_t{block - 1} * skip_bytes_;
  // A damaged place is behind the end.
  return std::min<std::uint64_t>(skip_bytes_ == 4 ? load<std::uint32_t>(p) : load<std::uint64_t>(p),
                                 bits_.size() * 8);
}

bool PositionReader::read_all(const ClassTable& table, std::span<const std::uint32_t> classes,
                              std::vector<std::uint32_t>& out) const {
  if (!good_ || classes.size() != count_) return false;
  BitReader in(bits_);
  unsigned first = 0, next = 0;
  for (std::uint32_t i = 0; i < count_; ++i) {
    if (i % kPostingsPerPositionBlock == 0) {
      // Whoever jumps comes to the same place.
      if (block_at(i / kPostingsPerPositionBlock) != in.position()) return false;
      first = static_cast<unsigned>(in.get(kParameterBits));
      next = static_cast<unsigned>(in.get(kParameterBits));
    }
    std::uint32_t field = 0;
    for (const std::uint32_t n : table.counts(classes[i])) {
      std::uint64_t position = 0;
      for (std::uint32_t j = 0; j < n; ++j) {
        position += in.get_rice(j == 0 ? first : next);
        if (position > kMostPosition || in.overrun()) return false;
        out.push_back(field << kPositionBits | static_cast<std::uint32_t>(position));
      }
      ++field;
    }
  }
  return !in.overrun();
}

}  // namespace vecstore::inverted
