// TermPart: an immutable part of the inverted index, read in place from an index file.
#pragma once
#include <atomic>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "index/inverted/dictionary.hpp"
#include "index/inverted/list_cache.hpp"
#include "index/inverted/list_codec.hpp"
#include "index/inverted/part_format.hpp"
#include "index/inverted/term_source.hpp"
#include "io/index_file.hpp"

namespace vecstore::inverted {

struct TermPartOptions {
  /// Lists that were used stay decoded within so many bytes (about 4 per posting).
  std::size_t cache_bytes = std::size_t{256} << 20;
};

/// Opening reads the header, the fields and the classes: work that does not grow with the documents. Blocks
/// of the file are checked when their bytes are first used; whatever was read from them is checked before it
/// is used as a number of something. Damage is kCorruption; another version is kUnsupportedFormat.
class TermPart final : public TermSource {
 public:
  static std::shared_ptr<const TermPart> open(std::shared_ptr<const io::IndexFile> file,
                                              std::uint32_t first_section,
                                              const TermPartOptions& options = {});

  std::uint32_t documents() const override { return header_.documents; }
  std::uint32_t fields() const override { return header_.fields; }
  float field_weight(std::uint32_t field) const override { return fields_[field].weight; }
  double total_length() const override { return total_length_; }
  const float* lengths() const override;
  std::uint64_t row(std::uint32_t doc) const override;
  const PresentRows* present_rows() const override;

  std::uint64_t doc_freq(std::string_view term) const override;
  std::shared_ptr<const DecodedList> list(std::string_view term, std::uint32_t field,
                                          const Norm& norm) const override;
  std::shared_ptr<const DecodedList> bare_list(std::string_view term, std::uint32_t field) const override;
  std::shared_ptr<const DecodedList> known_list(std::string_view term) const override;
  void postings(std::string_view term, std::uint32_t field, std::vector<std::uint32_t>& docs,
                std::vector<float>& values) const override;
  std::shared_ptr<const PositionList> positions(std::string_view term) const override;
  void expand_prefix(std::string_view prefix, std::size_t limit, const Context& context,
                     std::vector<Expansion>& out) const override;
  void expand_fuzzy(std::string_view word, std::uint32_t distance, std::uint32_t exact, std::size_t limit,
                    const Context& context, std::vector<Expansion>& out) const override;

  /// Whether weights are codes: values are then rounded to multiples of DecodedList::max_value() / 255.
  bool has_codes() const { return (header_.flags & kCodedWeights) != 0; }

  // For merges and checks.
  const PartHeader& header() const { return header_; }
  const FieldHeader& field(std::uint32_t f) const { return fields_[f]; }
  const ClassTable& classes() const { return classes_; }
  /// Occurrences of each class.
  std::span<const std::uint64_t> class_uses() const { return class_uses_; }
  const Dictionary& dictionary() const;
  /// Tokens of a field in a document.
  std::uint32_t tokens(std::uint32_t field, std::uint32_t doc) const;
  void decode(const TermEntry& entry, std::vector<std::uint32_t>& docs,
              std::vector<std::uint32_t>& classes) const;
  void decode_positions(const TermEntry& entry, std::span<const std::uint32_t> classes,
                        std::vector<std::uint32_t>& out) const;
  const std::string& path() const { return file_->path(); }
  /// Reads everything there is and decodes it. Throws kCorruption, kCancelled.
  void verify(const Context& context) const;
  std::size_t memory_bytes() const;
  /// Bytes in the file.
  std::uint64_t bytes() const;
  [[noreturn]] void damaged(const char* what) const;

 private:
  TermPart(std::shared_ptr<const io::IndexFile> file, std::uint32_t first, const TermPartOptions& options)
      : file_(std::move(file)),
        first_(first),
        cache_(options.cache_bytes),
        field_cache_(options.cache_bytes / 2) {}
  void read_header();
  void read_classes();
  std::shared_ptr<DecodedList> decode_list(const TermEntry& entry, std::uint32_t field) const;
  std::shared_ptr<DecodedList> decode_vector_list(const TermEntry& entry) const;
  /// Drops the postings without an occurrence in the field.
  void keep_field(std::uint32_t field, std::vector<std::uint32_t>& docs,
                  std::vector<std::uint32_t>& classes) const;
  const float* class_values(std::uint32_t field) const {
    return class_values_[field == kAnyField ? 0 : field + 1].data();
  }
  std::span<const std::byte> section(Section s) const { return file_->read(first_ + s); }

  std::shared_ptr<const io::IndexFile> file_;
  const std::uint32_t first_;
  PartHeader header_{};
  std::vector<FieldHeader> fields_;
  std::vector<std::uint64_t> length_offsets_;  // of each field, in its section
  double total_length_ = 0;
  ClassTable classes_;
  std::vector<std::uint64_t> class_uses_;
  std::vector<std::vector<float>> class_values_;  // of all fields, then of each
  mutable std::mutex once_;
  mutable std::atomic<const Dictionary*> dictionary_{nullptr};
  mutable std::unique_ptr<const Dictionary> own_dictionary_;
  mutable std::atomic<const float*> lengths_{nullptr};
  mutable std::vector<float> own_lengths_;
  mutable std::atomic<const PresentRows*> present_{nullptr};
  mutable std::unique_ptr<const PresentRows> own_present_;
  mutable ListCache cache_;        // by term
  mutable ListCache field_cache_;  // by field and term
};

}  // namespace vecstore::inverted
