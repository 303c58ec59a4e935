// What searches ask a TermPart for: lists, positions, terms.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.hpp"
#include "index/inverted/fuzzy.hpp"
#include "index/inverted/term_part.hpp"

namespace vecstore::inverted {

namespace {

class PartPositions final : public PositionList {
 public:
  PartPositions(const TermPart& part, std::span<const std::byte> bytes, std::uint32_t count)
      : part_(part), reader_(bytes, count) {
    if (!reader_.good()) part_.damaged("positions are damaged");
  }
  void read(const DecodedList& list, std::uint32_t posting, PositionCursor& cursor,
            std::vector<std::uint32_t>& out) const override {
    const auto class_of = [&](std::uint32_t i) { return list.class_of(i); };
    if (!reader_.read(part_.classes(), class_of, posting, cursor, out))
      part_.damaged("positions are damaged");
  }

 private:
  const TermPart& part_;
  PositionReader reader_;
};

constexpr std::uint32_t kStep = 1024;  // terms between two looks at the context

/// No term has the form of another field's key.
std::string key_of(std::string_view term, std::uint32_t field) {
  std::string key(reinterpret_cast<const char*>(&field), sizeof field);
  key += term;
  return key;
}

}  // namespace

std::shared_ptr<DecodedList> TermPart::decode_list(const TermEntry& entry, std::uint32_t field) const {
  thread_local std::vector<std::uint32_t> docs, classes;
  decode(entry, docs, classes);
  if (field != kAnyField) keep_field(field, docs, classes);
  return std::make_shared<DecodedList>(
      DecodedList::of_classes(docs, classes, class_values(field), header_.documents));
}

std::shared_ptr<DecodedList> TermPart::decode_vector_list(const TermEntry& entry) const {
  thread_local std::vector<std::uint32_t> docs, classes;
  thread_local std::vector<std::uint8_t> codes;
  decode(entry, docs, classes);
  if (header_.flags & kCodedWeights) {
    const auto bytes =
        file_->read(first_ + kListsSection, entry.list_offset + entry.posting_bytes, entry.position_bytes);
    float largest = 0;
    if (bytes.size() != sizeof largest) damaged("weights are damaged");
    std::memcpy(&largest, bytes.data(), sizeof largest);
    if (!(largest > 0) || !std::isfinite(largest)) damaged("weights are damaged");
    const auto stored = file_->read(first_ + kWeightsSection, entry.first_posting, entry.doc_freq);
    const auto* first = reinterpret_cast<const std::uint8_t*>(stored.data());
    if (std::find(first, first + stored.size(), 0) != first + stored.size()) damaged("weights are damaged");
    return std::make_shared<DecodedList>(
        DecodedList::of_codes(docs, {first, stored.size()}, largest, header_.documents));
  }
  const auto stored = file_->read(first_ + kWeightsSection, entry.first_posting * sizeof(float),
                                  entry.doc_freq * sizeof(float));
  const auto* values = reinterpret_cast<const float*>(stored.data());
  float largest = 0;
  for (std::size_t i = 0; i < docs.size(); ++i) {
    if (!(values[i] > 0) || !std::isfinite(values[i])) damaged("weights are damaged");
    largest = std::max(largest, values[i]);
  }
  codes.resize(docs.size());
  for (std::size_t i = 0; i < docs.size(); ++i)
    codes[i] = static_cast<std::uint8_t>(std::min(255.0f * (values[i] / largest) + 1.001f, 255.0f));
  auto list = std::make_shared<DecodedList>(DecodedList::of_stored(docs, values, header_.documents));
  list->set_codes(codes, largest);
  return list;
}

void TermPart::keep_field(std::uint32_t field, std::vector<std::uint32_t>& docs,
                          std::vector<std::uint32_t>& classes) const {
  const float* values = class_values(field);
  std::size_t kept = 0;
  for (std::size_t i = 0; i < docs.size(); ++i) {
    if (values[classes[i]] == 0) continue;
    docs[kept] = docs[i];
    classes[kept++] = classes[i];
  }
  docs.resize(kept);
  classes.resize(kept);
}

std::uint64_t TermPart::doc_freq(std::string_view term) const {
  if (const auto known = cache_.find(term)) return known->size();
  const auto entry = dictionary().find(term);
  return entry ? entry->doc_freq : 0;
}

std::shared_ptr<const DecodedList> TermPart::list(std::string_view term, std::uint32_t field,
                                                  const Norm& norm) const {
  if (field != kAnyField && field >= header_.fields) return nullptr;
  ListCache& cache = field == kAnyField ? cache_ : field_cache_;
  const std::string with_field = field == kAnyField ? std::string() : key_of(term, field);
  const std::string_view key = field == kAnyField ? term : std::string_view(with_field);
  if (auto known = cache.find(key);
      known && (fields_.empty() || (known->has_codes() && near(known->norm(), norm))))
    return known;
  const auto entry = dictionary().find(term);
  if (!entry) return nullptr;
  std::shared_ptr<DecodedList> list;
  if (fields_.empty()) {
    list = decode_vector_list(*entry);
  } else {
    list = decode_list(*entry, field);
    if (list->size() == 0) return nullptr;
    list->encode(norm, lengths());
  }
  cache.put(key, list);
  return list;
}

std::shared_ptr<const DecodedList> TermPart::bare_list(std::string_view term, std::uint32_t field) const {
  if (fields_.empty() || (field != kAnyField && field >= header_.fields)) return nullptr;
  // Of a single field both lists are the same, which ranked searches use, too.
  const bool any = field == kAnyField || header_.fields == 1;
  const ListCache& cache = any ? cache_ : field_cache_;
  const std::string with_field = any ? std::string() : key_of(term, field);
  const std::string_view key = any ? term : std::string_view(with_field);
  if (auto known = cache.find(key)) return known;
  const auto entry = dictionary().find(term);
  if (!entry) return nullptr;
  const auto list = decode_list(*entry, any ? kAnyField : field);
  if (list->size() == 0) return nullptr;
  (any ? cache_ : field_cache_).put(key, list);
  return list;
}

std::shared_ptr<const DecodedList> TermPart::known_list(std::string_view term) const {
  auto known = cache_.find(term);
  return known && known->has_codes() ? known : nullptr;
}

void TermPart::postings(std::string_view term, std::uint32_t field, std::vector<std::uint32_t>& docs,
                        std::vector<float>& values) const {
  docs.clear();
  values.clear();
  const auto entry = fields_.empty() || (field != kAnyField && field >= header_.fields)
                         ? std::nullopt
                         : dictionary().find(term);
  if (!entry) return;
  thread_local std::vector<std::uint32_t> classes;
  decode(*entry, docs, classes);
  if (field != kAnyField) keep_field(field, docs, classes);
  const float* of = class_values(field);
  for (const std::uint32_t c : classes) values.push_back(of[c]);
}

std::shared_ptr<const PositionList> TermPart::positions(std::string_view term) const {
  if (!(header_.flags & kHasPositions)) invalid("phrases need positions, which this index does not keep");
  const auto entry = dictionary().find(term);
  if (!entry) return nullptr;
  const auto bytes =
      file_->read(first_ + kListsSection, entry->list_offset + entry->posting_bytes, entry->position_bytes);
  return std::make_shared<PartPositions>(*this, bytes, entry->doc_freq);
}

void TermPart::expand_prefix(std::string_view prefix, std::size_t limit, const Context& context,
                             std::vector<Expansion>& out) const {
  auto cursor = dictionary().seek(prefix);
  for (std::size_t n = 0; n < limit && cursor.next() && cursor.term().starts_with(prefix); ++n) {
    if (n % kStep == 0) context.check();
    out.push_back({std::string(cursor.term()), 0});
  }
}

void TermPart::expand_fuzzy(std::string_view word, std::uint32_t distance, std::uint32_t exact,
                            std::size_t limit, const Context& context, std::vector<Expansion>& out) const {
  FuzzyMatcher matcher(word, distance);
  const std::string_view prefix = matcher.leading(exact);
  auto cursor = dictionary().seek(prefix);
  const std::size_t enough = out.size() + std::min(limit, ~std::size_t{0} - out.size());
  for (std::size_t n = 0; out.size() < enough && cursor.next() && cursor.term().starts_with(prefix); ++n) {
    if (n % kStep == 0) context.check();
    const FuzzyMatcher::Result r = matcher.match(cursor.term());
    if (r.distance <= distance)
      out.push_back({std::string(cursor.term()), r.distance});
    else if (r.dead_bytes != 0)
      cursor.skip(r.dead_bytes);
  }
}

void TermPart::verify(const Context& context) const {
  std::vector<std::uint32_t> docs, classes, all;
  lengths();
  for (std::uint32_t d = 0; d < header_.documents && header_.row_bytes != 0; ++d) {
    if (d % kStep == 0) context.check();
    if (row(d) < (d == 0 ? 0 : row(d - 1) + 1)) damaged("the row numbers of the terms are damaged");
  }
  std::uint64_t postings = 0, list_offset = 0;
  auto cursor = dictionary().begin();
  for (std::uint32_t n = 0; cursor.next(); ++n) {
    if (n % kStep == 0) context.check();
    const TermEntry& entry = cursor.entry();
    // Blocks of the dictionary name both anew, for searches that begin there.
    if (entry.first_posting != postings || entry.list_offset != list_offset)
      damaged("the dictionary of terms is damaged");
    postings += entry.doc_freq;
    list_offset += std::uint64_t{entry.posting_bytes} + entry.position_bytes;
    if (fields_.empty()) {
      decode_vector_list(cursor.entry());
      continue;
    }
    decode(cursor.entry(), docs, classes);
    all.clear();
    if (header_.flags & kHasPositions) decode_positions(cursor.entry(), classes, all);
  }
  if (postings != header_.postings) damaged("the number of postings is damaged");
}

std::size_t TermPart::memory_bytes() const {
  const bool lengths = lengths_.load(std::memory_order_acquire) != nullptr;
  return sizeof *this + cache_.memory_bytes() + field_cache_.memory_bytes() +
         (lengths ? std::size_t{header_.documents} * sizeof(float) : 0);
}

std::uint64_t TermPart::bytes() const {
  std::uint64_t sum = 0;
  for (const std::uint32_t id : file_->section_ids()) {
    if (id >= first_ && id < first_ + kPartSections) sum += file_->section_size(id);
  }
  return sum;
}

}  // namespace vecstore::inverted
