#include "index/field/aggregate.hpp"

#include <algorithm>
#include <cmath>

namespace vecstore::fields {
namespace {

constexpr std::size_t kRowsPerCheck = 4'096;

/// The values at one path, row by row.
class Column {
 public:
  Column(const FieldPart& part, const std::optional<FieldPathKey>& path) {
    const FieldEntry* entry = path ? part.find(*path) : nullptr;
    if (!entry) return;
    field_ = &part.field(*entry);
    if (!field_->has_column()) listed_ = field_->by_row();
  }
  const Field* field() const { return field_; }
  std::uint32_t at(std::uint32_t row) const {
    return !field_ ? Field::kNoOrdinal : listed_.empty() ? field_->at(row) : listed_[row];
  }

 private:
  const Field* field_ = nullptr;
  std::vector<std::uint32_t> listed_;
};

bool is_value(Kind kind) {
  return kind == Kind::kFalse || kind == Kind::kTrue || kind == Kind::kNumber || kind == Kind::kString;
}

GroupKey key_of(const Field& field, std::uint32_t ordinal) {
  switch (field.kind_of(ordinal)) {
    case Kind::kFalse:
      return {false};
    case Kind::kTrue:
      return {true};
    case Kind::kNumber:
      return {as_key(field.number(ordinal))};
    default:
      return {std::string(field.string(ordinal))};
  }
}

/// Rows whose value is not known are moved from `rows` to `out`.
void leave_out(const Field* field, RowBits& rows, RowBits& out) {
  if (!field) return;
  const Ordinals unknown = field->of_kind(Kind::kLongString);
  for (std::uint32_t o = unknown.begin; o < unknown.end; ++o) {
    for (const std::uint32_t row : field->rows_of(o)) {
      if (!rows.test(row)) continue;
      rows.reset(row);
      out.set(row);
    }
  }
}

class Aggregation {
 public:
  Aggregation(const FieldPart& part, const AggregatePaths& paths, const Context& context)
      : part_(part), paths_(paths), context_(context), group_(part, paths.group) {
    for (const auto& path : paths.numbers) {
      numbers_.emplace_back(part, path);
      const Field* field = numbers_.back().field();
      ranges_.push_back(field ? field->of_kind(Kind::kNumber) : Ordinals{});
    }
    if (!paths.group) return;
    FieldPathKey each = *paths.group;
    append_each(each);
    if (const FieldEntry* entry = part.find(each)) elements_ = &part.field(*entry);
  }

  RowBits run(RowBits rows, Groups& out) const {
    RowBits left(part_.span());
    for (const std::uint32_t row : part_.irregular()) {
      if (!rows.test(row)) continue;
      rows.reset(row);
      left.set(row);
    }
    const auto lost = [&](const auto& path) { return is_lost(path); };
    if (!part_.complete() && (is_lost(paths_.group) || elements_are_lost() ||
                              std::any_of(paths_.numbers.begin(), paths_.numbers.end(), lost))) {
      left |= rows;
      return left;
    }
    leave_out(group_.field(), rows, left);
    leave_out(elements_, rows, left);
    if (elements_) {
      by_elements(rows, out);
    } else {
      by_value(rows, out);
    }
    return left;
  }

 private:
  /// The part may have rows with the path, but not say which.
  bool is_lost(const std::optional<FieldPathKey>& path) const { return path && !part_.find(*path); }
  bool elements_are_lost() const {
    if (elements_ || !group_.field()) return false;
    const Ordinals arrays = group_.field()->of_kind(Kind::kArray);
    return !arrays.empty();
  }

  void add_row(std::uint32_t row, NumberTotals* totals) const {
    for (std::size_t i = 0; i < numbers_.size(); ++i) {
      const std::uint32_t o = numbers_[i].at(row);
      if (o >= ranges_[i].begin && o < ranges_[i].end) totals[i].add(numbers_[i].field()->number(o));
    }
  }
  Totals empty() const { return {0, std::vector<NumberTotals>(numbers_.size())}; }
  static void add(Groups& out, const GroupKey& key, const Totals& totals) {
    const std::size_t before = out.by_value.size();
    const auto at = out.by_value.try_emplace(out.by_value.end(), key, totals);  // they come in order
    if (out.by_value.size() == before) at->second.add(totals);
  }

  // No row has more than one value: each is added to one place, and all of them are the sum.
  void by_value(const RowBits& rows, Groups& out) const {
    const std::size_t values = group_.field() ? group_.field()->ordinals() : 0, m = numbers_.size();
    std::vector<std::uint64_t> counts(values + 1);  // the last: rows without a value
    std::vector<NumberTotals> totals((values + 1) * m);
    std::size_t steps = 0;
    rows.for_each([&](std::size_t row) {
      if (++steps % kRowsPerCheck == 0) context_.check();
      const std::size_t at = std::min<std::size_t>(group_.at(static_cast<std::uint32_t>(row)), values);
      ++counts[at];
      if (m > 0) add_row(static_cast<std::uint32_t>(row), &totals[at * m]);
    });
    for (std::size_t o = 0; o <= values; ++o) {
      if (o % kRowsPerCheck == 0) context_.check();
      if (counts[o] == 0) continue;
      const auto begin = totals.begin() + static_cast<std::ptrdiff_t>(o * m);
      const Totals group{counts[o], {begin, begin + static_cast<std::ptrdiff_t>(m)}};
      out.all.add(group);
      if (o < values && is_value(group_.field()->kind_of(static_cast<std::uint32_t>(o)))) {
        add(out, key_of(*group_.field(), static_cast<std::uint32_t>(o)), group);
      } else if (paths_.grouped) {
        out.missing += counts[o];
      }
    }
  }

  // Arrays: from each value to its rows.
  void by_elements(const RowBits& rows, Groups& out) const {
    Totals all = empty();
    std::size_t steps = 0;
    const auto add_to = [&](Totals& totals, std::uint32_t row) {
      if (++steps % kRowsPerCheck == 0) context_.check();
      ++totals.rows;
      add_row(row, totals.numbers.data());
    };
    rows.for_each([&](std::size_t row) { add_to(all, static_cast<std::uint32_t>(row)); });
    std::map<GroupKey, Totals> found;
    RowBits grouped(part_.span());
    for (const Field* field : {group_.field(), elements_}) {
      if (!field) continue;
      for (std::uint32_t o = 0; o < field->ordinals(); ++o) {
        if (o % kRowsPerCheck == 0) context_.check();
        if (!is_value(field->kind_of(o))) continue;
        std::vector<std::uint32_t> members;
        const auto take = [&](std::uint32_t ordinal) {
          for (const std::uint32_t row : field->rows_of(ordinal)) {
            if (rows.test(row)) members.push_back(row);
          }
        };
        const GroupKey key = key_of(*field, o);
        take(o);
        // An integer and a double that are equal: an array may have both.
        if (o + 1 < field->ordinals() && field->kind_of(o) == Kind::kNumber &&
            field->kind_of(o + 1) == Kind::kNumber && compare(field->number(o), field->number(o + 1)) == 0) {
          take(++o);
          std::sort(members.begin(), members.end());
          members.erase(std::unique(members.begin(), members.end()), members.end());
        }
        if (members.empty()) continue;
        Totals& totals = found.try_emplace(key, empty()).first->second;
        for (const std::uint32_t row : members) {
          add_to(totals, row);
          grouped.set(row);
        }
      }
    }
    out.all.add(all);
    out.missing += all.rows - grouped.count();
    for (const auto& [key, totals] : found) add(out, key, totals);
  }

  const FieldPart& part_;
  const AggregatePaths& paths_;
  const Context& context_;
  Column group_;
  const Field* elements_ = nullptr;
  std::vector<Column> numbers_;
  std::vector<Ordinals> ranges_;  // the numbers among their values
};

}  // namespace

Number as_key(const Number& n) {
  constexpr double kTwo63 = 9223372036854775808.0;
  const bool whole = n.is_double && n.real >= -kTwo63 && n.real < kTwo63 && std::trunc(n.real) == n.real;
  return whole ? Number::of(static_cast<std::int64_t>(n.real)) : n;
}

void NumberTotals::add(const Number& n) {
  if (count == 0 || before(n, least)) least = n;
  if (count == 0 || before(most, n)) most = n;
  ++count;
  if (!n.is_double) {
    integers += n.integer;
    return;
  }
  const double sum = doubles + n.real;
  lost += std::abs(doubles) >= std::abs(n.real) ? (doubles - sum) + n.real : (n.real - sum) + doubles;
  doubles = sum;
}

void NumberTotals::add(const NumberTotals& other) {
  if (other.count == 0) return;
  if (count == 0) {
    *this = other;
    return;
  }
  if (before(other.least, least)) least = other.least;
  if (before(most, other.most)) most = other.most;
  count += other.count;
  integers += other.integers;
  const double sum = doubles + other.doubles;
  lost += other.lost + (std::abs(doubles) >= std::abs(other.doubles) ? (doubles - sum) + other.doubles
                                                                     : (other.doubles - sum) + doubles);
  doubles = sum;
}

double NumberTotals::sum() const {
  // Beyond double there is nothing to compensate.
  const double of_doubles = std::isfinite(doubles) ? doubles + lost : doubles;
  return static_cast<double>(integers) + of_doubles;
}

void Totals::add(const Totals& other) {
  rows += other.rows;
  if (numbers.empty()) {
    numbers = other.numbers;
    return;
  }
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i].add(other.numbers[i]);
}

std::strong_ordering operator<=>(const GroupKey& a, const GroupKey& b) {
  if (a.value.index() != b.value.index()) return a.value.index() <=> b.value.index();
  if (const auto* x = std::get_if<bool>(&a.value)) return *x <=> std::get<bool>(b.value);
  if (const auto* x = std::get_if<Number>(&a.value)) return compare(*x, std::get<Number>(b.value));
  return std::get<std::string>(a.value) <=> std::get<std::string>(b.value);
}

RowBits aggregate(const FieldPart& part, const AggregatePaths& paths, RowBits rows, const Context& context,
                  Groups& out) {
  Groups found;
  found.all.numbers.resize(paths.numbers.size());
  RowBits left = Aggregation(part, paths, context).run(std::move(rows), found);
  out.all.add(found.all);
  out.missing += found.missing;
  if (out.by_value.empty()) {
    out.by_value = std::move(found.by_value);
  } else {
    for (const auto& [key, totals] : found.by_value) {
      const auto [at, is_new] = out.by_value.try_emplace(key, totals);
      if (!is_new) at->second.add(totals);
    }
  }
  return left;
}

}  // namespace vecstore::fields
