#include "index/field/part_merge.hpp"

#include <algorithm>
#include <set>

namespace vecstore::fields {
namespace {

/// One part's values of the path that is being merged.
struct Cursor {
  const Field* field;
  const MergeInput* input;
  std::uint32_t ordinal = 0;
};

/// The order of values of all parts. Strings follow numbers, and so on: kinds are in order.
std::strong_ordering compare_values(const Cursor& a, const Cursor& b) {
  const Kind kind = a.field->kind_of(a.ordinal), other = b.field->kind_of(b.ordinal);
  if (kind != other) return kind <=> other;
  if (kind == Kind::kString) return a.field->string(a.ordinal) <=> b.field->string(b.ordinal);
  if (kind != Kind::kNumber) return std::strong_ordering::equal;
  const Number x = a.field->number(a.ordinal), y = b.field->number(b.ordinal);
  return before(x, y)   ? std::strong_ordering::less
         : before(y, x) ? std::strong_ordering::greater
                        : std::strong_ordering::equal;
}

/// All parts' values, joined.
FieldValues join(std::vector<Cursor>& cursors, const Context& context) {
  FieldValues out;
  out.starts.push_back(0);
  const auto later = [](const Cursor* a, const Cursor* b) { return compare_values(*a, *b) > 0; };
  std::vector<Cursor*> heap;
  for (Cursor& c : cursors) {
    if (c.field->ordinals() > 0) heap.push_back(&c);
  }
  std::make_heap(heap.begin(), heap.end(), later);
  for (std::uint64_t step = 0; !heap.empty(); ++step) {
    if (step % 1024 == 0) context.check();
    const Cursor first = *heap.front();
    const std::size_t begin = out.rows.size();
    bool sorted = true;
    while (!heap.empty() && compare_values(*heap.front(), first) == 0) {
      std::pop_heap(heap.begin(), heap.end(), later);
      Cursor& c = *heap.back();
      for (const std::uint32_t row : c.field->rows_of(c.ordinal)) {
        if (c.input->keep && !c.input->keep->test(row)) continue;
        const std::uint32_t merged = c.input->number(row);
        sorted &= out.rows.size() == begin || out.rows.back() < merged;
        out.rows.push_back(merged);
      }
      if (++c.ordinal < c.field->ordinals())
        std::push_heap(heap.begin(), heap.end(), later);
      else
        heap.pop_back();
    }
    if (out.rows.size() == begin) continue;
    if (!sorted) std::sort(out.rows.begin() + static_cast<std::ptrdiff_t>(begin), out.rows.end());
    const Kind kind = first.field->kind_of(first.ordinal);
    if (kind == Kind::kNumber) out.numbers.push_back(first.field->number(first.ordinal));
    if (kind == Kind::kString) out.strings.push_back(first.field->string(first.ordinal));
    out.end_ordinal(kind);
  }
  return out;
}

}  // namespace

void merge_parts(std::span<const MergeInput> inputs, FieldPartWriter& out, const Context& context) {
  std::set<std::string_view> paths;
  std::vector<std::uint32_t> irregular;
  bool overflow = false;
  for (const MergeInput& in : inputs) {
    overflow |= !in.part->complete();
    for (const FieldEntry& e : in.part->entries()) paths.insert(e.path);
    for (const std::uint32_t row : in.part->irregular()) {
      if (!in.keep || in.keep->test(row)) irregular.push_back(in.number(row));
    }
  }
  std::sort(irregular.begin(), irregular.end());
  std::size_t written = 0;
  for (const std::string_view path : paths) {
    context.check();
    std::vector<Cursor> cursors;
    bool known = true;
    for (const MergeInput& in : inputs) {
      const FieldEntry* const e = in.part->find(path);
      known &= e || in.part->complete();
      if (e) cursors.push_back({&in.part->field(*e), &in});
    }
    // What one part does not know is not known of all.
    overflow |= !known || written == kMostFields;
    if (!known || written == kMostFields) continue;
    const FieldValues values = join(cursors, context);
    if (values.rows.empty()) continue;
    out.add(FieldPathKey(path), values);
    ++written;
  }
  out.finish(irregular, overflow);
}

}  // namespace vecstore::fields
