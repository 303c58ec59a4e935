#include "index/inverted/postings.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.hpp"

namespace vecstore::inverted {
namespace {

std::uint64_t hash_of(std::uint64_t row) {
  row = (row ^ (row >> 32)) * 0x9E3779B97F4A7C15ULL;
  return row ^ (row >> 29);
}

void put_varint(std::deque<std::uint8_t>& out, std::uint32_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<std::uint8_t>(value | 0x80));
  out.push_back(static_cast<std::uint8_t>(value));
}

template <class Iterator>
std::uint32_t get_varint(Iterator& in) {
  std::uint32_t value = 0;
  for (unsigned shift = 0;; shift += 7, ++in) {
    value |= static_cast<std::uint32_t>(*in & 0x7F) << shift;
    if (*in < 0x80) break;
  }
  ++in;
  return value;
}

}  // namespace

std::uint32_t Postings::find_slot(std::uint64_t row) const {
  return row_table_.find(hash_of(row), [&](std::uint32_t slot) { return rows_[slot] == row; });
}

std::uint32_t Postings::new_slot(std::uint64_t row, float length) {
  constexpr std::size_t kLimit = std::numeric_limits<std::uint32_t>::max() - 1;
  if (rows_.size() >= kLimit) fail(ErrorCode::kTooLarge, "a term index holds at most ", kLimit, " documents");
  forward_start_.push_back(forward_.size());
  lengths_.push_back(length);
  live_.push_back(false);
  rows_.push_back(row);
  return static_cast<std::uint32_t>(rows_.size() - 1);
}

/// From here on the document counts. Everything that may throw comes first.
void Postings::publish(std::uint32_t slot) {
  row_table_.insert(hash_of(rows_[slot]), slot, [&](std::uint32_t s) { return hash_of(rows_[s]); });
  for_each_term(slot, [&](std::uint32_t term) { ++lists_[term].live; });
  live_[slot] = true;
  ++live_documents_;
  total_length_ += lengths_[slot];
}

void Postings::add(std::uint64_t row, std::span<const TermOccurrence> terms) {
  if (find_slot(row) != IdTable::kNone)
    fail(ErrorCode::kAlreadyExists, "row ", row, " is in the term index already");
  double length = 0;
  for (const TermOccurrence& t : terms) {
    if (!(t.weight > 0) || !std::isfinite(t.weight))
      invalid("weight of a text field is ", t.weight, "; it must be > 0");
    length += t.weight;
  }
  scratch_.clear();
  for (const TermOccurrence& t : terms) scratch_.push_back({vocabulary_.find_or_add(t.term), t.weight});
  if (lists_.size() < vocabulary_.size()) lists_.resize(vocabulary_.size());
  std::sort(scratch_.begin(), scratch_.end(), [](const auto& a, const auto& b) { return a.term < b.term; });
  std::size_t distinct = 0;
  for (std::size_t i = 0; i < scratch_.size(); ++i) {
    if (distinct > 0 && scratch_[distinct - 1].term == scratch_[i].term)
      scratch_[distinct - 1].frequency += scratch_[i].frequency;
    else
      scratch_[distinct++] = scratch_[i];
  }
  scratch_.resize(distinct);

  const std::uint32_t slot = new_slot(row, static_cast<float>(length));
  write_forward(scratch_);
  for (const TermCount& t : scratch_) {
    PostingList& list = lists_[t.term];
    const std::size_t before = list.memory_bytes();
    list.append(slot, frequencies_.encode(t.frequency, t.term, slot));
    list_bytes_ += list.memory_bytes() - before;
  }
  publish(slot);
}

bool Postings::retire(std::uint64_t row) {
  const std::uint32_t slot = find_slot(row);
  if (slot == IdTable::kNone) return false;
  row_table_.erase(hash_of(row), slot, [&](std::uint32_t s) { return hash_of(rows_[s]); });
  for_each_term(slot, [&](std::uint32_t term) { --lists_[term].live; });
  live_[slot] = false;
  --live_documents_;
  total_length_ -= lengths_[slot];
  return true;
}

void Postings::write_forward(std::span<const TermCount> terms) {
  put_varint(forward_, static_cast<std::uint32_t>(terms.size()));
  std::uint32_t last = 0;
  for (const TermCount& t : terms) {
    put_varint(forward_, t.term - last);
    last = t.term;
  }
}

template <class F>
void Postings::for_each_term(std::uint32_t slot, F&& f) const {
  auto in = forward_.begin() + static_cast<std::ptrdiff_t>(forward_start_[slot]);
  std::uint32_t term = 0;
  for (std::uint32_t left = get_varint(in); left > 0; --left) f(term += get_varint(in));
}

Postings Postings::compacted() const {
  Postings out;
  std::vector<std::uint32_t> term_map(lists_.size(), Vocabulary::kNone),
      slot_map(rows_.size(), IdTable::kNone);
  for (std::uint32_t t = 0; t < lists_.size(); ++t) {
    if (lists_[t].live != 0) term_map[t] = out.vocabulary_.find_or_add(vocabulary_.term(t));
  }
  out.lists_.resize(out.vocabulary_.size());
  for (std::uint32_t s = 0; s < rows_.size(); ++s) {
    if (!live_[s]) continue;
    slot_map[s] = out.new_slot(rows_[s], lengths_[s]);
    out.scratch_.clear();
    for_each_term(s, [&](std::uint32_t term) { out.scratch_.push_back({term_map[term], 0}); });
    out.write_forward(out.scratch_);
    out.publish(slot_map[s]);
  }
  for (std::uint32_t t = 0; t < lists_.size(); ++t) {
    if (term_map[t] == Vocabulary::kNone) continue;
    const PostingList& from = lists_[t];
    PostingList& to = out.lists_[term_map[t]];
    to.reserve(from.live);
    for (std::uint32_t i = 0; i < from.size(); ++i) {
      const std::uint32_t slot = from.slots()[i];
      if (!live_[slot]) continue;
      const float frequency = frequencies_.decode(from.codes()[i], t, slot);
      to.append(slot_map[slot], out.frequencies_.encode(frequency, term_map[t], slot_map[slot]));
    }
    out.list_bytes_ += to.memory_bytes();
  }
  return out;
}

CorpusStats Postings::stats(std::span<const QueryTerm> terms) const {
  CorpusStats out{live_documents_, total_length_, {}};
  for (const QueryTerm& t : terms) {
    const PostingList* list = find(t.term);
    out.doc_freq.push_back(list == nullptr ? 0 : list->live);
  }
  return out;
}

std::size_t Postings::memory_bytes() const {
  return vocabulary_.memory_bytes() + lists_.capacity() * sizeof(PostingList) + list_bytes_ +
         frequencies_.memory_bytes() +
         rows_.capacity() * (sizeof(rows_[0]) + sizeof(lengths_[0]) + sizeof(forward_start_[0])) +
         live_.capacity() / 8 + forward_.size() + row_table_.memory_bytes();
}

}  // namespace vecstore::inverted
