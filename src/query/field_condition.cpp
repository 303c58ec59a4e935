#include "query/field_condition.hpp"

#include <cstring>

#include <algorithm>

#include "query/filter_eval.hpp"
#include "query/filter_geo.hpp"
#include "query/filter_words.hpp"

namespace vecstore::query {
namespace {

using Kind = FieldNode::Kind;
using End = FieldRange::End;

FieldNode make(Kind kind, std::vector<FieldNode> children = {}) {
  FieldNode node;
  node.kind = kind;
  node.children = std::move(children);
  return node;
}
FieldNode negate(FieldNode node) {
  std::vector<FieldNode> child;
  child.push_back(std::move(node));
  return make(Kind::kNot, std::move(child));
}
FieldNode maybe(FieldNode node) {
  std::vector<FieldNode> child;
  child.push_back(std::move(node));
  return make(Kind::kMaybe, std::move(child));
}
FieldNode either(FieldNode a, FieldNode b) {
  std::vector<FieldNode> children;
  children.push_back(std::move(a));
  children.push_back(std::move(b));
  return make(Kind::kOr, std::move(children));
}

FieldBound bound(const FilterLiteral& literal) {
  if (const auto* date = std::get_if<FilterDate>(&literal)) return date->instant;
  if (const auto* boolean = std::get_if<bool>(&literal)) return *boolean;
  if (const auto* integer = std::get_if<std::int64_t>(&literal)) return *integer;
  if (const auto* number = std::get_if<double>(&literal)) return *number;
  return std::get<std::string>(literal);
}

/// The strings that begin with `beginning`.
FieldRange beginning_with(const std::string& beginning) {
  FieldRange range{End::kIncluded, End::kOpen, beginning, {}};
  std::string behind = beginning;
  while (!behind.empty() && static_cast<unsigned char>(behind.back()) == 0xff) behind.pop_back();
  if (behind.empty()) return range;
  behind.back() = static_cast<char>(behind.back() + 1);
  range.high_end = End::kExcluded;
  range.high = behind;
  return range;
}

/// What stands before the first % or _ of a pattern.
std::string fixed_beginning(const std::string& pattern, const std::string& escape) {
  if (!escape.empty()) return {};
  return pattern.substr(0, pattern.find_first_of("%_"));
}

/// A record whose number is 0: what those without a source have.
class ZeroField final : public RecordFields {
 public:
  EncodedValue get(std::string_view) const override {
    EncodedValue value;
    value.type = Metadata::Type::kInt;
    return value;
  }
};

class Lowering {
 public:
  Lowering(const FieldNames& names, const FindMatched& find_matched)
      : names_(names), find_matched_(find_matched) {}

  FieldNode lower(const FilterNodePtr& node) const {
    switch (node->op) {
      case FilterOp::kAnd:
        return group(Kind::kAnd, node);
      case FilterOp::kOr:
        return group(Kind::kOr, node);
      case FilterOp::kNot:
        return negate(lower(node->children[0]));
      default:
        break;
    }
    const bool is_own = is_record_field(node->path.front().name);
    const std::optional<FieldPathKey> path = is_own ? std::nullopt : key_of({}, node->path);
    if (node->op == FilterOp::kMatch && find_matched_) {
      if (auto found = find_matched_(*node)) return matched(std::move(*found), path);
    }
    if (is_own) return record_field(node);
    if (node->op == FilterOp::kAny) return path ? any(*path, node->children[0]) : make(Kind::kNone);
    if (!path) return node->op == FilterOp::kIsNull ? negate(make(Kind::kNone)) : make(Kind::kNone);
    return leaf(node, *path);
  }

 private:
  // What the field indexes answer alone comes first, in one.
  FieldNode group(Kind kind, const FilterNodePtr& node) const {
    std::vector<FieldNode> plain, others;
    for (const FilterNodePtr& child : node->children) {
      FieldNode lowered = lower(child);
      (lowered.has_found() ? others : plain).push_back(std::move(lowered));
    }
    if (others.empty()) return make(kind, std::move(plain));
    if (plain.size() == 1) others.insert(others.begin(), std::move(plain.front()));
    if (plain.size() > 1) others.insert(others.begin(), make(kind, std::move(plain)));
    return make(kind, std::move(others));
  }

  static FieldNode matched(MatchedRows found, const std::optional<FieldPathKey>& path) {
    FieldNode out = make(Kind::kFound);
    out.found = std::move(found.rows);
    if (!found.spread || !path) return out;
    FieldNode arrays = make(Kind::kLeaf);
    arrays.leaf.path = *path;
    arrays.leaf.at = FieldLeaf::At::kElements;
    out.children.push_back(std::move(arrays));
    return out;
  }

  std::optional<FieldPathKey> key_of(FieldPathKey key, const FilterPath& path) const {
    return field_path_key(std::move(key), path, names_);
  }

  FieldNode leaf(const FilterNodePtr& node, const FieldPathKey& path) const {
    FieldNode out = make(Kind::kLeaf);
    FieldLeaf& leaf = out.leaf;
    leaf.path = path;
    leaf.at = FieldLeaf::At::kPathOrElements;
    leaf.pass = FieldLeaf::Pass::kRanges;
    const auto& values = node->values;
    const auto text = [&] { return std::get<std::string>(values[0]); };
    switch (node->op) {
      case FilterOp::kEqual:
        leaf.ranges = {FieldRange::point(bound(values[0]))};
        return out;
      case FilterOp::kNotEqual:
        leaf.pass = FieldLeaf::Pass::kNotRanges;
        leaf.ranges = {FieldRange::point(bound(values[0]))};
        return out;
      case FilterOp::kLess:
      case FilterOp::kLessEqual:
        leaf.ranges = {{End::kOpen,
                        node->op == FilterOp::kLess ? End::kExcluded : End::kIncluded,
                        {},
                        bound(values[0])}};
        return out;
      case FilterOp::kGreater:
      case FilterOp::kGreaterEqual:
        leaf.ranges = {{node->op == FilterOp::kGreater ? End::kExcluded : End::kIncluded,
                        End::kOpen,
                        bound(values[0]),
                        {}}};
        return out;
      case FilterOp::kBetween:
        return between(out, bound(values[0]), bound(values[1]));
      case FilterOp::kNotIn:
        leaf.pass = FieldLeaf::Pass::kNotRanges;
        [[fallthrough]];
      case FilterOp::kIn:
        for (const FilterLiteral& value : values) leaf.ranges.push_back(FieldRange::point(bound(value)));
        return out;
      case FilterOp::kStartsWith:
        leaf.ranges = {beginning_with(text())};
        return out;
      case FilterOp::kLike:
        leaf.ranges = {beginning_with(fixed_beginning(text(), node->escape))};
        leaf.text = [like = std::make_shared<const LikePattern>(text(), node->escape)](std::string_view s) {
          return like->matches(s);
        };
        return out;
      case FilterOp::kContains:
        leaf.at = FieldLeaf::At::kStringsOrElements;
        leaf.ranges = {FieldRange::point(bound(values[0]))};
        if (std::holds_alternative<std::string>(values[0])) {
          leaf.text = [part = text()](std::string_view s) {
            return part.empty() ||
                   (part.size() <= s.size() && memmem(s.data(), s.size(), part.data(), part.size()));
          };
        }
        return out;
      case FilterOp::kMatch:
        leaf.ranges = {FieldRange::all_strings()};
        return maybe(std::move(out));
      case FilterOp::kIsNull:
      case FilterOp::kIsNotNull:
        leaf.at = FieldLeaf::At::kPath;
        leaf.pass = FieldLeaf::Pass::kNotNull;
        return node->op == FilterOp::kIsNull ? negate(std::move(out)) : std::move(out);
      case FilterOp::kExists:
        leaf.at = FieldLeaf::At::kPath;
        leaf.pass = FieldLeaf::Pass::kAny;
        return out;
      case FilterOp::kGeoRadius:
      case FilterOp::kGeoBox:
        return places(node, path);
      default:
        return make(Kind::kUnknown);
    }
  }

  // Bounds of different types let nothing through, apart from integers and doubles.
  static FieldNode between(FieldNode& out, FieldBound low, FieldBound high) {
    const auto is_number = [](const FieldBound& b) {
      return std::holds_alternative<std::int64_t>(b) || std::holds_alternative<double>(b);
    };
    const bool dates_and_strings =
        std::holds_alternative<Instant>(low) != std::holds_alternative<Instant>(high) &&
        (std::holds_alternative<std::string>(low) || std::holds_alternative<std::string>(high));
    if (dates_and_strings) {  // Both bounds look at strings, each in its own order.
      FieldNode other = out;
      out.leaf.ranges = {{End::kIncluded, End::kOpen, std::move(low), {}}};
      other.leaf.ranges = {{End::kOpen, End::kIncluded, {}, std::move(high)}};
      std::vector<FieldNode> both;
      both.push_back(std::move(out));
      both.push_back(std::move(other));
      return maybe(make(Kind::kAnd, std::move(both)));  // another element of an array may meet the other one
    }
    if (low.index() != high.index() && !(is_number(low) && is_number(high))) return make(Kind::kNone);
    out.leaf.ranges = {{End::kIncluded, End::kIncluded, std::move(low), std::move(high)}};
    return std::move(out);
  }

  FieldNode places(const FilterNodePtr& node, const FieldPathKey& path) const {
    const auto lat = names_.find("lat"), lon = names_.find("lon");
    if (!lat || !lon) return make(Kind::kNone);
    FieldNode out = make(Kind::kPlaces);
    out.places = {path, *lat, *lon, -90, 90, [node](double a, double b) { return place_fits(*node, a, b); }};
    const auto& n = node->numbers;
    if (node->op == FilterOp::kGeoBox) {
      out.places.south = n[0];
      out.places.north = n[2];
    } else {
      // A place at another latitude is at least as far away as the latitudes are; a little more for rounding.
      // On the other side of the Earth rounding is coarse.
      const double exact = n[2] / kEarthRadius * 180 / std::numbers::pi;
      const double degrees = exact > 170 ? 180 : exact * (1 + 1e-9) + 1e-9;
      out.places.south = std::max(-90.0, n[0] - degrees);
      out.places.north = std::min(90.0, n[0] + degrees);
    }
    return out;
  }

  /// ANY: `node` holds for one element of the array at `path`, or for the object there.
  FieldNode any(const FieldPathKey& path, const FilterNodePtr& node) const {
    FieldPathKey each = path;
    append_each(each);
    switch (node->op) {
      case FilterOp::kOr: {
        std::vector<FieldNode> children;
        for (const FilterNodePtr& child : node->children) children.push_back(any(path, child));
        return make(Kind::kOr, std::move(children));
      }
      case FilterOp::kAnd: {  // Different elements may meet different conditions.
        std::vector<FieldNode> children;
        for (const FilterNodePtr& child : node->children) children.push_back(any(path, child));
        return maybe(make(Kind::kAnd, std::move(children)));
      }
      case FilterOp::kNot:
      case FilterOp::kAny:
      case FilterOp::kIsNull:
        return make(Kind::kUnknown);
      default:
        break;
    }
    // A record's text has the words whatever the element.
    if (is_record_field(node->path.front().name))
      return node->op == FilterOp::kMatch ? maybe(lower(node)) : make(Kind::kUnknown);
    const auto in_object = key_of(path, node->path), in_array = key_of(each, node->path);
    if (!in_object) return make(Kind::kNone);
    return either(leaf(node, *in_object), leaf(node, *in_array));
  }

  FieldNode record_field(const FilterNodePtr& node) const {
    const std::string& name = node->path.front().name;
    const bool is_plain = node->path.size() == 1 && node->path.front().each == 0;
    if (!is_plain || name == "_id" || name == "_text") return make(Kind::kUnknown);
    if (node->op == FilterOp::kAny || node->op == FilterOp::kGeoRadius || node->op == FilterOp::kGeoBox)
      return make(Kind::kNone);
    const OwnField own = name == "_source"  ? OwnField::kSource
                         : name == "_start" ? OwnField::kStart
                         : name == "_end"   ? OwnField::kEnd
                                            : OwnField::kPart;
    // Numbers are never null.
    if (own != OwnField::kSource && node->op == FilterOp::kIsNull) return make(Kind::kNone);
    FieldPathKey path;
    append_name(path, static_cast<std::uint32_t>(own));
    FieldNode out = leaf(node, path);
    if (own == OwnField::kSource) return out;
    // Only numbers that are not 0 are indexed.
    if (!FilterProgram(Filter(node)).matches(Metadata::object(), &zero_)) return out;
    FieldNode exists = make(Kind::kLeaf);
    exists.leaf.path = path;
    return either(std::move(out), negate(std::move(exists)));
  }

  const FieldNames& names_;
  const FindMatched& find_matched_;
  ZeroField zero_;
};

}  // namespace

std::optional<FieldPathKey> field_path_key(FieldPathKey key, const FilterPath& path,
                                           const FieldNames& names) {
  for (const FilterStep& step : path) {
    const auto number = names.find(step.name);
    if (!number) return std::nullopt;
    append_name(key, *number);
    for (unsigned i = 0; i < step.each; ++i) append_each(key);
  }
  return key;
}

FieldNode field_condition(const FilterNodePtr& node, const FieldNames& names,
                          const FindMatched& find_matched) {
  return Lowering(names, find_matched).lower(node);
}

}  // namespace vecstore::query
