// Exact scores, and the ways that need no windows.
#include <algorithm>
#include <numeric>

#include "index/inverted/phrase.hpp"
#include "index/inverted/search_parts.hpp"

namespace vecstore::inverted {

namespace {

constexpr std::uint32_t kStep = 1024;

/// Keeps the documents whose membership in the list is `wanted`.
void keep(const DecodedList* list, bool wanted, Context& context, std::vector<std::uint32_t>& docs) {
  if (list == nullptr) {
    if (wanted) docs.clear();
    return;
  }
  context.check();
  thread_local std::vector<std::uint8_t> found;
  found.resize(docs.size());
  list->contains_all(docs, found.data());
  std::size_t kept = 0;
  for (std::size_t i = 0; i < docs.size(); ++i) {
    docs[kept] = docs[i];
    kept += (found[i] != 0) == wanted;
  }
  docs.resize(kept);
}

}  // namespace

bool SearchState::admits(std::uint64_t row) {
  if (filter == nullptr) return true;
  if ((++context.counters.rows_filtered & (kStep - 1)) == 0) context.check();
  if (!filter->contains(row)) return false;
  ++context.counters.rows_matched;
  return true;
}

void SearchState::score_all(std::size_t part, std::span<const std::uint32_t> docs, bool filtered) {
  const TermSource& source = *plan.parts()[part].source;
  const float* lengths = source.lengths();
  const Norm norm = plan.norm();
  thread_local std::vector<float> scores, own_lengths;
  thread_local std::vector<std::uint32_t> postings;
  scores.assign(docs.size(), 0.0f);
  own_lengths.assign(docs.size(), 0.0f);
  postings.resize(docs.size());
  context.counters.rows_rescored += docs.size();
  if (lengths != nullptr) {
    for (std::size_t i = 0; i < docs.size(); ++i) own_lengths[i] = lengths[docs[i]];
  }
  for (const PlanLeaf& leaf : plan.leaves()) {
    const DecodedList* list = leaf.negative ? nullptr : leaf.lists[part].get();
    if (list == nullptr) continue;
    for (std::size_t begin = 0; begin < docs.size(); begin += kStep) {
      context.check();
      const auto some = docs.subspan(begin, std::min<std::size_t>(kStep, docs.size() - begin));
      list->find_all(some, postings.data() + begin);
    }
    for (std::size_t i = 0; i < docs.size(); ++i) {
      if (postings[i] == kNoPosting) continue;
      const float value = list->value(postings[i]);
      scores[i] += lengths != nullptr ? norm.score(leaf.weight, value, own_lengths[i]) : leaf.weight * value;
    }
  }
  for (std::size_t i = 0; i < docs.size(); ++i) {
    if (scores[i] <= 0 || scores[i] < out.bound()) continue;
    const std::uint64_t row = source.row(docs[i]);
    if (filtered || (is_live(part, docs[i]) && admits(row))) out.push(row, scores[i]);
  }
}

bool SearchState::evaluate(const PlanNode& node, std::size_t part, std::uint32_t doc, float& score) {
  if (node.leaf != PlanNode::kNoLeaf) {
    const PlanLeaf& leaf = plan.leaves()[node.leaf];
    const DecodedList* list = leaf.lists[part].get();
    const std::uint32_t posting = list == nullptr ? kNoPosting : list->find(doc);
    if (posting == kNoPosting) return false;
    const float* lengths = plan.parts()[part].source->lengths();
    const float value = list->value(posting);
    score += lengths != nullptr ? plan.norm().score(leaf.weight, value, lengths[doc]) : leaf.weight * value;
    return true;
  }
  float own = 0, unused = 0;
  bool any = false;
  for (const PlanNode& child : node.children) {
    const bool matches = evaluate(child, part, doc, child.occur == Occur::kMustNot ? unused : own);
    if (matches == (child.occur == Occur::kMustNot)) {
      if (matches || child.occur == Occur::kMust) return false;
    }
    any = any || (matches && child.occur != Occur::kMustNot);
  }
  if (!any) return false;
  score += own;
  return true;
}

bool single_level(const PlanNode& root) {
  return std::all_of(root.children.begin(), root.children.end(),
                     [](const PlanNode& n) { return n.leaf != PlanNode::kNoLeaf; });
}

std::uint32_t fewest_required(QueryPlan& plan, std::size_t part, bool& impossible) {
  std::uint32_t fewest = kNoPosting;
  for (const PlanNode& child : plan.root().children) {
    if (child.leaf == PlanNode::kNoLeaf || child.occur != Occur::kMust) continue;
    const auto& list = plan.leaves()[child.leaf].lists[part];
    impossible = impossible || !list;
    if (list) fewest = std::min(fewest, list->size());
  }
  return fewest;
}

std::vector<std::uint64_t> admitted(QueryPlan& plan, std::size_t part) {
  const TermPartView& view = plan.parts()[part];
  std::vector<std::uint64_t> mask(
      (std::size_t{view.source->documents()} + kWindow - 1) / kWindow * (kWindow / 64), ~std::uint64_t{0});
  if (view.live != nullptr) std::copy_n(view.live, mask.size(), mask.begin());
  for (const PlanNode& child : plan.root().children) {
    if (child.occur == Occur::kShould) continue;
    const auto& list = plan.leaves()[child.leaf].lists[part];
    if (list) list->restrict(mask, child.occur == Occur::kMustNot);
  }
  return mask;
}

void search_required(SearchState& state, std::size_t part) {
  QueryPlan& plan = state.plan;
  std::vector<const DecodedList*> required;
  for (const PlanNode& child : plan.root().children) {
    if (child.leaf != PlanNode::kNoLeaf && child.occur == Occur::kMust)
      required.push_back(plan.leaves()[child.leaf].lists[part].get());
  }
  std::sort(required.begin(), required.end(),
            [](const DecodedList* a, const DecodedList* b) { return a->size() < b->size(); });
  // After the shortest one bitmaps: a look into one costs least.
  std::stable_partition(required.begin() + 1, required.end(),
                        [](const DecodedList* l) { return l->form() == DecodedList::Form::kDense; });
  thread_local std::vector<std::uint32_t> docs;
  docs.clear();
  required[0]->append_docs(docs);
  for (std::size_t i = 1; i < required.size(); ++i) keep(required[i], true, state.context, docs);
  if (single_level(plan.root())) {
    for (const PlanNode& child : plan.root().children) {
      if (child.occur == Occur::kMustNot)
        keep(plan.leaves()[child.leaf].lists[part].get(), false, state.context, docs);
    }
    state.score_all(part, docs, false);
    return;
  }
  const TermSource& source = *plan.parts()[part].source;
  for (std::size_t i = 0; i < docs.size(); ++i) {
    if (i % kStep == 0) state.context.check();
    float score = 0;
    if (!state.is_live(part, docs[i]) || !state.evaluate(plan.root(), part, docs[i], score)) continue;
    const std::uint64_t row = source.row(docs[i]);
    if (score >= state.out.bound() && state.admits(row)) state.out.push(row, score);
  }
}

void search_phrase(SearchState& state, std::size_t part) {
  const PlanLeaf& leaf = state.plan.leaves()[0];
  const TermSource& source = *state.plan.parts()[part].source;
  const Norm norm = state.plan.norm();
  Phrase phrase(source, *leaf.node, norm, state.context);
  const float* lengths = source.lengths();
  struct Promising {
    float bound;
    std::uint32_t at;
  };
  std::vector<Promising> left;
  state.context.counters.postings_scored += phrase.docs().size();
  for (std::uint32_t i = 0; i < phrase.docs().size(); ++i) {
    if (i % kStep == 0) state.context.check();
    const std::uint32_t doc = phrase.docs()[i];
    const float bound = norm.score(leaf.weight, phrase.most(i), lengths[doc]) * 1.0001f;
    if (bound >= state.out.bound() && state.is_live(part, doc)) left.push_back({bound, i});
  }
  const auto verify = [&](const Promising& p) {
    if (p.bound < state.out.bound()) return;
    const float tf = phrase.frequency(p.at);
    if (tf == 0) return;
    ++state.context.counters.rows_rescored;
    const std::uint32_t doc = phrase.docs()[p.at];
    const float score = norm.score(leaf.weight, tf, lengths[doc]);
    const std::uint64_t row = source.row(doc);
    if (score >= state.out.bound() && state.admits(row)) state.out.push(row, score);
  };
  // The best bounds first, some at a time, these in the order of the documents: lists are quickly read that
  // way.
  std::size_t some = std::max<std::size_t>(64, 3 * state.out.k());
  while (!left.empty()) {
    state.context.check();
    const std::size_t n = std::min(some, left.size());
    const auto rest = left.end() - static_cast<std::ptrdiff_t>(n);
    if (n < left.size())
      std::nth_element(left.begin(), rest, left.end(),
                       [](const Promising& a, const Promising& b) { return a.bound < b.bound; });
    std::sort(rest, left.end(), [](const Promising& a, const Promising& b) { return a.at < b.at; });
    for (auto it = rest; it != left.end(); ++it) {
      if ((it - rest) % kStep == kStep - 1) state.context.check();
      verify(*it);
    }
    left.erase(rest, left.end());
    std::erase_if(left, [&](const Promising& p) { return p.bound < state.out.bound(); });
    some *= 2;
  }
}

void search_union(SearchState& state, std::size_t part) {
  thread_local std::vector<std::uint32_t> docs;
  docs.clear();
  std::size_t lists = 0;
  for (const PlanLeaf& leaf : state.plan.leaves()) {
    if (!leaf.lists[part]) continue;
    leaf.lists[part]->append_docs(docs);
    ++lists;
  }
  if (lists > 1) {
    std::sort(docs.begin(), docs.end());
    docs.erase(std::unique(docs.begin(), docs.end()), docs.end());
  }
  state.score_all(part, docs, false);
}

}  // namespace vecstore::inverted
