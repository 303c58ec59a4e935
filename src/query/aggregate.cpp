#include "query/aggregate.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/metadata_codec.hpp"
#include "query/field_condition.hpp"
#include "query/filter_ast.hpp"
#include "query/filter_eval.hpp"
#include "query/record_filter.hpp"
#include "shard/field_follower.hpp"

namespace vecstore::query {
namespace {

using fields::GroupKey;
using fields::Groups;
using fields::Number;
using fields::Totals;

constexpr std::size_t kMostGroups = 10'000;
constexpr std::size_t kMostFields = 64;

/// A field that is asked for, as records and as indexes have it.
class AskedField {
 public:
  AskedField(std::string_view what, std::string_view text, const FieldNames& names)
      : path_(parse_filter_path(text)) {
    const bool each = std::any_of(path_.begin(), path_.end(), [](const FilterStep& s) { return s.each > 0; });
    if (each) invalid(what, " '", text, "': [*] is not allowed, an array's elements are taken by themselves");
    is_source_ = path_.size() == 1 && path_.front().name == "_source";
    if (!is_source_ && is_record_field(path_.front().name))
      invalid(what, " '", text, "': of a record's own fields only _source can be aggregated");
    if (is_source_)
      append_name(key_.emplace(), static_cast<std::uint32_t>(OwnField::kSource));
    else
      key_ = field_path_key({}, path_, names);
  }
  const std::optional<FieldPathKey>& key() const { return key_; }
  Metadata of(const storage::Document& document, const Metadata& metadata) const {
    if (is_source_) return document.source.empty() ? Metadata(nullptr) : Metadata(document.source);
    const Metadata* at = &metadata;
    for (const FilterStep& step : path_) {
      at = at->find(step.name);
      if (!at) return nullptr;
    }
    return *at;
  }

 private:
  FilterPath path_;
  bool is_source_ = false;
  std::optional<FieldPathKey> key_;
};

std::optional<Number> number_of(const Metadata& value) {
  if (value.is_int()) return Number::of(value.as_int());
  if (value.is_double()) return Number::of(value.as_double());
  return std::nullopt;
}

std::optional<GroupKey> key_of(const Metadata& value) {
  if (value.is_bool()) return GroupKey{value.as_bool()};
  if (value.is_string()) return GroupKey{value.as_string()};
  if (const auto number = number_of(value)) return GroupKey{fields::as_key(*number)};
  return std::nullopt;
}

Metadata value_of(const Number& n) { return n.is_double ? Metadata(n.real) : Metadata(n.integer); }
Metadata value_of(const GroupKey& key) {
  if (const auto* number = std::get_if<Number>(&key.value)) return value_of(*number);
  if (const auto* flag = std::get_if<bool>(&key.value)) return *flag;
  return std::get<std::string>(key.value);
}

/// One aggregation.
class Aggregation {
 public:
  Aggregation(const AggregateOptions& options, const shard::ReadView& view, Context& ctx)
      : options_(options), view_(view), ctx_(ctx) {
    if (options.limit < 1 || options.limit > kMostGroups)
      invalid("limit is ", options.limit, "; 1 to ", kMostGroups, " are allowed");
    if (options.fields.size() > kMostFields)
      invalid("fields: ", options.fields.size(), " are given; the limit is ", kMostFields);
    if (!options.group_by.empty()) {
      group_.emplace("group_by", options.group_by, view.field_names());
      paths_.grouped = true;
      paths_.group = group_->key();
    }
    for (const std::string& field : options.fields) {
      numbers_.emplace_back("fields", field, view.field_names());
      paths_.numbers.push_back(numbers_.back().key());
    }
    groups_.all.numbers.resize(numbers_.size());
  }

  void run(RowBits rows, const shard::FieldsRead& read) {
    for (const auto& run : read.runs) by_segment(run, rows);
    for (const auto& run : read.packs) by_pack(run, rows);
    // What is left has to be looked at.
    shard::DocumentReader documents(view_);
    std::size_t steps = 0;
    rows.for_each([&](std::size_t row) {
      if (++steps % 256 == 0) ctx_.check();
      add(documents.read(row));
    });
  }
  Aggregates take();

 private:
  void by_segment(const shard::FieldsRead::Run& run, RowBits& rows);
  void by_pack(const shard::FieldsRead::PackRun& run, RowBits& rows);
  void add(const storage::Document& document);
  AggregateGroup group(const Totals& totals) const;

  const AggregateOptions& options_;
  const shard::ReadView& view_;
  Context& ctx_;
  std::optional<AskedField> group_;
  std::vector<AskedField> numbers_;
  fields::AggregatePaths paths_;
  Groups groups_;
};

void Aggregation::by_segment(const shard::FieldsRead::Run& run, RowBits& rows) {
  if (!run.segment) return;
  try {
    const fields::FieldPart& part = *run.segment->fields();
    RowBits mine = rows.slice(run.entry.first_row, part.span());
    if (run.outdated) mine -= *run.outdated;
    RowBits done = mine;
    done -= fields::aggregate(part, paths_, std::move(mine), ctx_, groups_);
    rows.remove(done, run.entry.first_row);
  } catch (const Error& e) {
    if (e.code() != ErrorCode::kCorruption) throw;
    view_.shard().segments().report_damage(run.entry.number);
  }
}

void Aggregation::by_pack(const shard::FieldsRead::PackRun& run, RowBits& rows) {
  const shard::FieldsRead::Pack& pack = *run.pack;
  RowBits mine(pack.part->span());
  for (std::size_t i = 0; i < pack.rows.size(); ++i) {
    if (pack.rows[i] < rows.size() && rows.test(pack.rows[i])) mine.set(i);
  }
  if (run.outdated) mine -= *run.outdated;
  RowBits done = mine;
  done -= fields::aggregate(*pack.part, paths_, std::move(mine), ctx_, groups_);
  done.for_each([&](std::size_t i) { rows.reset(pack.rows[i]); });
}

void Aggregation::add(const storage::Document& document) {
  const Metadata metadata = decode_metadata(document.metadata, view_.field_names());
  Totals totals{1, std::vector<fields::NumberTotals>(numbers_.size())};
  for (std::size_t i = 0; i < numbers_.size(); ++i) {
    if (const auto n = number_of(numbers_[i].of(document, metadata))) totals.numbers[i].add(*n);
  }
  groups_.all.add(totals);
  if (!group_) return;
  std::vector<GroupKey> keys;
  const Metadata value = group_->of(document, metadata);
  const auto take = [&](const Metadata& v) {
    auto key = key_of(v);
    if (key && std::find(keys.begin(), keys.end(), *key) == keys.end()) keys.push_back(std::move(*key));
  };
  if (value.is_array()) {
    for (const Metadata& element : value.as_array()) take(element);
  } else {
    take(value);
  }
  groups_.missing += keys.empty();
  for (GroupKey& key : keys) {
    const auto [at, is_new] = groups_.by_value.try_emplace(std::move(key), totals);
    if (!is_new) at->second.add(totals);
  }
}

AggregateGroup Aggregation::group(const Totals& totals) const {
  AggregateGroup out;
  out.count = totals.rows;
  for (std::size_t i = 0; i < numbers_.size(); ++i) {
    NumberSummary& summary = out.fields[options_.fields[i]];
    const fields::NumberTotals& n = totals.numbers[i];
    if (n.count == 0) continue;
    summary = {n.count, n.sum(), n.sum() / static_cast<double>(n.count), value_of(n.least), value_of(n.most)};
  }
  return out;
}

Aggregates Aggregation::take() {
  Aggregates out;
  out.all = group(groups_.all);
  out.missing = groups_.missing;
  out.total_groups = groups_.by_value.size();
  ctx_.check();
  std::vector<const std::pair<const GroupKey, Totals>*> order;
  for (const auto& entry : groups_.by_value) order.push_back(&entry);
  const auto larger = [](const auto* a, const auto* b) {
    return a->second.rows != b->second.rows ? a->second.rows > b->second.rows : a->first < b->first;
  };
  const std::size_t wanted = std::min(order.size(), options_.limit);
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(wanted), order.end(), larger);
  for (std::size_t i = 0; i < wanted; ++i) {
    out.groups.push_back(group(order[i]->second));
    out.groups.back().value = value_of(order[i]->first);
  }
  out.sequence = view_.state().sequence;
  return out;
}

RowBits live_rows(const shard::ReadView& view) {
  RowBits out(view.state().next_row, true);
  view.retired().clear_in(out.words());
  return out;
}

RowBits rows_of(const MatchingRows& matching, const shard::ReadView& view) {
  RowBits out(view.state().next_row);
  if (matching.count()) {
    const auto bits = matching.bits();
    std::copy(bits.begin(),
              bits.begin() + static_cast<std::ptrdiff_t>(std::min(bits.size(), out.words().size())),
              out.words().begin());
    return out;
  }
  for (std::uint64_t row = matching.next(0); row != kNoRow; row = matching.next(row + 1)) out.set(row);
  matching.require_complete();
  return out;
}

}  // namespace

Aggregates aggregate(const AggregateOptions& options, shard::ReadView& view, Context& ctx) {
  for (;;) {
    const auto read = view.shard().fields().read(view, ctx);
    std::unique_ptr<MatchingRows> matching;
    if (!options.where.empty()) matching = find_matching_rows(view, options.where, ctx);
    if (read->sequence != view.state().sequence) continue;  // the view has moved on
    Aggregation aggregation(options, view, ctx);
    aggregation.run(matching ? rows_of(*matching, view) : live_rows(view), *read);
    Aggregates out = aggregation.take();
    if (matching) out.warnings = matching->warnings();
    return out;
  }
}

}  // namespace vecstore::query
