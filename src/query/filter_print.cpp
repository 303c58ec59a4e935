// Tree to filter text.
#include <ostream>

#include "base/error.hpp"
#include "base/json.hpp"
#include "query/filter_ast.hpp"
#include "query/filter_lexer.hpp"

namespace vecstore {
namespace {

void append_quoted(std::string& out, std::string_view text, char quote) {
  out += quote;
  for (const char c : text) {
    if (c == quote) out += c;
    out += c;
  }
  out += quote;
}

void append(std::string& out, const FilterLiteral& literal) {
  if (const auto* boolean = std::get_if<bool>(&literal)) {
    out += *boolean ? "TRUE" : "FALSE";
  } else if (const auto* integer = std::get_if<std::int64_t>(&literal)) {
    out += std::to_string(*integer);
  } else if (const auto* number = std::get_if<double>(&literal)) {
    append_json_double(out, *number);
  } else if (const auto* date = std::get_if<FilterDate>(&literal)) {
    out += "DATE ";
    append_quoted(out, date->text, '\'');
  } else {
    append_quoted(out, std::get<std::string>(literal), '\'');
  }
}

std::string_view sign(FilterOp op) {
  switch (op) {
    case FilterOp::kEqual:
      return " = ";
    case FilterOp::kNotEqual:
      return " != ";
    case FilterOp::kLess:
      return " < ";
    case FilterOp::kLessEqual:
      return " <= ";
    case FilterOp::kGreater:
      return " > ";
    case FilterOp::kGreaterEqual:
      return " >= ";
    case FilterOp::kContains:
      return " CONTAINS ";
    case FilterOp::kStartsWith:
      return " STARTSWITH ";
    case FilterOp::kLike:
      return " LIKE ";
    case FilterOp::kIn:
      return " IN (";
    case FilterOp::kNotIn:
      return " NOT IN (";
    case FilterOp::kIsNull:
      return " IS NULL";
    case FilterOp::kIsNotNull:
      return " IS NOT NULL";
    default:
      return "";
  }
}

void append(std::string& out, const FilterNode& node);

void append_child(std::string& out, const FilterNode& child, bool parentheses) {
  if (parentheses) out += '(';
  append(out, child);
  if (parentheses) out += ')';
}

void append_geo(std::string& out, const FilterNode& node, std::string_view name, std::size_t count) {
  out += name;
  out += to_string(node.path);
  for (std::size_t i = 0; i < count; ++i) {
    out += ", ";
    append_json_double(out, node.numbers[i]);
  }
  out += ')';
}

void append(std::string& out, const FilterNode& node) {
  switch (node.op) {
    case FilterOp::kAnd:
    case FilterOp::kOr: {
      bool first = true;
      for (const auto& child : node.children) {
        if (!first) out += node.op == FilterOp::kAnd ? " AND " : " OR ";
        first = false;
        append_child(out, *child, node.op == FilterOp::kAnd && child->op == FilterOp::kOr);
      }
      return;
    }
    case FilterOp::kNot: {
      const FilterOp inner = node.children[0]->op;
      out += "NOT ";
      append_child(out, *node.children[0], inner == FilterOp::kAnd || inner == FilterOp::kOr);
      return;
    }
    case FilterOp::kAny:
      out += "ANY(" + to_string(node.path) + ", ";
      append(out, *node.children[0]);
      out += ')';
      return;
    case FilterOp::kExists:
      out += "EXISTS(" + to_string(node.path) + ")";
      return;
    case FilterOp::kMatch:
      out += "MATCH(" + to_string(node.path) + ", ";
      append(out, node.values[0]);
      out += ')';
      return;
    case FilterOp::kGeoRadius:
      append_geo(out, node, "GEO_RADIUS(", 3);
      return;
    case FilterOp::kGeoBox:
      append_geo(out, node, "GEO_BOX(", 4);
      return;
    case FilterOp::kBetween:
      out += to_string(node.path) + " BETWEEN ";
      append(out, node.values[0]);
      out += " AND ";
      append(out, node.values[1]);
      return;
    default:
      break;
  }
  out += to_string(node.path);
  out += sign(node.op);
  bool first = true;
  for (const auto& value : node.values) {
    if (!first) out += ", ";
    first = false;
    append(out, value);
  }
  if (node.op == FilterOp::kIn || node.op == FilterOp::kNotIn) out += ')';
  if (!node.escape.empty()) {
    out += " ESCAPE ";
    append_quoted(out, node.escape, '\'');
  }
}

}  // namespace

std::string to_string(const FilterPath& path) {
  std::string out;
  for (const auto& step : path) {
    if (!out.empty()) out += '.';
    if (is_plain_name(step.name)) {
      out += step.name;
    } else {
      append_quoted(out, step.name, '"');
    }
    for (unsigned i = 0; i < step.each; ++i) out += "[*]";
  }
  return out;
}

std::string Filter::to_string() const {
  std::string out;
  if (node_) append(out, *node_);
  return out;
}

std::ostream& operator<<(std::ostream& out, const Filter& filter) { return out << filter.to_string(); }

}  // namespace vecstore
