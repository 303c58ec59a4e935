#include "index/inverted/term_part.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace vecstore::inverted {

void TermPart::damaged(const char* what) const { fail(ErrorCode::kCorruption, file_->path(), ": ", what); }

std::shared_ptr<const TermPart> TermPart::open(std::shared_ptr<const io::IndexFile> file,
                                               std::uint32_t first_section, const TermPartOptions& options) {
  std::shared_ptr<TermPart> part(new TermPart(std::move(file), first_section, options));
  part->read_header();
  if (part->header_.fields != 0) part->read_classes();
  return part;
}

void TermPart::read_header() {
  const auto bytes = section(kHeaderSection);
  if (bytes.size() != sizeof header_) damaged("the header of the terms is damaged");
  std::memcpy(&header_, bytes.data(), sizeof header_);
  if (header_.version != kPartVersion)
    fail(ErrorCode::kUnsupportedFormat, file_->path(), ": the terms have version ", header_.version);
  const std::uint32_t kind = header_.flags & (kExactWeights | kCodedWeights);
  const bool vectors = kind != 0;
  if (header_.flags >= 8 || kind == (kExactWeights | kCodedWeights) ||
      (vectors && header_.flags & kHasPositions) || header_.documents > kMostDocuments ||
      header_.fields > kMostFields || (header_.fields == 0) != vectors || (vectors && header_.classes != 0) ||
      (header_.row_bytes != 0 && header_.row_bytes != 4 && header_.row_bytes != 8))
    damaged("the header of the terms is damaged");
  if (header_.row_bytes != 0 &&
      file_->section_size(first_ + kRowsSection) != std::uint64_t{header_.documents} * header_.row_bytes)
    damaged("the row numbers of the terms have the wrong size");
  const auto fields = file_->array<FieldHeader>(first_ + kFieldsSection);
  if (fields.size() != header_.fields) damaged("the fields of the terms are damaged");
  fields_.assign(fields.begin(), fields.end());
  std::uint64_t lengths = 0;
  for (const FieldHeader& f : fields_) {
    if (!(f.weight > 0) || !std::isfinite(f.weight) ||
        (f.length_bytes != 1 && f.length_bytes != 2 && f.length_bytes != 4))
      damaged("the fields of the terms are damaged");
    length_offsets_.push_back(lengths);
    lengths += std::uint64_t{header_.documents} * f.length_bytes;
    total_length_ += static_cast<double>(f.weight) * static_cast<double>(f.tokens);
  }
  if (!vectors && file_->section_size(first_ + kLengthsSection) != lengths)
    damaged("the lengths of the documents have the wrong size");
  const std::uint64_t item = header_.flags & kExactWeights ? 4 : 1;
  if (vectors && (header_.postings > ~std::uint64_t{0} / 4 ||
                  file_->section_size(first_ + kWeightsSection) != header_.postings * item))
    damaged("the weights have the wrong size");
}

void TermPart::read_classes() {
  const auto bytes = section(kClassesSection);
  const std::uint64_t item = 8 + 4 * std::uint64_t{header_.fields};
  if (bytes.size() != header_.classes * item) damaged("the frequencies of the terms are damaged");
  std::vector<std::uint32_t> counts;
  class_values_.resize(header_.fields + 1);
  for (auto& values : class_values_) values.resize(header_.classes);
  const char* p = reinterpret_cast<const char*>(bytes.data());
  for (std::uint32_t c = 0; c < header_.classes; ++c) {
    class_uses_.push_back(load<std::uint64_t>(p));
    p += 8;
    std::uint64_t total = 0;
    float sum = 0;
    for (std::uint32_t f = 0; f < header_.fields; ++f, p += 4) {
      counts.push_back(load<std::uint32_t>(p));
      total += counts.back();
      class_values_[f + 1][c] = fields_[f].weight * static_cast<float>(counts.back());
      sum += class_values_[f + 1][c];
    }
    if (total == 0 || total > 0x7fffffff) damaged("the frequencies of the terms are damaged");
    class_values_[0][c] = sum;
  }
  classes_ = ClassTable(header_.fields, std::move(counts));
}

const Dictionary& TermPart::dictionary() const {
  if (const Dictionary* d = dictionary_.load(std::memory_order_acquire)) return *d;
  const std::lock_guard lock(once_);
  if (!own_dictionary_) {
    own_dictionary_ = std::make_unique<const Dictionary>(section(kDictionarySection),
                                                         file_->array<std::uint64_t>(first_ + kBlocksSection),
                                                         header_.terms, file_->path());
    dictionary_.store(own_dictionary_.get(), std::memory_order_release);
  }
  return *own_dictionary_;
}

std::uint32_t TermPart::tokens(std::uint32_t field, std::uint32_t doc) const {
  const std::uint32_t width = fields_[field].length_bytes;
  const auto bytes = file_->unchecked(first_ + kLengthsSection)
                         .subspan(length_offsets_[field] + std::uint64_t{doc} * width, width);
  file_->admit(bytes);
  std::uint32_t n = 0;
  std::memcpy(&n, bytes.data(), width);
  return n;
}

// One float per document, made at the first use: 0.1 ms per 300,000.
const float* TermPart::lengths() const {
  if (fields_.empty()) return nullptr;
  if (const float* l = lengths_.load(std::memory_order_acquire)) return l;
  const std::lock_guard lock(once_);
  if (own_lengths_.empty()) {
    const std::byte* all = section(kLengthsSection).data();
    std::vector<float> sums(std::size_t{header_.documents} + 1);
    for (std::size_t f = 0; f < fields_.size(); ++f) {
      const float weight = fields_[f].weight;
      const auto add = [&](auto item) {
        const std::byte* p = all + length_offsets_[f];
        for (std::uint32_t d = 0; d < header_.documents; ++d) {
          std::memcpy(&item, p + d * sizeof item, sizeof item);
          sums[d] += weight * static_cast<float>(item);
        }
      };
      switch (fields_[f].length_bytes) {
        case 1:
          add(std::uint8_t{});
          break;
        case 2:
          add(std::uint16_t{});
          break;
        default:
          add(std::uint32_t{});
      }
    }
    own_lengths_ = std::move(sums);
    lengths_.store(own_lengths_.data(), std::memory_order_release);
  }
  return own_lengths_.data();
}

std::uint64_t TermPart::row(std::uint32_t doc) const {
  if (header_.row_bytes == 0) return header_.first_row + doc;
  const auto bytes = file_->unchecked(first_ + kRowsSection)
                         .subspan(std::uint64_t{doc} * header_.row_bytes, header_.row_bytes);
  file_->admit(bytes);
  std::uint64_t offset = 0;
  std::memcpy(&offset, bytes.data(), header_.row_bytes);
  return header_.first_row + offset;
}

// Made at the first use, where rows are missing: 0.5 ms per 300,000.
const PresentRows* TermPart::present_rows() const {
  constexpr std::uint64_t kMostRowsPerDocument = 16;  // else one by one is as good
  if (const PresentRows* p = present_.load(std::memory_order_acquire)) return p;
  if (header_.row_bytes == 0 || header_.documents == 0) return nullptr;
  const std::uint64_t first = row(0), last = row(header_.documents - 1);
  if (last < first) damaged("the row numbers of the terms are damaged");
  if (last - first >= kMostRowsPerDocument * header_.documents) return nullptr;
  const std::lock_guard lock(once_);
  if (!own_present_) {
    auto present = std::make_unique<PresentRows>();
    present->first_word = first / 64;
    present->words.resize(static_cast<std::size_t>(last / 64 - first / 64 + 1));
    std::uint64_t least = first;
    for (std::uint32_t d = 0; d < header_.documents; ++d) {
      const std::uint64_t r = row(d);
      if (r < least || r > last) damaged("the row numbers of the terms are damaged");
      least = r + 1;
      present->words[static_cast<std::size_t>(r / 64 - present->first_word)] |= std::uint64_t{1} << (r % 64);
    }
    own_present_ = std::move(present);
    present_.store(own_present_.get(), std::memory_order_release);
  }
  return own_present_.get();
}

void TermPart::decode(const TermEntry& entry, std::vector<std::uint32_t>& docs,
                      std::vector<std::uint32_t>& classes) const {
  const auto bytes = file_->read(first_ + kListsSection, entry.list_offset, entry.posting_bytes);
  if (!decode_postings(bytes, entry.doc_freq, header_.documents, header_.classes, docs, classes))
    damaged("postings are damaged");
}

void TermPart::decode_positions(const TermEntry& entry, std::span<const std::uint32_t> classes,
                                std::vector<std::uint32_t>& out) const {
  const PositionReader reader(
      file_->read(first_ + kListsSection, entry.list_offset + entry.posting_bytes, entry.position_bytes),
      entry.doc_freq);
  if (!reader.read_all(classes_, classes, out)) damaged("positions are damaged");
}

}  // namespace vecstore::inverted
