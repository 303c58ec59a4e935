// Term at a time within windows of documents.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "index/inverted/search_parts.hpp"
#include "simd/term_kernels.hpp"

namespace vecstore::inverted {

namespace {

constexpr std::uint32_t kVectorWindows = 4;  // lists of vectors are longer: fewer, larger steps
constexpr std::uint32_t kMostWindow = kWindow * kVectorWindows;
constexpr std::uint32_t kCollectWords = 32;  // documents between two looks at the threshold, in words of 64
constexpr std::uint32_t kMostSum = 60'000;
constexpr std::uint32_t kMostWeight = 62'000;
constexpr std::size_t kMostLeaves = 200;

struct Sums {
  alignas(64) std::array<std::uint16_t, kMostWindow> values;
  std::array<std::uint16_t, kCollectWords * 64> places, found;
};

/// A leaf's list in one part, as it is walked.
struct Cursor {
  const DecodedList* list;
  std::uint16_t weight;
  std::uint32_t next = 0;  // of few documents: the posting
};

void open_cursors(SearchState& state, const Quantizer& quantizer, std::size_t part,
                  std::vector<Cursor>& cursors) {
  cursors.clear();
  for (std::size_t l = 0; l < state.plan.leaves().size(); ++l) {
    const PlanLeaf& leaf = state.plan.leaves()[l];
    const DecodedList* list = leaf.negative ? nullptr : leaf.lists[part].get();
    if (list == nullptr) continue;
    Cursor& c = cursors.emplace_back();
    c.list = list;
    c.weight = quantizer.weight(l, part);
  }
}

/// Adds up the documents from window `first` on, `windows` of them; bitmaps are added together elsewhere.
void add(const simd::TermKernels& kernels, Cursor& c, std::uint32_t first, std::uint32_t windows,
         std::uint16_t* sums) {
  const DecodedList& list = *c.list;
  const std::uint32_t begin = first * kWindow;
  switch (list.form()) {
    case DecodedList::Form::kFew: {
      const std::uint64_t end = std::uint64_t{begin} + std::uint64_t{windows} * kWindow;
      for (; c.next < list.size() && list.docs()[c.next] < end; ++c.next) {
        std::uint16_t& sum = sums[list.docs()[c.next] - begin];
        sum = static_cast<std::uint16_t>(sum + simd::term_contribution(list.code(c.next), c.weight));
      }
      break;
    }
    case DecodedList::Form::kMany: {
      const std::uint32_t from = list.start(first), to = list.start(first + windows);
      kernels.add_sparse(list.ids() + from, list.codes() + from, to - from, c.weight,
                         sums - (begin & 0xffff));
      break;
    }
    case DecodedList::Form::kDense:
      break;
  }
}

/// Calls found(document, sum) for what reaches threshold() and is allowed, window by window.
template <class Threshold, class Found, class After>
void walk(SearchState& state, const Quantizer& quantizer, std::size_t part, const std::uint64_t* allowed,
          Threshold&& threshold, Found&& found, After&& after) {
  thread_local std::vector<Cursor> cursors;
  thread_local Sums sums;
  thread_local std::vector<simd::DenseTerm> dense;
  open_cursors(state, quantizer, part, cursors);
  const simd::TermKernels& kernels = simd::term_kernels();
  const std::uint32_t documents = state.plan.parts()[part].source->documents();
  const auto windows = static_cast<std::uint32_t>((std::uint64_t{documents} + kWindow - 1) / kWindow);
  const std::uint32_t step = state.plan.vectors() ? kVectorWindows : 1;
  std::memset(sums.values.data(), 0, std::size_t{step} * kWindow * sizeof sums.values[0]);
  for (std::uint32_t w = 0; w < windows; w += step) {
    state.context.check();
    const std::uint32_t count = std::min(step, windows - w);
    dense.clear();
    for (Cursor& c : cursors) {
      if (c.list->form() == DecodedList::Form::kDense)
        dense.push_back({c.list->bits() + w * (kWindow / 64), c.list->codes() + c.list->rank(w * kWindow),
                         c.weight, nullptr});
      else
        add(kernels, c, w, count, sums.values.data());
    }
    kernels.add_dense(dense.data(), dense.size(), count * (kWindow / 64), sums.values.data());
    for (std::uint32_t word = 0; word < count * (kWindow / 64); word += kCollectWords) {
      const std::uint32_t first = w * kWindow + word * 64;
      const std::uint32_t limit =
          std::min<std::uint32_t>(threshold(), std::numeric_limits<std::uint16_t>::max());
      const std::size_t n = kernels.collect(
          sums.values.data() + std::size_t{word} * 64, kCollectWords, static_cast<std::uint16_t>(limit),
          allowed == nullptr ? nullptr : allowed + first / 64, sums.places.data(), sums.found.data());
      for (std::size_t i = 0; i < n; ++i) found(first + sums.places[i], sums.found[i]);
      if (n != 0) after();
    }
  }
}

}  // namespace

Quantizer::Quantizer(QueryPlan& plan) : plan_(plan) {
  double sum = 0, largest = 0, rounding = 0;
  std::vector<double> units;
  std::size_t leaves = 0;
  for (const PlanLeaf& leaf : plan.leaves()) {
    double most = 0, unit = 0;
    bool adds = false;
    for (const auto& list : leaf.lists) {
      if (!list || leaf.negative) continue;
      adds = true;
      const double weight = static_cast<double>(leaf.weight) * list->max_value();
      most = std::max(most, weight * list->max_code() / 255);
      unit = std::max(unit, weight);
    }
    if (!adds) continue;
    ++leaves;  // also with a weight too small for a float: its postings have the least weight all the same
    sum += most;
    largest = std::max(largest, unit);
    // A code exceeds its share by 1.001 steps at most, and by what the average length has moved.
    double moved = 0;
    for (const auto& list : leaf.lists) {
      if (list && !plan.vectors() && list->norm().slope > 0 && plan.norm().slope > 0)
        moved = std::max<double>(moved, std::abs(list->norm().slope / plan.norm().slope - 1));
    }
    rounding += unit * (1.01 / 255) + 2.1 * moved * most;
    units.push_back(unit);
  }
  if (leaves == 0 || leaves > kMostLeaves) return;
  // Contributions are rounded down: a sum may lack one per leaf. Weights are rounded up, and none is below
  // the least one, so that whatever matches has a sum.
  const auto raised = [&](double scale) {
    double all = 0;
    for (const double unit : units) all += std::max(0.0, simd::kLeastTermWeight - unit * scale);
    return all;
  };
  scale_ = std::min(kMostSum / sum, kMostWeight / largest);
  double room = 0;
  for (int i = 0; i < 8; ++i) {
    room = kMostSum - raised(scale_) - 3.0 * static_cast<double>(leaves);
    if (!(room > 0)) return;
    scale_ = std::min(scale_, room / (1.02 * sum));
  }
  if (!std::isfinite(scale_) ||
      raised(scale_) + 1.01 * scale_ * sum + 3.0 * static_cast<double>(leaves) > kMostSum)
    return;
  lack_ = static_cast<std::uint32_t>(leaves);
  band_ = static_cast<std::uint32_t>(
      std::min(1e9, rounding * scale_ + raised(scale_) + 2.1 * static_cast<double>(leaves) + 2));
  useful_ = band_ < kMostSum / 6;
}

std::uint16_t Quantizer::weight(std::size_t leaf, std::size_t part) const {
  const PlanLeaf& l = plan_.leaves()[leaf];
  const DecodedList& list = *l.lists[part];
  double weight = static_cast<double>(l.weight) * list.max_value() * scale_;
  // A share grows no more than the average length does.
  if (!plan_.vectors() && list.norm().slope > 0 && plan_.norm().slope > 0)
    weight *= std::max(1.0, static_cast<double>(list.norm().slope) / static_cast<double>(plan_.norm().slope));
  return static_cast<std::uint16_t>(
      std::clamp<double>(std::ceil(weight * (256.0 / 255.0)), simd::kLeastTermWeight, 65'535.0));
}

std::uint32_t Quantizer::least_sum(float score) const {
  if (!(score > 0)) return 1;
  // Scores are sums of floats; their rounding is far below a thousandth.
  const double sum = std::floor(static_cast<double>(score) * scale_ * 0.9999) - lack_;
  return sum < 1 ? 1 : static_cast<std::uint32_t>(std::min(sum, 65'535.0));
}

void collect_candidates(SearchState& state, const Quantizer& quantizer, std::size_t part,
                        const std::uint64_t* allowed, Candidates& candidates) {
  const TermSource& source = *state.plan.parts()[part].source;
  walk(
      state, quantizer, part, allowed, [&] { return candidates.threshold(); },
      [&](std::uint32_t doc, std::uint16_t sum) {
        if (state.filter == nullptr || state.admits(source.row(doc)))
          candidates.push(sum, static_cast<std::uint32_t>(part), doc);
      },
      [&] { candidates.trim(); });
}

void search_windows(SearchState& state, const Quantizer& quantizer, std::size_t part) {
  const TermSource& source = *state.plan.parts()[part].source;
  std::uint32_t threshold = quantizer.useful() ? quantizer.least_sum(state.out.bound()) : 1;
  walk(
      state, quantizer, part, state.plan.parts()[part].live, [&] { return threshold; },
      [&](std::uint32_t doc, std::uint16_t sum) {
        if (sum < threshold) return;
        float score = 0;
        if (!state.evaluate(state.plan.root(), part, doc, score) || score < state.out.bound()) return;
        const std::uint64_t row = source.row(doc);
        if (!state.admits(row)) return;
        state.out.push(row, score);
        if (quantizer.useful()) threshold = quantizer.least_sum(state.out.bound());
      },
      [] {});
}

// Every score in full, in the order of the leaves.
void search_exhaustively(SearchState& state, std::size_t part) {
  const TermSource& source = *state.plan.parts()[part].source;
  const float* lengths = source.lengths();
  std::vector<float> scores(source.documents());
  std::vector<std::uint32_t> docs;
  for (const PlanLeaf& leaf : state.plan.leaves()) {
    const DecodedList* list = leaf.lists[part].get();
    if (list == nullptr) continue;
    state.context.check();
    docs.clear();
    list->append_docs(docs);
    for (std::uint32_t i = 0; i < docs.size(); ++i) {
      const float value = list->value(i);
      scores[docs[i]] += lengths != nullptr ? state.plan.norm().score(leaf.weight, value, lengths[docs[i]])
                                            : leaf.weight * value;
    }
  }
  for (std::uint32_t d = 0; d < scores.size(); ++d) {
    if (d % 1024 == 0) state.context.check();
    if (scores[d] <= 0 || scores[d] < state.out.bound() || !state.is_live(part, d)) continue;
    const std::uint64_t row = source.row(d);
    if (state.admits(row)) state.out.push(row, scores[d]);
  }
}

}  // namespace vecstore::inverted
