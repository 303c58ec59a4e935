#include "segment/sparse_part.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "base/error.hpp"

namespace vecstore::segment {
namespace {

constexpr float kLeastPlain = 0x1p-50f;
constexpr float kMostPlain = 0x1p50f;

void check_order(std::uint64_t row, const SparseRow& vector) {
  for (std::size_t i = 1; i < vector.indices.size(); ++i) {
    if (vector.indices[i] <= vector.indices[i - 1])
      fail(ErrorCode::kCorruption, "the sparse vector of row ", row, " is not in order");
  }
}

// Infinities of both signs have no sum.
float careful_dot(const SparseRow& a, const SparseRow& b) {
  double sum = 0;
  for (std::size_t i = 0, j = 0; i < a.indices.size() && j < b.indices.size();) {
    if (a.indices[i] == b.indices[j])
      sum += static_cast<double>(a.values[i]) * static_cast<double>(b.values[j]);
    const bool first = a.indices[i] <= b.indices[j], second = b.indices[j] <= a.indices[i];
    i += first;
    j += second;
  }
  constexpr double kMost = std::numeric_limits<float>::max();
  return static_cast<float>(std::clamp(sum, -kMost, kMost));
}

}  // namespace

bool is_plain(const SparseRow& vector) {
  return std::all_of(vector.values.begin(), vector.values.end(),
                     [](float v) { return v >= kLeastPlain && v <= kMostPlain; });
}

std::optional<float> dot(const SparseRow& a, const SparseRow& b) {
  float sum = 0;
  bool common = false;
  for (std::size_t i = 0, j = 0; i < a.indices.size() && j < b.indices.size();) {
    if (a.indices[i] == b.indices[j]) {
      sum += a.values[i] * b.values[j];
      common = true;
    }
    const bool first = a.indices[i] <= b.indices[j], second = b.indices[j] <= a.indices[i];
    i += first;
    j += second;
  }
  if (!common) return std::nullopt;
  return std::isfinite(sum) ? sum : careful_dot(a, b);
}

void SparseRowsBuilder::add(std::uint64_t row, const SparseRow& vector) {
  check_order(row, vector);
  if (vector.indices.empty()) return;
  if (is_plain(vector))
    plain_.add(row, vector.indices, vector.values);
  else
    apart_.push_back(row);
}

void SparseTail::add(std::uint64_t row, const SparseRow& vector) {
  check_order(row, vector);
  if (vector.indices.empty()) return;
  if (is_plain(vector)) {
    plain_.add(row, vector.indices, vector.values);
  } else {
    apart_.push_back(row);
    apart_view_.reset();
  }
}

void SparseTail::retire(std::uint64_t row) {
  if (plain_.retire(row)) return;
  const auto at = std::lower_bound(apart_.begin(), apart_.end(), row);
  if (at == apart_.end() || *at != row) return;
  apart_.erase(at);
  apart_view_.reset();
}

SparseTailView SparseTail::view() const {
  if (!apart_view_) apart_view_ = std::make_shared<const std::vector<std::uint64_t>>(apart_);
  return {plain_.view(), apart_view_};
}

SparsePart::SparsePart(std::shared_ptr<const io::IndexFile> file, const SparseMeta& meta,
                       std::uint64_t first_row, std::uint64_t end_row)
    : file_(std::move(file)), meta_(meta), first_row_(first_row), end_row_(end_row) {
  const auto field = static_cast<std::uint16_t>(meta_.field);
  if (meta_.documents == 0) return;
  terms_ = std::make_unique<TermsPart>(file_, sparse_section(field, 0), first_row, end_row);
  const inverted::TermPart& part = terms_->terms();
  if (part.documents() != meta_.documents || part.fields() != 0)
    fail(ErrorCode::kCorruption, file_->path(), ": its sparse vectors are ", part.documents(), ", not ",
         meta_.documents);
}

std::span<const std::uint64_t> SparsePart::apart() const {
  if (meta_.apart == 0) return {};
  const auto bytes = file_->read(sparse_section(static_cast<std::uint16_t>(meta_.field), kApartSection));
  const auto* rows = reinterpret_cast<const std::uint64_t*>(bytes.data());
  const std::span<const std::uint64_t> out(rows, bytes.size() / sizeof *rows);
  const bool ascending = std::adjacent_find(out.begin(), out.end(), std::greater_equal<>()) == out.end();
  if (out.size() != meta_.apart || !ascending || out.front() < first_row_ || out.back() >= end_row_)
    fail(ErrorCode::kCorruption, file_->path(), ": the rows that stand apart are damaged");
  return out;
}

std::uint64_t SparsePart::retired(const RetiredBits& retired) const {
  std::uint64_t count = terms_ ? terms_->retired(retired) : 0;
  for (const std::uint64_t row : apart()) count += retired.contains(row);
  return count;
}

void SparsePart::verify(const Context& context) const {
  apart();
  if (terms_) terms_->verify(context);
}

void SparseIndex::add(const SparsePart& part, const RetiredBits& retired) {
  meeting_damage([&] {
    if (part.terms()) terms.add(*part.terms(), retired);
    if (part.has_codes()) coded.push_back(&part.terms()->terms());
    const auto rows = part.apart();
    apart.insert(apart.end(), rows.begin(), rows.end());
  });
}

void SparseIndex::add(const SparseTailView& tail) {
  terms.add(*tail.terms);
  apart.insert(apart.end(), tail.apart->begin(), tail.apart->end());
}

void SparseIndex::search(const SparseRow& query, const RowFilter* filter, Context& context, TopK& out) const {
  if (query.indices.empty()) return;
  std::vector<TermNode> wanted;
  wanted.reserve(query.indices.size());
  for (std::size_t i = 0; i < query.indices.size(); ++i)
    wanted.push_back(TermNode::term(inverted::sparse_term(query.indices[i]), query.values[i]));
  terms.search(TermNode::any(std::move(wanted)), filter, context, out);
}

double SparseIndex::most_lacking(const SparseRow& query) const {
  double sum = 0;
  for (std::size_t i = 0; i < query.indices.size(); ++i) {
    const std::string term = inverted::sparse_term(query.indices[i]);
    float largest = 0;
    meeting_damage([&] {
      for (const inverted::TermPart* part : coded) {
        if (const auto list = part->list(term, kAnyField, {})) largest = std::max(largest, list->max_value());
      }
    });
    sum += static_cast<double>(query.values[i]) * static_cast<double>(largest);
  }
  constexpr double kRounding = 1.0002;  // of a code, which is computed in float
  return sum * kRounding / 510;
}

}  // namespace vecstore::segment
