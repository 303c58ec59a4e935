// Conditions of which other indexes know a part, over the rows of a collection.
#include <algorithm>
#include <utility>

#include "base/error.hpp"
#include "segment/fields_part.hpp"
#include "shard/field_follower.hpp"
#include "shard/read_view.hpp"

namespace vecstore::shard {
namespace {

using Kind = FieldNode::Kind;

/// What has no kFound is left to the field indexes, part by part; the rest is joined here.
class Evaluation {
 public:
  Evaluation(const FieldsRead& read, const ReadView& view, const Context& ctx)
      : read_(read), view_(view), ctx_(ctx) {}

  RowSet evaluate(const FieldNode& node) const {
    ctx_.check();
    if (!node.has_found()) return rows_by_fields(read_, node, view_, ctx_);
    if (node.kind == Kind::kFound) return found(node);
    RowSet out = evaluate(node.children.front());
    if (node.kind == Kind::kNot) std::swap(out.sure.flip(), out.maybe.flip());
    if (node.kind == Kind::kMaybe) out.sure = RowBits(out.sure.size());
    const bool all = node.kind == Kind::kAnd;
    for (std::size_t i = 1; i < node.children.size() && !(all && out.maybe.none()); ++i) {
      const RowSet next = evaluate(node.children[i]);
      all ? out.sure &= next.sure : out.sure |= next.sure;
      all ? out.maybe &= next.maybe : out.maybe |= next.maybe;
    }
    return out;
  }

 private:
  RowSet found(const FieldNode& node) const {
    RowSet out = node.found.find(ctx_);
    if (!node.children.empty() && !out.sure.none()) out.sure -= evaluate(node.children.front()).maybe;
    return out;
  }

  const FieldsRead& read_;
  const ReadView& view_;
  const Context& ctx_;
};

Cardinality bounded(double least, double expected, double most, double rows) {
  least = std::clamp(least, 0.0, rows);
  most = std::clamp(most, least, rows);
  return {static_cast<std::uint64_t>(least), std::clamp(expected, least, most),
          static_cast<std::uint64_t>(most)};
}

void add(Cardinality& sum, const Cardinality& n, std::uint64_t outdated) {
  sum.least += n.least - std::min(n.least, outdated);
  sum.expected += n.expected;
  sum.most += n.most;
}

Cardinality estimated_by_fields(const FieldsRead& read, const FieldNode& node, const ReadView& view) {
  Cardinality out;
  for (const FieldsRead::Run& run : read.runs) {
    const std::uint64_t rows = run.entry.end_row - run.entry.first_row;
    Cardinality n{0, static_cast<double>(rows) / 3, rows};
    try {
      if (run.segment) n = fields::estimate(node, *run.segment->fields());
    } catch (const Error& e) {
      if (e.code() != ErrorCode::kCorruption) throw;
      view.shard().segments().report_damage(run.entry.number);
    }
    add(out, n, run.outdated ? run.outdated->count() : 0);
  }
  for (const FieldsRead::PackRun& run : read.packs)
    add(out, fields::estimate(node, *run.pack->part), run.outdated ? run.outdated->count() : 0);
  const std::uint64_t loose = read.loose.size();
  add(out, {0, static_cast<double>(loose) / 3, loose}, 0);
  out.least -= std::min(out.least, view.retired().count());  // any of these may be
  return out;
}

Cardinality estimated(const FieldsRead& read, const FieldNode& node, const ReadView& view) {
  const auto rows = static_cast<double>(view.state().live);
  Cardinality first;
  if (node.kind == Kind::kFound) {
    first = node.found.estimate();
    if (!node.children.empty()) first.least = 0;
  } else if (!node.has_found()) {
    first = estimated_by_fields(read, node, view);
  } else {
    first = estimated(read, node.children.front(), view);
  }
  double least = static_cast<double>(first.least), most = static_cast<double>(first.most);
  const auto share_of = [&](double expected) { return rows > 0 ? std::min(1.0, expected / rows) : 0; };
  double share = share_of(first.expected);
  if (node.kind == Kind::kFound || !node.has_found()) return bounded(least, first.expected, most, rows);
  if (node.kind == Kind::kNot) return bounded(rows - most, rows - first.expected, rows - least, rows);
  if (node.kind == Kind::kMaybe) return bounded(0, first.expected, most, rows);
  for (std::size_t i = 1; i < node.children.size(); ++i) {
    const Cardinality n = estimated(read, node.children[i], view);
    const auto n_least = static_cast<double>(n.least), n_most = static_cast<double>(n.most);
    if (node.kind == Kind::kAnd) {
      least -= rows - n_least;
      most = std::min(most, n_most);
      share *= share_of(n.expected);
    } else {
      least = std::max(least, n_least);
      most += n_most;
      share = 1 - (1 - share) * (1 - share_of(n.expected));
    }
  }
  return bounded(least, share * rows, most, rows);
}

}  // namespace

RowSet matching_rows(const FieldsRead& read, const FieldNode& node, const ReadView& view,
                     const Context& ctx) {
  RowSet out = Evaluation(read, view, ctx).evaluate(node);
  for (RowBits* bits : {&out.sure, &out.maybe}) view.retired().clear_in(bits->words());
  return out;
}

Cardinality estimated_rows(const FieldsRead& read, const FieldNode& node, const ReadView& view) {
  return estimated(read, node, view);
}

}  // namespace vecstore::shard
