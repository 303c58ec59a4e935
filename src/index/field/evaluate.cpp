#include "index/field/evaluate.hpp"

#include <algorithm>
#include <cmath>

namespace vecstore::fields {
namespace {

/// What of one field passes a leaf, and what may pass.
struct Passing {
  const Field* field = nullptr;
  std::vector<Ordinals> sure, maybe;
};

bool is_text(const FieldRange& range) {
  const FieldBound& b = range.low_end != FieldRange::End::kOpen ? range.low : range.high;
  return std::holds_alternative<std::string>(b);
}
bool is_date(const FieldRange& range) {
  const FieldBound& b = range.low_end != FieldRange::End::kOpen ? range.low : range.high;
  return std::holds_alternative<Instant>(b);
}
/// A single string that is too short to be one of those that are not kept.
bool is_short_point(const FieldRange& range) {
  const auto* high = std::get_if<std::string>(&range.high);
  const auto* low = std::get_if<std::string>(&range.low);
  return range.low_end == FieldRange::End::kIncluded && range.high_end == FieldRange::End::kIncluded && low &&
         high && *low == *high && low->size() <= kMostStringBytes;
}

/// Sorted and joined where they touch.
void join(std::vector<Ordinals>& all) {
  std::erase_if(all, [](const Ordinals& o) { return o.empty(); });
  std::sort(all.begin(), all.end(), [](const Ordinals& a, const Ordinals& b) { return a.begin < b.begin; });
  std::size_t kept = 0;
  for (const Ordinals& o : all) {
    if (kept > 0 && o.begin <= all[kept - 1].end)
      all[kept - 1].end = std::max(all[kept - 1].end, o.end);
    else
      all[kept++] = o;
  }
  all.resize(kept);
}

void add_dates(const Field& field, const FieldRange& range, std::vector<Ordinals>& out) {
  using End = FieldRange::End;
  const auto dates = field.dates();
  auto begin = dates.begin(), end = dates.end();
  const auto before = [](const auto& date, const Instant& i) { return date.first < i; };
  const auto behind = [](const Instant& i, const auto& date) { return i < date.first; };
  if (range.low_end == End::kIncluded)
    begin = std::lower_bound(begin, end, std::get<Instant>(range.low), before);
  if (range.low_end == End::kExcluded)
    begin = std::upper_bound(begin, end, std::get<Instant>(range.low), behind);
  if (range.high_end == End::kIncluded)
    end = std::upper_bound(begin, end, std::get<Instant>(range.high), behind);
  if (range.high_end == End::kExcluded)
    end = std::lower_bound(begin, end, std::get<Instant>(range.high), before);
  for (; begin != end; ++begin) out.push_back({begin->second, begin->second + 1});
}

/// Of the strings in `range` those that pass the test.
void add_tested(const Field& field, Ordinals range, const std::function<bool(std::string_view)>& test,
                std::vector<Ordinals>& out, const Context& context) {
  for (std::uint32_t o = range.begin; o < range.end; ++o) {
    if (o % 1024 == 0) context.check();
    if (test(field.string(o))) out.push_back({o, o + 1});
  }
}

void add_ranges(const Field& field, const std::vector<FieldRange>& ranges,
                const std::function<bool(std::string_view)>* text, Passing& out, const Context& context) {
  for (const FieldRange& range : ranges) {
    if (is_date(range)) {
      add_dates(field, range, out.sure);
      continue;
    }
    const Ordinals found = field.in_range(range);
    if (!is_text(range)) {
      out.sure.push_back(found);
      continue;
    }
    if (text && *text)
      add_tested(field, found, *text, out.sure, context);
    else
      out.sure.push_back(found);
    if (!is_short_point(range)) out.maybe.push_back(field.of_kind(Kind::kLongString));
  }
  join(out.sure);
}

/// Turns what passes into all other values, apart from null and, where arrays count as their elements, from
/// arrays.
void complement(const Field& field, bool with_arrays, Passing& out) {
  out.maybe.insert(out.maybe.end(), out.sure.begin(), out.sure.end());
  join(out.maybe);  // what is not in here does not pass the ranges for certain
  const auto others = [&](const std::vector<Ordinals>& without) {
    std::vector<Ordinals> rest;
    std::uint32_t at = with_arrays ? field.of_kind(Kind::kArray).begin : field.of_kind(Kind::kObject).begin;
    for (const Ordinals& o : without) {
      if (o.begin > at) rest.push_back({at, o.begin});
      at = std::max(at, o.end);
    }
    if (at < field.ordinals()) rest.push_back({at, field.ordinals()});
    return rest;
  };
  const std::vector<Ordinals> sure = others(out.maybe);
  out.maybe = others(out.sure);
  out.sure = sure;
}

/// What passes at the path itself, or (`elements`) in arrays there.
Passing passing(const FieldLeaf& leaf, const Field& field, bool elements, const Context& context) {
  using At = FieldLeaf::At;
  using Pass = FieldLeaf::Pass;
  Passing out{&field, {}, {}};
  switch (leaf.pass) {
    case Pass::kAny:
      out.sure = {{0, field.ordinals()}};
      break;
    case Pass::kNotNull:
      out.sure = {{field.of_kind(Kind::kArray).begin, field.ordinals()}};
      break;
    case Pass::kRanges:
      if (leaf.at == At::kStringsOrElements && !elements) {
        if (leaf.text) add_tested(field, field.of_kind(Kind::kString), leaf.text, out.sure, context);
        if (leaf.text) out.maybe.push_back(field.of_kind(Kind::kLongString));
        join(out.sure);
      } else {
        const auto* text = leaf.at == At::kStringsOrElements ? nullptr : &leaf.text;
        add_ranges(field, leaf.ranges, text, out, context);
      }
      break;
    case Pass::kNotRanges:
      add_ranges(field, leaf.ranges, &leaf.text, out, context);
      complement(field, elements || leaf.at == At::kPath, out);
      break;
  }
  return out;
}

/// The fields that a leaf looks at.
std::vector<Passing> passing(const FieldLeaf& leaf, const FieldPart& part, const Context& context) {
  using At = FieldLeaf::At;
  std::vector<Passing> out;
  if (leaf.at != At::kElements) {
    if (const FieldEntry* e = part.find(leaf.path))
      out.push_back(passing(leaf, part.field(*e), false, context));
  }
  if (leaf.at != At::kPath) {
    FieldPathKey each = leaf.path;
    append_each(each);
    if (const FieldEntry* e = part.find(each)) out.push_back(passing(leaf, part.field(*e), true, context));
  }
  return out;
}

bool has_test(const FieldNode& node) {
  return node.leaf.text || std::any_of(node.children.begin(), node.children.end(), has_test);
}

class Evaluation {
 public:
  Evaluation(const FieldPart& part, const Context& context) : part_(part), context_(context) {}

  RowSet evaluate(const FieldNode& node) const {
    context_.check();
    using NodeKind = FieldNode::Kind;
    switch (node.kind) {
      case NodeKind::kAnd: {
        // What looks at every string comes last: often nothing is left by then.
        RowSet out{RowBits(part_.span(), true), RowBits(part_.span(), true)};
        for (const bool tests : {false, true}) {
          for (const FieldNode& child : node.children) {
            if (has_test(child) != tests || out.maybe.none()) continue;
            const RowSet next = evaluate(child);
            out.sure &= next.sure;
            out.maybe &= next.maybe;
          }
        }
        return out;
      }
      case NodeKind::kOr: {
        RowSet out = evaluate(node.children.front());
        for (std::size_t i = 1; i < node.children.size(); ++i) {
          const RowSet next = evaluate(node.children[i]);
          out.sure |= next.sure;
          out.maybe |= next.maybe;
        }
        return out;
      }
      case NodeKind::kNot: {
        RowSet out = evaluate(node.children.front());
        std::swap(out.sure.flip(), out.maybe.flip());
        return out;
      }
      case NodeKind::kMaybe: {
        RowSet out = evaluate(node.children.front());
        out.sure = RowBits(part_.span());
        return out;
      }
      case NodeKind::kLeaf:
        return leaf(node.leaf);
      case NodeKind::kPlaces:
        return places(node.places);
      case NodeKind::kFound:  // numbers of the collection's rows mean nothing here
      case NodeKind::kUnknown:
        return unknown();
      case NodeKind::kNone:
        break;
    }
    return irregular({RowBits(part_.span()), RowBits(part_.span())});
  }

 private:
  RowSet unknown() const { return {RowBits(part_.span()), RowBits(part_.span(), true)}; }
  // Of some rows nothing is known, whatever the condition.
  RowSet irregular(RowSet out) const {
    for (const std::uint32_t row : part_.irregular()) out.maybe.set(row);
    return out;
  }

  RowSet leaf(const FieldLeaf& leaf) const {
    const std::vector<Passing> fields = passing(leaf, part_, context_);
    if (fields.empty() && !part_.complete()) return unknown();
    RowSet out{RowBits(part_.span()), RowBits(part_.span())};
    for (const Passing& p : fields) p.field->add_rows(p.sure, out.sure);
    out.maybe = out.sure;
    for (const Passing& p : fields) p.field->add_rows(p.maybe, out.maybe);
    // Only one of the two fields may have found its place in the part.
    if (!part_.complete() && fields.size() < 2 && leaf.at != FieldLeaf::At::kPath)
      out.maybe = RowBits(part_.span(), true);
    return irregular(std::move(out));
  }

  RowSet places(const FieldPlaces& places) const {
    RowSet out{RowBits(part_.span()), RowBits(part_.span())};
    if (!part_.complete()) return unknown();
    for (const bool in_arrays : {false, true}) {
      FieldPathKey lat_path = places.path;
      if (in_arrays) append_each(lat_path);
      FieldPathKey lon_path = lat_path;
      append_name(lat_path, places.lat);
      append_name(lon_path, places.lon);
      const FieldEntry* const lat_entry = part_.find(lat_path);
      const FieldEntry* const lon_entry = part_.find(lon_path);
      if (!lat_entry || !lon_entry) continue;
      const Field& lat = part_.field(*lat_entry);
      const Field& lon = part_.field(*lon_entry);
      const Ordinals band =
          lat.in_range({FieldRange::End::kIncluded, FieldRange::End::kIncluded, places.south, places.north});
      // Elements of an array may each have one of the two.
      const bool in_one_object = lat_path.find('\0') == FieldPathKey::npos;
      const bool paired = in_one_object && lat.is_single() && lon.is_single();
      const std::vector<std::uint32_t> listed =
          paired && !lon.has_column() ? lon.by_row() : std::vector<std::uint32_t>();
      for (std::uint32_t o = band.begin; o < band.end; ++o) {
        if (o % 1024 == 0) context_.check();
        for (const std::uint32_t row : lat.rows_of(o)) {
          if (!paired) {
            out.maybe.set(row);
            continue;
          }
          const std::uint32_t other = lon.has_column() ? lon.at(row) : listed[row];
          if (other == Field::kNoOrdinal || lon.kind_of(other) != Kind::kNumber) continue;
          if (places.test(as_double(lat.number(o)), as_double(lon.number(other)))) out.sure.set(row);
        }
      }
    }
    out.maybe |= out.sure;
    return irregular(std::move(out));
  }

  static double as_double(const Number& n) { return n.is_double ? n.real : static_cast<double>(n.integer); }

  const FieldPart& part_;
  const Context& context_;
};

Cardinality bounded(double least, double expected, double most, double rows) {
  least = std::clamp(least, 0.0, rows);
  most = std::clamp(most, least, rows);
  return {static_cast<std::uint64_t>(least), std::clamp(expected, least, most),
          static_cast<std::uint64_t>(most)};
}

}  // namespace

RowSet evaluate(const FieldNode& node, const FieldPart& part, const Context& context) {
  return Evaluation(part, context).evaluate(node);
}

Cardinality estimate(const FieldNode& node, const FieldPart& part) {
  using NodeKind = FieldNode::Kind;
  const double rows = part.span();
  const auto irregular = static_cast<double>(part.irregular().size());
  switch (node.kind) {
    case NodeKind::kAnd: {
      double least = rows, share = 1, most = rows;
      for (const FieldNode& c : node.children) {
        const Cardinality n = estimate(c, part);
        least -= rows - static_cast<double>(n.least);
        share *= rows > 0 ? n.expected / rows : 0;
        most = std::min(most, static_cast<double>(n.most));
      }
      return bounded(least, share * rows, most, rows);
    }
    case NodeKind::kOr: {
      double least = 0, others = 1, most = 0;
      for (const FieldNode& c : node.children) {
        const Cardinality n = estimate(c, part);
        least = std::max(least, static_cast<double>(n.least));
        others *= rows > 0 ? 1 - n.expected / rows : 1;
        most += static_cast<double>(n.most);
      }
      return bounded(least, (1 - others) * rows, most, rows);
    }
    case NodeKind::kNot: {
      const Cardinality n = estimate(node.children.front(), part);
      return bounded(rows - static_cast<double>(n.most), rows - n.expected,
                     rows - static_cast<double>(n.least), rows);
    }
    case NodeKind::kMaybe: {
      const Cardinality n = estimate(node.children.front(), part);
      return bounded(0, n.expected, static_cast<double>(n.most), rows);
    }
    case NodeKind::kLeaf: {
      // Values that only a test can tell are not tested here.
      if (node.leaf.text || !part.complete()) return bounded(0, rows / 3, rows, rows);
      double least = 0, sum = 0, most = irregular;
      for (const Passing& p : passing(node.leaf, part, {})) {
        double sure = 0, maybe = 0;
        for (const Ordinals& o : p.sure) sure += static_cast<double>(p.field->postings(o));
        for (const Ordinals& o : p.maybe) maybe += static_cast<double>(p.field->postings(o));
        // A row may have several of the values.
        least = std::max(least, p.field->is_single() ? sure : p.sure.empty() ? 0.0 : 1.0);
        sum += sure;
        most += std::min<double>(sure + maybe, p.field->rows());
      }
      return bounded(least, sum, most, rows);
    }
    case NodeKind::kPlaces:
      return bounded(0, rows / 10, rows, rows);
    case NodeKind::kFound:
    case NodeKind::kUnknown:
      return bounded(0, rows / 3, rows, rows);
    case NodeKind::kNone:
      break;
  }
  return bounded(0, 0, irregular, rows);
}

}  // namespace vecstore::fields
