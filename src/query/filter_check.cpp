#include "query/filter_check.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "query/filter_ast.hpp"
#include "query/filter_eval.hpp"

namespace vecstore {
namespace {

using Type = Metadata::Type;

FilterPath without_each(FilterPath path) {
  for (auto& step : path) step.each = 0;
  return path;
}

/// Calls f(node, full path) for every predicate; inside ANY the paths continue the array's.
template <class F>
void for_each_predicate(const FilterNode& node, const FilterPath& prefix, F&& f) {
  FilterPath path = prefix;
  if (!node.path.empty()) {
    // A record's own field is the record's also inside ANY.
    if (is_record_field(node.path.front().name)) path.clear();
    path.insert(path.end(), node.path.begin(), node.path.end());
    f(node, without_each(path));
  }
  for (const auto& child : node.children) for_each_predicate(*child, path, f);
}

template <class F>
void for_each_predicate(const Filter& filter, F&& f) {
  if (!filter.empty()) for_each_predicate(*filter.node(), {}, f);
}

bool own_field(const FilterPath& path) { return path.size() == 1 && is_record_field(path.front().name); }

Type own_type(std::string_view name) {
  return name == "_id" || name == "_text" || name == "_source" ? Type::kString : Type::kInt;
}

std::string_view type_name(Type type) {
  switch (type) {
    case Type::kBool:
      return "a bool";
    case Type::kInt:
      return "an integer";
    case Type::kDouble:
      return "a number";
    case Type::kString:
      return "a string";
    case Type::kArray:
      return "an array";
    case Type::kObject:
      return "an object";
    case Type::kNull:
      break;
  }
  return "null";
}

Type type_of(const FilterLiteral& literal) {
  if (std::holds_alternative<bool>(literal)) return Type::kBool;
  if (std::holds_alternative<std::int64_t>(literal)) return Type::kInt;
  if (std::holds_alternative<double>(literal)) return Type::kDouble;
  return Type::kString;
}

bool fits(Type declared, Type value) {
  const auto number = [](Type t) { return t == Type::kInt || t == Type::kDouble; };
  return declared == value || (number(declared) && number(value));
}

void check(const FilterNode& node, const std::string& path, Type declared) {
  if (declared == Type::kArray || declared == Type::kObject || declared == Type::kNull) return;
  const auto refuse = [&](std::string_view with) {
    invalid("filter: field '", path, "' is ", type_name(declared), " in the schema; it is compared with ",
            with);
  };
  switch (node.op) {
    case FilterOp::kIsNull:
    case FilterOp::kIsNotNull:
    case FilterOp::kExists:
      return;
    case FilterOp::kAny:
      refuse("an array (ANY)");
      return;
    case FilterOp::kGeoRadius:
    case FilterOp::kGeoBox:
      refuse("a place");
      return;
    default:
      break;
  }
  for (const auto& value : node.values) {
    if (!fits(declared, type_of(value))) refuse(type_name(type_of(value)));
  }
}

}  // namespace

std::vector<std::string> filter_fields(const Filter& filter) {
  std::vector<std::string> fields;
  for_each_predicate(filter, [&](const FilterNode&, const FilterPath& path) {
    if (is_record_field(path.front().name)) return;
    std::string field = to_string(path);
    if (std::find(fields.begin(), fields.end(), field) == fields.end()) fields.push_back(std::move(field));
  });
  return fields;
}

void check_filter_types(const Filter& filter, const DeclaredType& declared) {
  for_each_predicate(filter, [&](const FilterNode& node, const FilterPath& path) {
    const std::string name = to_string(path);
    if (own_field(path)) {
      check(node, name, own_type(name));
    } else if (const auto type = declared ? declared(name) : std::nullopt) {
      check(node, name, *type);
    }
  });
}

std::vector<std::string> unknown_field_warnings(const Filter& filter,
                                                const std::function<bool(std::string_view path)>& seen) {
  std::vector<std::string> warnings;
  for (const auto& field : filter_fields(filter)) {
    if (!seen(field)) warnings.push_back("field '" + field + "' not seen");
  }
  return warnings;
}

std::vector<std::string> unknown_field_warnings(const Filter& filter, const FieldNames& names) {
  return unknown_field_warnings(filter, [&](std::string_view field) {
    // A full table cannot tell: later names are stored in the records themselves.
    if (names.size() == FieldNames::kMaxNames) return true;
    const FilterPath path = parse_filter_path(field);
    return std::all_of(path.begin(), path.end(), [&](const FilterStep& step) {
      return step.name.size() > FieldNames::kMaxNameBytes || names.find(step.name).has_value();
    });
  });
}

}  // namespace vecstore
