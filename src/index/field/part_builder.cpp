#include "index/field/part_builder.hpp"

#include <algorithm>
#include <numeric>

#include "base/error.hpp"
#include "index/field/field_values.hpp"

namespace vecstore::fields {
namespace {

constexpr std::uint32_t kEachStep = ~std::uint32_t{0};

using Type = Metadata::Type;

}  // namespace

/// The values of one path as they come.
struct FieldPartBuilder::Field {
  struct NumberRow {
    Number number;
    std::uint32_t row;
  };
  struct StringRow {
    std::uint32_t string;  // in the order of their first use
    std::uint32_t row;
  };
  std::array<std::vector<std::uint32_t>, kKinds> rows;  // of the kinds without a value of their own
  std::vector<NumberRow> numbers;
  std::vector<StringRow> string_rows;
  std::vector<std::string_view> strings;
  std::unordered_map<std::string_view, std::uint32_t> string_numbers;

  bool empty() const {
    return numbers.empty() && string_rows.empty() &&
           std::all_of(rows.begin(), rows.end(), [](const auto& r) { return r.empty(); });
  }
  void add(Kind kind, std::uint32_t row) {
    auto& of_kind = rows[static_cast<std::size_t>(kind)];
    if (of_kind.empty() || of_kind.back() != row) of_kind.push_back(row);
  }
  FieldValues sorted();
};

struct FieldPartBuilder::Node {
  FieldPathKey key;
  std::unordered_map<std::uint32_t, std::unique_ptr<Node>> children;  // by name, or kEachStep
  Field field;
};

FieldValues FieldPartBuilder::Field::sorted() {
  FieldValues out;
  out.starts.push_back(0);
  const auto add_kind = [&](Kind kind) {
    const auto& of_kind = rows[static_cast<std::size_t>(kind)];
    if (of_kind.empty()) return;
    out.rows.insert(out.rows.end(), of_kind.begin(), of_kind.end());
    out.end_ordinal(kind);
  };
  for (const Kind kind : {Kind::kNull, Kind::kArray, Kind::kObject, Kind::kFalse, Kind::kTrue})
    add_kind(kind);
  std::sort(numbers.begin(), numbers.end(), [](const NumberRow& a, const NumberRow& b) {
    return before(a.number, b.number) || (!before(b.number, a.number) && a.row < b.row);
  });
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const bool is_new = i == 0 || before(numbers[i - 1].number, numbers[i].number);
    if (is_new && i > 0) out.end_ordinal(Kind::kNumber);
    if (is_new) out.numbers.push_back(numbers[i].number);
    if (is_new || out.rows.back() != numbers[i].row) out.rows.push_back(numbers[i].row);
  }
  if (!numbers.empty()) out.end_ordinal(Kind::kNumber);

  std::vector<std::uint32_t> order(strings.size()), rank(strings.size()), begins(strings.size() + 1);
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(),
            [&](std::uint32_t a, std::uint32_t b) { return strings[a] < strings[b]; });
  for (std::uint32_t r = 0; r < order.size(); ++r) rank[order[r]] = r;
  for (const StringRow& s : string_rows) ++begins[rank[s.string] + 1];
  std::partial_sum(begins.begin(), begins.end(), begins.begin());
  const std::size_t base = out.rows.size();
  out.rows.resize(base + string_rows.size());
  // Rows came in ascending order and keep it within each string.
  for (const StringRow& s : string_rows) out.rows[base + begins[rank[s.string]]++] = s.row;
  // An array may hold a string twice.
  std::size_t kept = base, begin = base;
  for (std::uint32_t r = 0; r < order.size(); ++r) {
    const std::size_t end = base + begins[r], first = kept;
    for (std::size_t i = begin; i < end; ++i) {
      if (kept == first || out.rows[kept - 1] != out.rows[i]) out.rows[kept++] = out.rows[i];
    }
    begin = end;
    out.strings.push_back(strings[order[r]]);
    ++out.entries[static_cast<std::size_t>(Kind::kString)];
    out.starts.push_back(static_cast<std::uint32_t>(kept));
  }
  out.rows.resize(kept);
  add_kind(Kind::kLongString);
  return out;
}

FieldPartBuilder::FieldPartBuilder() : root_(std::make_unique<Node>()) {}
FieldPartBuilder::~FieldPartBuilder() = default;
FieldPartBuilder::FieldPartBuilder(FieldPartBuilder&&) noexcept = default;

FieldPartBuilder::Node* FieldPartBuilder::child(Node& parent, std::uint32_t step) {
  const auto known = parent.children.find(step);
  if (known != parent.children.end()) return known->second.get();
  if (nodes_.size() >= kMostFields) {
    overflow_ = true;
    return nullptr;
  }
  auto node = std::make_unique<Node>();
  node->key = parent.key;
  if (step == kEachStep)
    append_each(node->key);
  else
    append_name(node->key, step);
  nodes_.push_back(node.get());
  return (parent.children[step] = std::move(node)).get();
}

void FieldPartBuilder::collect(Node* node, const EncodedValue& value) {
  if (pending_.size() >= kMostValues) {
    cut_ = true;
    return;
  }
  if (node != root_.get()) pending_.push_back({node, value});
  const char* p = value.bytes.data();
  const char* const end = p + value.bytes.size();
  if (value.type == Type::kArray && value.bytes.size() > 0) {
    Node* const each = child(*node, kEachStep);
    while (each && p != end && !cut_) collect(each, read_encoded(p, end));
  } else if (value.type == Type::kObject) {
    while (p != end && !cut_) {
      std::uint64_t name = 0;
      if (!get_varint(p, end, name)) fail(ErrorCode::kCorruption, "metadata: a name is cut off");
      if (name == 0) {  // The name itself is stored; such paths are not indexed.
        std::uint64_t length = 0;
        if (!get_varint(p, end, length) || length > static_cast<std::uint64_t>(end - p))
          fail(ErrorCode::kCorruption, "metadata: a name is cut off");
        p += length;
        cut_ = true;
        return;
      }
      const EncodedValue member = read_encoded(p, end);
      if (name > FieldNames::kMaxNames)
        fail(ErrorCode::kCorruption, "metadata: name ", name, " is out of range");
      if (Node* const next = child(*node, static_cast<std::uint32_t>(name - 1))) collect(next, member);
    }
  }
}

void FieldPartBuilder::keep(Node& node, std::uint32_t row, const EncodedValue& value) {
  ++values_;
  Field& field = node.field;
  switch (value.type) {
    case Type::kNull:
      return field.add(Kind::kNull, row);
    case Type::kArray:
      return field.add(Kind::kArray, row);
    case Type::kObject:
      return field.add(Kind::kObject, row);
    case Type::kBool:
      return field.add(value.boolean ? Kind::kTrue : Kind::kFalse, row);
    case Type::kInt:
      field.numbers.push_back({Number::of(value.integer), row});
      return;
    case Type::kDouble:
      field.numbers.push_back({Number::of(value.number), row});
      return;
    case Type::kString:
      break;
  }
  if (value.bytes.size() > kMostStringBytes) return field.add(Kind::kLongString, row);
  auto known = field.string_numbers.find(value.bytes);
  if (known == field.string_numbers.end()) {
    const std::string_view kept = strings_.add(value.bytes);
    known = field.string_numbers.emplace(kept, static_cast<std::uint32_t>(field.strings.size())).first;
    field.strings.push_back(kept);
  }
  field.string_rows.push_back({known->second, row});
}

void FieldPartBuilder::add(std::uint32_t row, std::string_view metadata) {
  pending_.clear();
  cut_ = false;
  collect(root_.get(), read_encoded(metadata));
  // A record of which a part is not indexed is always looked at itself.
  if (cut_) {
    irregular_.push_back(row);
    return;
  }
  for (const Value& v : pending_) keep(*v.node, row, v.value);
}

void FieldPartBuilder::add_own(std::uint32_t row, OwnField field, const EncodedValue& value) {
  if (Node* const node = child(*root_, static_cast<std::uint32_t>(field))) keep(*node, row, value);
}

void FieldPartBuilder::write(FieldPartWriter& out) {
  std::sort(nodes_.begin(), nodes_.end(), [](const Node* a, const Node* b) { return a->key < b->key; });
  for (Node* node : nodes_) {
    if (!node->field.empty()) out.add(node->key, node->field.sorted());
    node->field = {};
  }
  std::sort(irregular_.begin(), irregular_.end());
  irregular_.erase(std::unique(irregular_.begin(), irregular_.end()), irregular_.end());
  out.finish(irregular_, overflow_);
}

}  // namespace vecstore::fields
