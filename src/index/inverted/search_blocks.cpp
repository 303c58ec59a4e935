// Term at a time within windows, but only blocks of documents that promise enough.
#include <algorithm>
#include <array>
#include <bit>
#include <limits>

#include "index/inverted/search_parts.hpp"
#include "simd/term_kernels.hpp"

namespace vecstore::inverted {

namespace {

constexpr std::uint32_t kBlock = simd::kTermBlock, kBlocks = simd::kTermBlocks;
static_assert(kBlock * kBlocks == kWindow);
constexpr std::uint32_t kMostBound = std::numeric_limits<std::uint16_t>::max();

/// A leaf's list in one part, as it is walked.
struct Cursor {
  const DecodedList* list;
  std::uint16_t weight;
};

// Blocks whose sums are held at a time: they fit the first-level cache.
constexpr std::size_t kManyBlocks = 192;
constexpr std::size_t kCollectBlocks = 32;  // between two looks at the threshold

/// Memory that searches of a thread use again.
struct Room {
  std::vector<Cursor> cursors;
  std::vector<simd::DenseTerm> dense;
  // By block of the part.
  std::vector<std::uint16_t> bounds, slots;
  std::vector<std::uint8_t> limits;
  std::vector<std::uint64_t> wanted;  // one bit each
  // By slot: the blocks that are walked together.
  std::vector<std::uint32_t> blocks;
  std::vector<std::uint64_t> allowed;
  alignas(64) std::array<std::uint16_t, (kManyBlocks + kBlocks) * kBlock> sums{};
  bool clean = true;  // sums are 0
  std::array<std::uint16_t, kCollectBlocks * kBlock> places, found;
};

class BlockSearch {
 public:
  BlockSearch(SearchState& state, const Quantizer& quantizer, std::size_t part, const std::uint64_t* allowed,
              Candidates& candidates)
      : state_(state),
        part_(part),
        allowed_(allowed),
        candidates_(candidates),
        source_(*state.plan.parts()[part].source),
        windows_(static_cast<std::uint32_t>((std::uint64_t{source_.documents()} + kWindow - 1) / kWindow)) {
    // A search may have been given up.
    if (!room_.clean) room_.sums.fill(0);
    room_.clean = true;
    room_.cursors.clear();
    for (std::size_t l = 0; l < state.plan.leaves().size(); ++l) {
      const PlanLeaf& leaf = state.plan.leaves()[l];
      if (!leaf.negative && leaf.lists[part])
        room_.cursors.push_back({leaf.lists[part].get(), quantizer.weight(l, part)});
    }
  }

  /// False, and nothing is done: too many blocks promise enough for leaving out the others to pay.
  bool run() {
    if (room_.cursors.size() > kernels_.most_block_terms) return false;
    bound();
    if (reach(threshold()) * kernels_.block_share > room_.bounds.size()) return false;
    // The best blocks first: what they hold raises the threshold for the others.
    const std::uint32_t few = best_blocks(3 * state_.out.k() + 32);
    const std::uint32_t end = few > threshold() ? few : kMostBound + 1;
    if (end == few) walk(few, kMostBound + 1);
    walk(0, end);
    return true;
  }

 private:
  std::uint32_t threshold() const { return std::min(candidates_.threshold(), kMostBound); }

  /// What the documents of each block can reach.
  void bound() {
    room_.bounds.assign(std::size_t{windows_} * kBlocks, 0);
    room_.slots.resize(room_.bounds.size());
    room_.limits.resize(room_.bounds.size());
    room_.wanted.resize(room_.bounds.size() / 64);
    for (const Cursor& c : room_.cursors) {
      if (const std::uint8_t* maxima = c.list->maxima())
        kernels_.add_maxima(maxima, room_.bounds.size(), c.weight, room_.bounds.data());
      else
        bound_short(c);
    }
    if (allowed_ == nullptr) return;
    for (std::size_t b = 0; b < room_.bounds.size(); ++b) {
      if (allowed_[b] == 0) room_.bounds[b] = 0;
    }
  }
  void bound_short(const Cursor& c) {
    std::uint32_t block = 0;
    std::uint8_t most = 0;
    const auto add = [&] {
      room_.bounds[block] =
          static_cast<std::uint16_t>(room_.bounds[block] + simd::term_contribution(most, c.weight));
    };
    c.list->for_each_doc([&](std::uint32_t i, std::uint32_t doc) {
      if (doc / kBlock != block) {
        add();
        block = doc / kBlock;
        most = 0;
      }
      most = std::max(most, c.list->code(i));
    });
    add();
  }

  std::size_t reach(std::uint32_t bound) {
    return kernels_.find_at_least(room_.bounds.data(), room_.bounds.size(), static_cast<std::uint16_t>(bound),
                                  room_.wanted.data());
  }

  /// A bound that about `wanted` blocks reach, the threshold when not many more do.
  std::uint32_t best_blocks(std::size_t wanted) {
    std::uint32_t low = threshold(), high = kMostBound + 1;
    if (reach(low) <= 2 * wanted) return low;
    while (high - low > 64) {
      const std::uint32_t middle = low + (high - low) / 2;
      const std::size_t n = reach(middle);
      if (n < wanted)
        high = middle;
      else
        low = middle;
      if (n >= wanted && n <= wanted + wanted / 2) break;
    }
    return low;
  }

  /// Blocks with bounds from the threshold, or from `least` where that is more, to below `end`.
  void walk(std::uint32_t least, std::uint32_t end) {
    for (std::uint32_t w = 0; w < windows_;) {
      state_.context.check();
      const auto limit = static_cast<std::uint16_t>(std::max(threshold(), least));
      const std::uint32_t first = w;
      room_.blocks.clear();
      for (; w < windows_ && room_.blocks.size() < kManyBlocks; ++w) take_wanted(w, limit, end);
      if (!room_.blocks.empty()) walk_windows(first, w);
    }
  }

  void take_wanted(std::uint32_t w, std::uint16_t limit, std::uint32_t end) {
    const std::uint16_t* bounds = room_.bounds.data() + std::size_t{w} * kBlocks;
    std::uint64_t* wanted = room_.wanted.data() + std::size_t{w} * 2;
    if (kernels_.find_at_least(bounds, kBlocks, limit, wanted) == 0) return;
    if (end <= kMostBound) {
      std::array<std::uint64_t, 2> done;
      kernels_.find_at_least(bounds, kBlocks, static_cast<std::uint16_t>(end), done.data());
      wanted[0] &= ~done[0];
      wanted[1] &= ~done[1];
    }
    for (std::uint32_t half = 0; half < 2; ++half) {
      for (std::uint64_t bits = wanted[half]; bits != 0; bits &= bits - 1) {
        const std::uint32_t block =
            w * kBlocks + half * 64 + static_cast<std::uint32_t>(std::countr_zero(bits));
        room_.slots[block] = static_cast<std::uint16_t>(room_.blocks.size());
        room_.blocks.push_back(block);
      }
    }
  }

  /// The wanted blocks of some windows.
  void walk_windows(std::uint32_t first, std::uint32_t end) {
    const auto limit = static_cast<std::uint16_t>(threshold());
    room_.clean = false;
    room_.dense.clear();
    for (const Cursor& c : room_.cursors) {
      const DecodedList& list = *c.list;
      switch (list.form()) {
        case DecodedList::Form::kFew:
          add_few(c, first, end);
          break;
        case DecodedList::Form::kMany: {
          const std::size_t block = std::size_t{first} * kBlocks;
          const std::uint64_t* wanted = room_.wanted.data() + block / 64;
          kernels_.code_limits(list.maxima() ? list.maxima() + block : nullptr, room_.bounds.data() + block,
                               std::size_t{end - first} * kBlocks, limit, c.weight, wanted,
                               room_.limits.data());
          kernels_.add_sparse_blocks(list.ids(), list.codes(), list.starts() + first, end - first, c.weight,
                                     wanted, room_.limits.data(), room_.slots.data() + block,
                                     room_.sums.data());
          break;
        }
        case DecodedList::Form::kDense:
          room_.dense.push_back({list.bits(), list.codes(), c.weight, list.ranks()});
          break;
      }
    }
    kernels_.add_dense_blocks(room_.dense.data(), room_.dense.size(), room_.blocks.data(),
                              room_.blocks.size(), room_.sums.data());
    collect();
    room_.clean = true;
  }

  void add_few(const Cursor& c, std::uint32_t first, std::uint32_t end) {
    const DecodedList& list = *c.list;
    const std::uint32_t* last = list.docs() + list.size();
    const std::uint64_t behind = std::uint64_t{end} * kWindow;
    for (const std::uint32_t* d = std::lower_bound(list.docs(), last, first * kWindow);
         d != last && *d < behind; ++d) {
      const std::uint32_t block = *d / kBlock;
      if (!(room_.wanted[block / 64] >> (block % 64) & 1)) continue;
      std::uint16_t& sum = room_.sums[room_.slots[block] * std::size_t{kBlock} + *d % kBlock];
      const std::uint8_t code = list.code(static_cast<std::uint32_t>(d - list.docs()));
      sum = static_cast<std::uint16_t>(sum + simd::term_contribution(code, c.weight));
    }
  }

  void collect() {
    if (allowed_ != nullptr) {
      room_.allowed.clear();
      for (const std::uint32_t block : room_.blocks) room_.allowed.push_back(allowed_[block]);
    }
    for (std::size_t slot = 0; slot < room_.blocks.size(); slot += kCollectBlocks) {
      const std::size_t count = std::min(kCollectBlocks, room_.blocks.size() - slot);
      const std::size_t n =
          kernels_.collect(room_.sums.data() + slot * kBlock, count, static_cast<std::uint16_t>(threshold()),
                           allowed_ == nullptr ? nullptr : room_.allowed.data() + slot, room_.places.data(),
                           room_.found.data());
      for (std::size_t i = 0; i < n; ++i) {
        if (room_.found[i] < candidates_.threshold()) continue;
        const std::uint32_t doc =
            room_.blocks[slot + room_.places[i] / kBlock] * kBlock + room_.places[i] % kBlock;
        if (state_.filter == nullptr || state_.admits(source_.row(doc)))
          candidates_.push(room_.found[i], static_cast<std::uint32_t>(part_), doc);
      }
      if (n != 0) candidates_.trim();
    }
  }

  SearchState& state_;
  std::size_t part_;
  const std::uint64_t* allowed_;
  Candidates& candidates_;
  const TermSource& source_;
  const std::uint32_t windows_;
  const simd::TermKernels& kernels_ = simd::term_kernels();
  Room& room_ = room();
  static Room& room() {
    thread_local Room r;
    return r;
  }
};

}  // namespace

void collect_from_blocks(SearchState& state, const Quantizer& quantizer, std::size_t part,
                         const std::uint64_t* allowed, Candidates& candidates) {
  if (!BlockSearch(state, quantizer, part, allowed, candidates).run())
    collect_candidates(state, quantizer, part, allowed, candidates);
}

}  // namespace vecstore::inverted
