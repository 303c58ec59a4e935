#include "query/filter_ast.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "base/utf8.hpp"
#include "query/filter_compare.hpp"
#include "query/filter_words.hpp"

namespace vecstore {
namespace {

FilterNodePtr finish(FilterNode node) {
  const bool group = node.op == FilterOp::kAnd || node.op == FilterOp::kOr || node.op == FilterOp::kNot;
  node.clauses = group ? 0 : 1;
  node.elements = node.op == FilterOp::kIn || node.op == FilterOp::kNotIn ? node.values.size() : 0;
  for (const auto& child : node.children) {
    node.clauses += child->clauses;
    node.elements += child->elements;
    node.depth = std::max(node.depth, child->depth + 1);
  }
  if (node.clauses > kMaxFilterClauses) {
    invalid("filter: ", node.clauses, " predicates; at most ", kMaxFilterClauses, " are allowed");
  }
  if (node.elements > kMaxFilterElements) {
    invalid("filter: ", node.elements, " elements in IN lists; at most ", kMaxFilterElements, " are allowed");
  }
  if (node.depth > kMaxFilterDepth) invalid("filter: nested deeper than ", kMaxFilterDepth);
  return std::make_shared<const FilterNode>(std::move(node));
}

FilterNode leaf(FilterOp op, FilterPath path) {
  FilterNode node{op};
  node.path = std::move(path);
  return node;
}

void require_utf8(std::string_view text) {
  if (!valid_utf8(text)) invalid("filter: a string is not valid UTF-8");
}

void require_range(double value, double low, double high, std::string_view what) {
  // Written so that NaN fails too.
  if (!(value >= low && value <= high)) {
    invalid("filter: ", what, " ", value, " is not between ", low, " and ", high);
  }
}

}  // namespace

FilterNodePtr make_group(FilterOp op, const std::vector<FilterNodePtr>& children) {
  FilterNode node{op};
  for (const auto& child : children) {
    if (child->op == op) {
      node.children.insert(node.children.end(), child->children.begin(), child->children.end());
    } else {
      node.children.push_back(child);
    }
  }
  if (node.children.empty()) invalid("filter: AND and OR need at least one condition");
  if (node.children.size() == 1) return node.children.front();
  return finish(std::move(node));
}

FilterNodePtr make_not(FilterNodePtr child) {
  FilterNode node{FilterOp::kNot};
  node.children.push_back(std::move(child));
  return finish(std::move(node));
}

FilterNodePtr make_any(FilterPath path, FilterNodePtr condition) {
  FilterNode node = leaf(FilterOp::kAny, std::move(path));
  node.children.push_back(std::move(condition));
  return finish(std::move(node));
}

FilterNodePtr make_compare(FilterOp op, FilterPath path, FilterLiteral value) {
  const bool ordered = op == FilterOp::kLess || op == FilterOp::kLessEqual || op == FilterOp::kGreater ||
                       op == FilterOp::kGreaterEqual;
  if (ordered && std::holds_alternative<bool>(value))
    invalid("filter: TRUE and FALSE have no order; use = or !=");
  FilterNode node = leaf(op, std::move(path));
  node.values.push_back(std::move(value));
  return finish(std::move(node));
}

FilterNodePtr make_in(FilterOp op, FilterPath path, std::vector<FilterLiteral> values) {
  FilterNode node = leaf(op, std::move(path));
  node.values = std::move(values);
  return finish(std::move(node));
}

FilterNodePtr make_between(FilterPath path, FilterLiteral low, FilterLiteral high) {
  std::optional<std::strong_ordering> order;
  const auto* low_date = std::get_if<FilterDate>(&low);
  const auto* high_date = std::get_if<FilterDate>(&high);
  if (low_date && high_date) {
    order = low_date->instant <=> high_date->instant;
  } else if (!low_date && !std::holds_alternative<bool>(low)) {
    order = high_date ? std::nullopt : compare(as_value(low), high);
  }
  if (!order) invalid("filter: BETWEEN needs two numbers, two strings or two dates");
  if (*order > 0) invalid("filter: BETWEEN's lower bound is above its upper bound");
  FilterNode node = leaf(FilterOp::kBetween, std::move(path));
  node.values.push_back(std::move(low));
  node.values.push_back(std::move(high));
  return finish(std::move(node));
}

FilterNodePtr make_like(FilterPath path, std::string pattern, std::string escape) {
  require_utf8(pattern);
  require_utf8(escape);
  LikePattern(pattern, escape);  // Throws when it is not a pattern.
  FilterNode node = leaf(FilterOp::kLike, std::move(path));
  node.values.emplace_back(std::move(pattern));
  node.escape = std::move(escape);
  return finish(std::move(node));
}

FilterNodePtr make_text(FilterOp op, FilterPath path, std::string text) {
  require_utf8(text);
  FilterNode node = leaf(op, std::move(path));
  node.values.emplace_back(std::move(text));
  return finish(std::move(node));
}

FilterNodePtr make_test(FilterOp op, FilterPath path) { return finish(leaf(op, std::move(path))); }

FilterNodePtr make_geo(FilterOp op, FilterPath path, std::array<double, 4> n) {
  if (op == FilterOp::kGeoRadius) {
    n[3] = 0;
    require_range(n[0], -90, 90, "latitude");
    require_range(n[1], -180, 180, "longitude");
    if (!(n[2] >= 0) || !std::isfinite(n[2]))
      invalid("filter: the radius in metres must be finite and not negative");
  } else {
    require_range(n[0], -90, 90, "south");
    require_range(n[1], -180, 180, "west");
    require_range(n[2], -90, 90, "north");
    require_range(n[3], -180, 180, "east");
    if (n[0] > n[2]) invalid("filter: south ", n[0], " is above north ", n[2]);
  }
  FilterNode node = leaf(op, std::move(path));
  node.numbers = n;
  return finish(std::move(node));
}

FilterLiteral make_literal(const Metadata& value) {
  switch (value.type()) {
    case Metadata::Type::kBool:
      return value.as_bool();
    case Metadata::Type::kInt:
      return value.as_int();
    case Metadata::Type::kDouble:
      return value.as_double();
    case Metadata::Type::kString:
      require_utf8(value.as_string());
      return value.as_string();
    case Metadata::Type::kNull:
      invalid("filter: nothing compares with null; use IS NULL or IS NOT NULL");
    default:
      invalid("filter: a value is a string, a number, a bool or a date, not ",
              value.is_array() ? "an array" : "an object");
  }
}

FilterLiteral make_date(std::string_view text) {
  const auto instant = parse_instant(text);
  if (!instant) {
    invalid("filter: '", text.substr(0, 64),
            "' is no date; write 2026-02-28 or 2026-02-28T12:30:00Z, and a day that exists");
  }
  return FilterDate{*instant, std::string(text)};
}

bool equal(const FilterNode& a, const FilterNode& b) {
  return a.op == b.op && a.path == b.path && a.values == b.values && a.escape == b.escape &&
         a.numbers == b.numbers &&
         std::equal(a.children.begin(), a.children.end(), b.children.begin(), b.children.end(),
                    [](const auto& x, const auto& y) { return equal(*x, *y); });
}

}  // namespace vecstore
