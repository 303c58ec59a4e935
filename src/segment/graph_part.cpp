#include "segment/graph_part.hpp"

#include <algorithm>
#include <bit>

#include "base/count_bits.hpp"
#include "base/error.hpp"
#include "quant/norms.hpp"

namespace vecstore::segment {
namespace {
constexpr std::uint32_t kDefaultEf = 64;  // of callers that have no collection's setting
constexpr std::uint32_t kLeastHits = 20;
constexpr std::size_t kMostShare = 8;  // one in so many
// Up to so many rows everything is checked at once when the file is opened.
constexpr std::size_t kWarmAtOpen = 2'000;
}  // namespace

GraphPart::GraphPart(std::shared_ptr<const io::IndexFile> file, const PartMeta& meta, RowRange range)
    : file_(std::move(file)),
      field_(static_cast<std::uint16_t>(meta.field)),
      rows_(static_cast<std::size_t>(meta.rows)),
      range_(range),
      index_(HnswIndex::open(file_, vector_section(field_, kGraphSection))) {
  if (file_->section_size(vector_section(field_, kRowsSection)) != rows_ * sizeof(std::uint64_t) ||
      index_->size() != rows_ || index_->dimension() != meta.dimension ||
      index_->metric() != static_cast<Metric>(meta.metric)) {
    fail(ErrorCode::kCorruption, file_->path(), ": the sections of field ", field_, " do not fit ", rows_,
         " rows of ", meta.dimension, " dimensions");
  }
  if (rows_ <= kWarmAtOpen) {
    Context context;
    warm_up(context);
  }
}

std::span<const std::uint64_t> GraphPart::row_numbers() const {
  return file_->array<std::uint64_t>(vector_section(field_, kRowsSection));
}

bool GraphPart::warm_up(Context& context) const {
  if (index_->warm()) return false;
  index_->warm_up(context);
  return true;
}

// Only what has changed since the last version is looked up, so that a query after an update costs
// microseconds.
std::shared_ptr<const GraphPart::Retired> GraphPart::retired_nodes(const PartQuery& query) const {
  const std::lock_guard lock(mutex_);
  if (retired_ && retired_->version == query.retired_version) return retired_;
  const auto rows = row_numbers();
  if (rows.back() < rows.front() || rows.front() < range_.first || rows.back() >= range_.end)
    fail(ErrorCode::kCorruption, file_->path(), ": the row numbers of field ", field_, " are out of range");
  const std::size_t first_word = static_cast<std::size_t>(rows.front() / 64);
  const std::size_t words = static_cast<std::size_t>(rows.back() / 64) - first_word + 1;
  auto next = retired_ ? std::make_shared<Retired>(*retired_) : std::make_shared<Retired>();
  next->version = query.retired_version;
  next->words.resize(words);
  next->nodes.resize((rows_ + 63) / 64);
  for (std::size_t w = 0; w < words; ++w) {
    const std::uint64_t now = first_word + w < query.retired.size() ? query.retired[first_word + w] : 0;
    for (std::uint64_t changed = now ^ next->words[w]; changed != 0; changed &= changed - 1) {
      const std::uint64_t row = (first_word + w) * 64 + static_cast<std::uint64_t>(std::countr_zero(changed));
      const auto at = std::lower_bound(rows.begin(), rows.end(), row);
      if (at == rows.end() || *at != row) continue;
      const auto node = static_cast<std::size_t>(at - rows.begin());
      next->nodes[node / 64] ^= std::uint64_t{1} << (node % 64);
      next->nodes[node / 64] >> (node % 64) & 1 ? ++next->count : --next->count;
    }
    next->words[w] = now;
  }
  if (!retired_ || retired_->version < next->version) retired_ = next;
  return next;
}

// The nodes of the rows whose bits are set; how many they are.
std::size_t GraphPart::admitted_nodes(std::span<const std::uint64_t> bits, const Retired& retired,
                                      std::vector<std::uint64_t>& out) const {
  const auto rows = row_numbers();
  const std::uint64_t first = rows.front();
  const auto word = [&](std::uint64_t w) { return w < bits.size() ? bits[static_cast<std::size_t>(w)] : 0; };
  out.assign((rows_ + 63) / 64, 0);
  if (rows.back() - first + 1 == rows_) {
    const std::uint64_t begin = first / 64, shift = first % 64;
    for (std::size_t w = 0; w < out.size(); ++w) {
      out[w] = word(begin + w) >> shift;
      if (shift > 0) out[w] |= word(begin + w + 1) << (64 - shift);
    }
  } else {
    std::size_t node = 0;
    for (std::uint64_t w = first / 64; w <= rows.back() / 64; ++w) {
      std::uint64_t left = word(w);
      if (left == 0) continue;
      node = static_cast<std::size_t>(
          std::lower_bound(rows.begin() + static_cast<std::ptrdiff_t>(node), rows.end(), w * 64) -
          rows.begin());
      for (; node < rows_ && rows[node] / 64 == w; ++node) {
        if (left >> (rows[node] % 64) & 1) out[node / 64] |= std::uint64_t{1} << (node % 64);
      }
    }
  }
  if (rows_ % 64 != 0) out.back() &= (std::uint64_t{1} << (rows_ % 64)) - 1;
  for (std::size_t w = 0; w < out.size(); ++w) out[w] &= ~retired.nodes[w];
  return count_bits(out);
}

bool GraphPart::walks_for(std::span<const float> vector) const {
  if (inverse_norm(vector.data(), vector.size()) > 0) return true;
  return index_->metric() == Metric::kEuclidean && norm_in_double(vector.data(), vector.size()) < kMaxNorm;
}

void GraphPart::search(const PartQuery& query, Context& context, std::vector<PartCandidate>& out) const {
  thread_local HnswScratch scratch;
  thread_local std::vector<HnswHit> hits;
  thread_local std::vector<std::uint64_t> admitted;
  const std::span<const std::uint64_t> bits =
      query.filter ? query.filter->bits() : std::span<const std::uint64_t>();
  const std::shared_ptr<const Retired> retired = retired_nodes(query);
  const auto rows = row_numbers();
  // Rows without gaps need no look at their numbers.
  const bool dense = rows.back() - rows.front() + 1 == rows_;
  std::size_t live = rows_ - retired->count;
  if (!bits.empty()) live = admitted_nodes(bits, *retired, admitted);
  if (live == 0) return;
  const auto every_row = [&] {
    for (std::size_t w = 0; w < (rows_ + 63) / 64; ++w) {
      std::uint64_t left = bits.empty() ? ~retired->nodes[w] : admitted[w];
      for (; left != 0; left &= left - 1) {
        const std::size_t node = w * 64 + static_cast<std::size_t>(std::countr_zero(left));
        if (node < rows_) out.push_back({rows[node], std::numeric_limits<float>::infinity(), true});
      }
    }
  };
  // A large share of the rows is not walked for, and codes have no range for extreme queries.
  if (query.ef >= live || query.k > live / kMostShare || !walks_for(query.vector)) return every_row();
  HnswQuery walk;
  walk.vector = query.vector;
  walk.k = static_cast<std::uint32_t>(std::min(query.k, rows_));
  walk.ef =
      std::max<std::uint32_t>(walk.k, query.ef != 0 ? static_cast<std::uint32_t>(query.ef) : kDefaultEf);
  walk.hits = std::max(
      {2 * walk.k, kLeastHits, static_cast<std::uint32_t>(std::min<std::size_t>(query.candidates, rows_))});
  if (!bits.empty())
    walk.admitted = admitted.data();
  else if (retired->count > 0)
    walk.retired = retired->nodes.data();
  if (query.bound > -std::numeric_limits<float>::infinity()) walk.known_score = query.bound;
  index_->search(walk, scratch, context, hits);
  // Among thousands of equal rows a walk may end early; with a bound it may have found all there are.
  if (!walk.known_score && hits.size() < std::min<std::size_t>(walk.k, live)) return every_row();
  for (const HnswHit& hit : hits)
    out.push_back({dense ? rows.front() + hit.node : rows[hit.node], hit.score, false});
}

}  // namespace vecstore::segment
