#include "index/inverted/part_writer.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/hash.hpp"

namespace vecstore::inverted {

namespace {

std::uint32_t bytes_for(std::uint32_t largest) { return largest < 256 ? 1 : largest < 65536 ? 2 : 4; }

/// Appends numbers in `width` bytes each, in pieces.
template <class Get>
void append_numbers(io::IndexFileWriter& file, std::size_t count, std::uint32_t width, Get&& get) {
  constexpr std::size_t kPiece = 1 << 16;
  std::string piece;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t v = get(i);
    piece.append(reinterpret_cast<const char*>(&v), width);
    if (piece.size() >= kPiece || i + 1 == count) {
      file.append(as_byte_span(piece));
      piece.clear();
    }
  }
}

}  // namespace

PartWriter::PartWriter(io::IndexFileWriter& file, std::uint32_t first_section, const PartDocuments& documents,
                       const PartClasses& classes, std::uint32_t flags)
    : file_(file), first_(first_section), documents_(documents), classes_(classes) {
  if (documents.rows.size() > kMostDocuments)
    fail(ErrorCode::kTooLarge, "a part of the term index holds at most ", kMostDocuments, " documents");
  header_.version = kPartVersion;
  header_.flags = flags;
  header_.documents = static_cast<std::uint32_t>(documents.rows.size());
  header_.fields = static_cast<std::uint32_t>(documents.field_weights.size());
  header_.classes = classes.table.size();
  write_documents();
  write_classes();
  file_.begin(first_ + kListsSection);
}

void PartWriter::write_documents() {
  const auto& rows = documents_.rows;
  header_.first_row = rows.empty() ? 0 : rows.front();
  const std::uint64_t span = rows.empty() ? 0 : rows.back() - rows.front() + 1;
  header_.row_bytes = span == rows.size() ? 0 : span <= 0xffffffffu ? 4 : 8;
  if (header_.row_bytes != 0) {
    file_.begin(first_ + kRowsSection);
    append_numbers(file_, rows.size(), header_.row_bytes, [&](std::size_t i) { return rows[i] - rows[0]; });
  }
  std::vector<FieldHeader> fields;
  for (std::size_t f = 0; f < header_.fields; ++f) {
    const auto& lengths = documents_.lengths[f];
    const std::uint32_t largest = lengths.empty() ? 0 : *std::max_element(lengths.begin(), lengths.end());
    fields.push_back({documents_.field_weights[f], bytes_for(largest),
                      std::accumulate(lengths.begin(), lengths.end(), std::uint64_t{0})});
  }
  file_.begin(first_ + kFieldsSection);
  file_.append_array(std::span<const FieldHeader>(fields));
  if (fields.empty()) return;
  file_.begin(first_ + kLengthsSection);
  for (std::size_t f = 0; f < fields.size(); ++f)
    append_numbers(file_, rows.size(), fields[f].length_bytes,
                   [&](std::size_t i) { return documents_.lengths[f][i]; });
}

void PartWriter::write_classes() {
  if (header_.fields == 0) return;
  std::string bytes;
  for (std::uint32_t c = 0; c < classes_.table.size(); ++c) {
    put<std::uint64_t>(bytes, classes_.uses[c]);
    for (const std::uint32_t n : classes_.table.counts(c)) put<std::uint32_t>(bytes, n);
  }
  file_.add(first_ + kClassesSection, as_byte_span(bytes));
}

void PartWriter::add(std::string_view term, std::span<const std::uint32_t> docs,
                     std::span<const std::uint32_t> classes, std::span<const std::uint32_t> positions) {
  bytes_.clear();
  encode_postings(docs, classes, bytes_);
  TermEntry entry{static_cast<std::uint32_t>(docs.size()), header_.postings, list_offset_, 0, 0};
  if (bytes_.size() > 0xffffffffu)
    fail(ErrorCode::kTooLarge, "the postings of a term exceed ", 0xffffffffu, " bytes");
  entry.posting_bytes = static_cast<std::uint32_t>(bytes_.size());
  if (header_.flags & kHasPositions) encode_positions(classes_.table, classes, positions, bytes_);
  entry.position_bytes = bytes_.size() - entry.posting_bytes;
  dictionary_.add(term, entry);
  file_.append(as_byte_span(bytes_));
  list_offset_ += bytes_.size();
  header_.postings += docs.size();
}

void PartWriter::add_weights(std::string_view term, std::span<const std::uint32_t> docs,
                             std::span<const float> weights) {
  bytes_.clear();
  encode_postings(docs, {}, bytes_);
  TermEntry entry{static_cast<std::uint32_t>(docs.size()), header_.postings, list_offset_,
                  static_cast<std::uint32_t>(bytes_.size()), 0};
  if (header_.flags & kExactWeights) {
    weights_.append(reinterpret_cast<const char*>(weights.data()), weights.size_bytes());
  } else {
    const float largest = *std::max_element(weights.begin(), weights.end());
    put<float>(bytes_, largest);
    for (const float w : weights)
      weights_ += static_cast<char>(std::clamp(std::lround(255.0f * (w / largest)), 1l, 255l));
  }
  entry.position_bytes = bytes_.size() - entry.posting_bytes;
  dictionary_.add(term, entry);
  file_.append(as_byte_span(bytes_));
  list_offset_ += bytes_.size();
  header_.postings += docs.size();
}

void PartWriter::finish() {
  if (header_.fields == 0) file_.add(first_ + kWeightsSection, as_byte_span(weights_));
  file_.add(first_ + kDictionarySection, as_byte_span(dictionary_.bytes()));
  file_.begin(first_ + kBlocksSection);
  file_.append_array(dictionary_.blocks());
  header_.terms = dictionary_.terms();
  file_.add(first_ + kHeaderSection, std::as_bytes(std::span(&header_, 1)));
}

std::uint32_t ClassCounter::number(std::span<const std::uint32_t> counts, std::uint64_t uses) {
  constexpr std::uint32_t kSimple = 1024;
  const bool simple = fields_ == 1 && counts[0] < kSimple;
  const auto add = [&] {
    counts_.insert(counts_.end(), counts.begin(), counts.end());
    uses_.push_back(0);
    return static_cast<std::uint32_t>(uses_.size() - 1);
  };
  std::uint32_t found;
  if (simple) {
    if (simple_.empty()) simple_.resize(kSimple);
    std::uint32_t& slot = simple_[counts[0]];
    if (slot == 0) slot = add() + 1;
    found = slot - 1;
  } else {
    if ((uses_.size() + 1) * 2 > table_.size()) grow();
    const std::uint64_t hash = hash64({reinterpret_cast<const char*>(counts.data()), counts.size_bytes()});
    std::size_t at = hash & (table_.size() - 1);
    for (;; at = (at + 1) & (table_.size() - 1)) {
      if (table_[at].second == 0) {
        table_[at] = {hash, add() + 1};
        break;
      }
      const auto* known = counts_.data() + std::size_t{table_[at].second - 1} * fields_;
      if (table_[at].first == hash && std::equal(counts.begin(), counts.end(), known)) break;
    }
    found = table_[at].second - 1;
  }
  uses_[found] += uses;
  return found;
}

void ClassCounter::grow() {
  std::vector<std::pair<std::uint64_t, std::uint32_t>> old(std::max<std::size_t>(64, table_.size() * 2));
  old.swap(table_);
  for (const auto& e : old) {
    if (e.second == 0) continue;
    std::size_t at = e.first & (table_.size() - 1);
    while (table_[at].second != 0) at = (at + 1) & (table_.size() - 1);
    table_[at] = e;
  }
}

PartClasses ClassCounter::order(std::vector<std::uint32_t>& class_of) const {
  std::vector<std::uint32_t> by_use(uses_.size());
  std::iota(by_use.begin(), by_use.end(), 0u);
  const auto counts_at = [&](std::uint32_t n) {
    return std::span(counts_).subspan(std::size_t{n} * fields_, fields_);
  };
  std::sort(by_use.begin(), by_use.end(), [&](std::uint32_t a, std::uint32_t b) {
    if (uses_[a] != uses_[b]) return uses_[a] > uses_[b];
    const auto x = counts_at(a), y = counts_at(b);
    return std::lexicographical_compare(x.begin(), x.end(), y.begin(), y.end());
  });
  PartClasses out;
  std::vector<std::uint32_t> counts;
  class_of.resize(by_use.size());
  for (std::uint32_t c = 0; c < by_use.size(); ++c) {
    class_of[by_use[c]] = c;
    const auto from = counts_at(by_use[c]);
    counts.insert(counts.end(), from.begin(), from.end());
    out.uses.push_back(uses_[by_use[c]]);
  }
  out.table = ClassTable(fields_, std::move(counts));
  return out;
}

}  // namespace vecstore::inverted
