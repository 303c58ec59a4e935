#include "index/inverted/part_merge.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "index/inverted/part_writer.hpp"

namespace vecstore::inverted {

namespace {

constexpr std::uint32_t kStep = 1024;

struct Input {
  const TermPart* part;
  Dictionary::Cursor cursor;
  bool more = false;
  std::vector<std::uint32_t> new_docs;  // by document; kNoPosting: left out
  std::vector<std::uint32_t> class_of;  // by the part's class
};

void check_inputs(std::span<const MergeInput> inputs) {
  if (inputs.empty()) invalid("a merge needs at least one part");
  const TermPart& first = *inputs[0].part;
  if (first.has_codes()) invalid("parts with codes of weights cannot be merged");
  for (std::size_t i = 1; i < inputs.size(); ++i) {
    const TermPart &before = *inputs[i - 1].part, &part = *inputs[i].part;
    bool same = part.fields() == first.fields() && part.header().flags == first.header().flags;
    for (std::uint32_t f = 0; same && f < first.fields(); ++f)
      same = part.field_weight(f) == first.field_weight(f);
    if (!same) invalid("parts of different fields cannot be merged");
    if (before.documents() != 0 && part.documents() != 0 && part.row(0) <= before.row(before.documents() - 1))
      invalid("row ", part.row(0), " of a part that is merged is not behind those of the part before");
  }
}

void take_documents(const MergeInput& in, Input& input, PartDocuments& documents, const Context& context) {
  const TermPart& part = *in.part;
  input.new_docs.assign(part.documents(), kNoPosting);
  for (std::uint32_t d = 0; d < part.documents(); ++d) {
    if (d % kStep == 0) context.check();
    if (in.live != nullptr && !(in.live[d / 64] >> (d % 64) & 1)) continue;
    const std::uint64_t row = part.row(d);
    if (!documents.rows.empty() && row <= documents.rows.back()) part.damaged("row numbers are damaged");
    input.new_docs[d] = static_cast<std::uint32_t>(documents.rows.size());
    documents.rows.push_back(row);
    for (std::uint32_t f = 0; f < part.fields(); ++f) documents.lengths[f].push_back(part.tokens(f, d));
  }
  if (documents.rows.size() > kMostDocuments)
    fail(ErrorCode::kTooLarge, "a part of the term index holds at most ", kMostDocuments, " documents");
}

class Merger {
 public:
  Merger(std::span<const MergeInput> inputs, io::IndexFileWriter& file, std::uint32_t first_section,
         const Context& context, bool codes)
      : context_(context), flags_(codes ? std::uint32_t{kCodedWeights} : inputs[0].part->header().flags) {
    const TermPart& first = *inputs[0].part;
    documents_.lengths.resize(first.fields());
    for (std::uint32_t f = 0; f < first.fields(); ++f)
      documents_.field_weights.push_back(first.field_weight(f));
    ClassCounter counter(std::max(1u, first.fields()));
    for (const MergeInput& in : inputs) {
      inputs_.push_back({in.part, in.part->dictionary().begin(), false, {}, {}});
      take_documents(in, inputs_.back(), documents_, context);
      for (std::uint32_t c = 0; c < in.part->classes().size(); ++c)
        inputs_.back().class_of.push_back(
            counter.number(in.part->classes().counts(c), in.part->class_uses()[c]));
    }
    std::vector<std::uint32_t> order;
    classes_ = counter.order(order);
    if (first.fields() == 0) classes_ = {};
    for (Input& input : inputs_) {
      for (auto& c : input.class_of) c = order[c];
    }
    writer_.emplace(file, first_section, documents_, classes_, flags_);
  }

  void run() {
    for (Input& input : inputs_) input.more = input.cursor.next();
    for (std::size_t n = 0;; ++n) {
      if (n % 64 == 0) context_.check();
      const Input* least = nullptr;
      for (const Input& input : inputs_) {
        if (input.more && (least == nullptr || input.cursor.term() < least->cursor.term())) least = &input;
      }
      if (least == nullptr) break;
      const std::string term(least->cursor.term());
      docs_.clear();
      new_classes_.clear();
      places_.clear();
      weights_.clear();
      for (Input& input : inputs_) {
        if (!input.more || input.cursor.term() != term) continue;
        documents_.lengths.empty() ? take_weights(input) : take_postings(input);
        input.more = input.cursor.next();
      }
      if (docs_.empty()) continue;
      if (documents_.lengths.empty())
        writer_->add_weights(term, docs_, weights_);
      else
        writer_->add(term, docs_, new_classes_, places_);
    }
    writer_->finish();
  }

 private:
  void take_postings(Input& input) {
    const TermEntry& entry = input.cursor.entry();
    input.part->decode(entry, old_docs_, old_classes_);
    old_places_.clear();
    const bool positions = (flags_ & kHasPositions) != 0;
    if (positions) input.part->decode_positions(entry, old_classes_, old_places_);
    std::size_t at = 0;
    for (std::size_t i = 0; i < old_docs_.size(); ++i) {
      const std::size_t n = positions ? input.part->classes().total(old_classes_[i]) : 0;
      const std::uint32_t doc = input.new_docs[old_docs_[i]];
      if (doc != kNoPosting) {
        docs_.push_back(doc);
        new_classes_.push_back(input.class_of[old_classes_[i]]);
        places_.insert(places_.end(), old_places_.begin() + static_cast<std::ptrdiff_t>(at),
                       old_places_.begin() + static_cast<std::ptrdiff_t>(at + n));
      }
      at += n;
    }
  }

  void take_weights(Input& input) {
    input.part->decode(input.cursor.entry(), old_docs_, old_classes_);
    const auto list = input.part->list(input.cursor.term(), kAnyField, {});
    for (std::uint32_t i = 0; i < old_docs_.size(); ++i) {
      const std::uint32_t doc = input.new_docs[old_docs_[i]];
      if (doc == kNoPosting) continue;
      docs_.push_back(doc);
      weights_.push_back(list->value(i));
    }
  }

  const Context& context_;
  std::uint32_t flags_;
  PartDocuments documents_;
  PartClasses classes_;
  std::vector<Input> inputs_;
  std::optional<PartWriter> writer_;
  std::vector<std::uint32_t> docs_, new_classes_, places_, old_docs_, old_classes_, old_places_;
  std::vector<float> weights_;
};

}  // namespace

void merge_parts(std::span<const MergeInput> inputs, io::IndexFileWriter& file, std::uint32_t first_section,
                 const Context& context, bool codes) {
  check_inputs(inputs);
  if (codes && inputs[0].part->fields() != 0) invalid("terms of texts have no weights");
  Merger(inputs, file, first_section, context, codes).run();
}

}  // namespace vecstore::inverted
