#include "query/filter_eval.hpp"

#include <cstring>

#include <algorithm>
#include <cmath>
#include <optional>

#include "query/filter_ast.hpp"
#include "query/filter_compare.hpp"
#include "query/filter_geo.hpp"
#include "query/filter_words.hpp"

namespace vecstore {
namespace {

using Type = Metadata::Type;

bool has_part(std::string_view text, std::string_view part) {
  // memmem is linear; string_view::find is not.
  return part.empty() ||
         (part.size() <= text.size() && memmem(text.data(), text.size(), part.data(), part.size()));
}

/// The literals of an IN list by type, sorted.
class LiteralSet {
 public:
  explicit LiteralSet(const std::vector<FilterLiteral>& literals) {
    for (const auto& literal : literals) {
      if (const auto* boolean = std::get_if<bool>(&literal)) {
        bools_[*boolean] = true;
      } else if (const auto* integer = std::get_if<std::int64_t>(&literal)) {
        integers_.push_back(*integer);
      } else if (const auto* number = std::get_if<double>(&literal)) {
        doubles_.push_back(*number);
      } else if (const auto* date = std::get_if<FilterDate>(&literal)) {
        dates_.push_back(date->instant);
      } else {
        strings_.push_back(std::get<std::string>(literal));
      }
    }
    std::sort(integers_.begin(), integers_.end());
    std::sort(doubles_.begin(), doubles_.end());
    std::sort(strings_.begin(), strings_.end());
    std::sort(dates_.begin(), dates_.end());
  }

  bool contains(const EncodedValue& value) const {
    switch (value.type) {
      case Type::kBool:
        return bools_[value.boolean];
      case Type::kInt:
        return has(integers_, value.integer) || has_double(value.integer);
      case Type::kDouble:
        return has(doubles_, value.number) || has_integer(value.number);
      case Type::kString: {
        if (std::binary_search(strings_.begin(), strings_.end(), value.bytes)) return true;
        if (dates_.empty()) return false;
        const auto instant = parse_instant(value.bytes);
        return instant && has(dates_, *instant);
      }
      default:
        return false;
    }
  }

 private:
  template <class T>
  static bool has(const std::vector<T>& sorted, const T& value) {
    return std::binary_search(sorted.begin(), sorted.end(), value);
  }
  // Only a number that both types hold exactly can be equal across them.
  bool has_double(std::int64_t value) const {
    const auto number = static_cast<double>(value);
    return compare_numbers(value, number) == 0 && has(doubles_, number);
  }
  bool has_integer(double value) const {
    constexpr double kTwo63 = 9223372036854775808.0;
    if (!(value >= -kTwo63 && value < kTwo63) || value != std::floor(value)) return false;
    return has(integers_, static_cast<std::int64_t>(value));
  }

  bool bools_[2] = {false, false};
  std::vector<std::int64_t> integers_;
  std::vector<double> doubles_;
  std::vector<std::string> strings_;
  std::vector<Instant> dates_;
};

}  // namespace

/// A node of the tree, ready to be evaluated.
struct FilterProgram::Node {
  struct Step {
    EncodedKey key;
    unsigned each;
  };
  // Keeps the tree alive: the program may outlive the Filter that it was made from.
  FilterNodePtr source;
  FilterOp op;
  std::vector<Step> path;
  std::string field;  // The path without [*]; for MATCH and for a record's own field.
  bool record_field = false;
  std::vector<Node> children;
  std::optional<LikePattern> like;
  std::optional<LiteralSet> set;
  std::vector<std::string> words;
  std::vector<EncodedKey> place;  // "lat" and "lon" of the GEO functions.
};

namespace {

using Node = FilterProgram::Node;

/// `prefix` is the path of the ANY around it.
Node prepare(const FilterNodePtr& source, const FieldNames& names, const AnalyzeFn& analyze,
             const std::string& prefix = {}) {
  Node node{source, source->op};
  for (const auto& step : source->path) {
    node.path.push_back({EncodedKey(step.name, names), step.each});
    node.field += (node.field.empty() ? "" : ".") + step.name;
  }
  node.record_field = !source->path.empty() && is_record_field(source->path.front().name);
  if (!prefix.empty() && !node.record_field)
    node.field = prefix + (node.field.empty() ? "" : ".") + node.field;
  for (const auto& child : source->children)
    node.children.push_back(prepare(child, names, analyze, node.field));
  if (source->op == FilterOp::kLike)
    node.like.emplace(std::get<std::string>(source->values[0]), source->escape);
  if (source->op == FilterOp::kIn || source->op == FilterOp::kNotIn) node.set.emplace(source->values);
  if (source->op == FilterOp::kGeoRadius || source->op == FilterOp::kGeoBox) {
    node.place = {EncodedKey("lat", names), EncodedKey("lon", names)};
  }
  if (source->op == FilterOp::kMatch) {
    node.words = analyze(node.field, std::get<std::string>(source->values[0]));
    std::sort(node.words.begin(), node.words.end());
    node.words.erase(std::unique(node.words.begin(), node.words.end()), node.words.end());
  }
  return node;
}

/// What differs between the two forms of a record: stepping into objects and arrays.
struct TreeForm {
  using Value = const Metadata*;

  static bool find(Value object, const EncodedKey& key, Value& member) {
    member = object->find(key.name());
    return member != nullptr;
  }
  static Type type(Value value) { return value->type(); }
  template <class F>
  static bool any_element(Value array, F&& f) {
    for (const Metadata& element : array->as_array()) {
      if (f(&element)) return true;
    }
    return false;
  }
  static EncodedValue scalar(Value value) {
    EncodedValue out;
    out.type = value->type();
    switch (out.type) {
      case Type::kBool:
        out.boolean = value->as_bool();
        break;
      case Type::kInt:
        out.integer = value->as_int();
        break;
      case Type::kDouble:
        out.number = value->as_double();
        break;
      case Type::kString:
        out.bytes = value->as_string();
        break;
      default:
        break;
    }
    return out;
  }
};

struct EncodedForm {
  using Value = EncodedValue;

  static bool find(const Value& object, const EncodedKey& key, Value& member) {
    return key.find(object, member);
  }
  static Type type(const Value& value) { return value.type; }
  template <class F>
  static bool any_element(const Value& array, F&& f) {
    const char* p = array.bytes.data();
    const char* end = p + array.bytes.size();
    while (p != end) {
      if (f(read_encoded(p, end))) return true;
    }
    return false;
  }
  static const EncodedValue& scalar(const Value& value) { return value; }
};

template <class Form>
class Evaluator {
 public:
  using Value = typename Form::Value;

  Evaluator(const RecordFields* record, const AnalyzeFn& analyze) : record_(record), analyze_(analyze) {}

  /// `root` is the record's metadata, or the element of an array inside ANY.
  bool matches(const Node& node, const Value& root) const {
    switch (node.op) {
      case FilterOp::kAnd:
        return std::all_of(node.children.begin(), node.children.end(),
                           [&](const Node& c) { return matches(c, root); });
      case FilterOp::kOr:
        return std::any_of(node.children.begin(), node.children.end(),
                           [&](const Node& c) { return matches(c, root); });
      case FilterOp::kNot:
        return !matches(node.children[0], root);
      default:
        return node.record_field ? record_field_matches(node) : field_matches(node, root);
    }
  }

 private:
  bool record_field_matches(const Node& node) const {
    EncodedValue value;
    if (record_ && node.path.size() == 1 && node.path[0].each == 0)
      value = record_->get(node.path[0].key.name());
    switch (node.op) {
      case FilterOp::kIsNull:
        return value.type == Type::kNull;
      case FilterOp::kIsNotNull:
      case FilterOp::kExists:
        return value.type != Type::kNull;
      case FilterOp::kContains:
        return part_matches(node, value);
      case FilterOp::kAny:
      case FilterOp::kGeoRadius:
      case FilterOp::kGeoBox:
        return false;
      default:
        return scalar_matches(node, value);
    }
  }

  bool field_matches(const Node& node, const Value& root) const {
    switch (node.op) {
      case FilterOp::kIsNull:
        return !any_at(node, root, [](const Value& v) { return Form::type(v) != Type::kNull; });
      case FilterOp::kIsNotNull:
        return any_at(node, root, [](const Value& v) { return Form::type(v) != Type::kNull; });
      case FilterOp::kExists:
        return any_at(node, root, [](const Value&) { return true; });
      case FilterOp::kAny:
        return any_at(node, root, [&](const Value& v) {
          return any_of_value(v, [&](const Value& element) { return matches(node.children[0], element); });
        });
      case FilterOp::kGeoRadius:
      case FilterOp::kGeoBox:
        return any_at(node, root, [&](const Value& v) {
          return any_of_value(v, [&](const Value& place) { return place_matches(node, place); });
        });
      case FilterOp::kContains:
        return any_at(node, root, [&](const Value& v) {
          if (Form::type(v) != Type::kArray) return part_matches(node, Form::scalar(v));
          return Form::any_element(v, [&](const Value& element) {
            return compare(Form::scalar(element), node.source->values[0]) == std::strong_ordering::equal;
          });
        });
      default:
        return any_at(node, root, [&](const Value& v) {
          return any_of_value(
              v, [&](const Value& element) { return scalar_matches(node, Form::scalar(element)); });
        });
    }
  }

  /// True when `f` holds for one of the values at the node's path; there are several when it has [*].
  template <class F>
  bool any_at(const Node& node, const Value& root, F&& f) const {
    return any_from(node, 0, root, f);
  }

  template <class F>
  bool any_from(const Node& node, std::size_t step, const Value& value, F& f) const {
    if (step == node.path.size()) return f(value);
    Value member{};
    if (Form::type(value) != Type::kObject || !Form::find(value, node.path[step].key, member)) return false;
    return any_each(node, step, node.path[step].each, member, f);
  }

  template <class F>
  bool any_each(const Node& node, std::size_t step, unsigned each, const Value& value, F& f) const {
    if (each == 0) return any_from(node, step + 1, value, f);
    if (Form::type(value) != Type::kArray) return false;
    return Form::any_element(
        value, [&](const Value& element) { return any_each(node, step, each - 1, element, f); });
  }

  /// An array counts as its elements, anything else as itself.
  template <class F>
  static bool any_of_value(const Value& value, F&& f) {
    return Form::type(value) == Type::kArray ? Form::any_element(value, f) : f(value);
  }

  static bool part_matches(const Node& node, const EncodedValue& value) {
    const auto* part = std::get_if<std::string>(&node.source->values[0]);
    return value.type == Type::kString && part && has_part(value.bytes, *part);
  }

  static bool place_matches(const Node& node, const Value& place) {
    if (Form::type(place) != Type::kObject) return false;
    const auto number = [&](const EncodedKey& key) -> std::optional<double> {
      Value member{};
      if (!Form::find(place, key, member)) return std::nullopt;
      const EncodedValue value = Form::scalar(member);
      if (value.type == Type::kInt) return static_cast<double>(value.integer);
      if (value.type == Type::kDouble) return value.number;
      return std::nullopt;
    };
    const auto lat = number(node.place[0]);
    const auto lon = number(node.place[1]);
    return lat && lon && place_fits(*node.source, *lat, *lon);
  }

  bool scalar_matches(const Node& node, const EncodedValue& value) const {
    if (value.type == Type::kNull) return false;
    const auto& values = node.source->values;
    switch (node.op) {
      case FilterOp::kEqual:
        return compare(value, values[0]) == std::strong_ordering::equal;
      case FilterOp::kNotEqual:
        return compare(value, values[0]) != std::strong_ordering::equal;
      case FilterOp::kLess:
        return ordered(value, values[0], [](auto o) { return o < 0; });
      case FilterOp::kLessEqual:
        return ordered(value, values[0], [](auto o) { return o <= 0; });
      case FilterOp::kGreater:
        return ordered(value, values[0], [](auto o) { return o > 0; });
      case FilterOp::kGreaterEqual:
        return ordered(value, values[0], [](auto o) { return o >= 0; });
      case FilterOp::kBetween:
        return ordered(value, values[0], [](auto o) { return o >= 0; }) &&
               ordered(value, values[1], [](auto o) { return o <= 0; });
      case FilterOp::kIn:
        return node.set->contains(value);
      case FilterOp::kNotIn:
        return !node.set->contains(value);
      default:
        return value.type == Type::kString && text_matches(node, value.bytes);
    }
  }

  template <class F>
  static bool ordered(const EncodedValue& value, const FilterLiteral& literal, F&& f) {
    const auto order = compare(value, literal);
    return order && f(*order);
  }

  bool text_matches(const Node& node, std::string_view text) const {
    switch (node.op) {
      case FilterOp::kLike:
        return node.like->matches(text);
      case FilterOp::kStartsWith:
        return text.starts_with(std::get<std::string>(node.source->values[0]));
      case FilterOp::kMatch:
        return words_match(node, text);
      default:
        return false;
    }
  }

  bool words_match(const Node& node, std::string_view text) const {
    if (node.words.empty()) return false;
    std::vector<std::string> words = analyze_(node.field, text);
    std::sort(words.begin(), words.end());
    words.erase(std::unique(words.begin(), words.end()), words.end());
    return std::includes(words.begin(), words.end(), node.words.begin(), node.words.end());
  }

  const RecordFields* record_;
  const AnalyzeFn& analyze_;
};

bool uses_field(const Node& node, std::string_view name) {
  return (node.record_field && node.path.front().key.name() == name) ||
         std::any_of(node.children.begin(), node.children.end(),
                     [&](const Node& c) { return uses_field(c, name); });
}

const FieldNames& no_names() {
  static const FieldNames names;
  return names;
}

}  // namespace

bool is_record_field(std::string_view name) noexcept {
  return std::find(std::begin(kRecordFieldNames), std::end(kRecordFieldNames), name) !=
         std::end(kRecordFieldNames);
}

FilterProgram::FilterProgram(const Filter& filter, const FieldNames& names, AnalyzeFn analyze)
    : analyze_(std::move(analyze)) {
  if (!analyze_) analyze_ = [](std::string_view, std::string_view text) { return simple_words(text); };
  if (!filter.empty()) root_ = std::make_unique<const Node>(prepare(filter.node(), names, analyze_));
}
FilterProgram::FilterProgram(const Filter& filter, AnalyzeFn analyze)
    : FilterProgram(filter, no_names(), std::move(analyze)) {}
FilterProgram::FilterProgram(FilterProgram&&) noexcept = default;
FilterProgram& FilterProgram::operator=(FilterProgram&&) noexcept = default;
FilterProgram::~FilterProgram() = default;

bool FilterProgram::matches(const Metadata& metadata, const RecordFields* record) const {
  return !root_ || Evaluator<TreeForm>(record, analyze_).matches(*root_, &metadata);
}

bool FilterProgram::matches_encoded(std::string_view bytes, const RecordFields* record) const {
  return !root_ || Evaluator<EncodedForm>(record, analyze_).matches(*root_, read_encoded(bytes));
}

bool FilterProgram::uses(std::string_view record_field) const noexcept {
  return root_ && uses_field(*root_, record_field);
}

}  // namespace vecstore
