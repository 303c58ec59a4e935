#include "index/inverted/dictionary.hpp"

#include <algorithm>
#include <cstring>

#include "base/error.hpp"
#include "base/varint.hpp"
#include "index/inverted/part_format.hpp"

namespace vecstore::inverted {

// A block: the first term's length and bytes, postings and list bytes of all terms before; then per term
// (the first one without what it shares) shared bytes, further bytes, their bytes, document frequency, bytes
// of postings and of positions. All numbers are varints, except that shared and further bytes lie in one byte
// when both are below 15.
void DictionaryWriter::add(std::string_view term, const TermEntry& entry) {
  if (terms_ % kTermsPerBlock == 0) {
    blocks_.push_back(bytes_.size());
    put_varint(bytes_, term.size());
    bytes_ += term;
    put_varint(bytes_, entry.first_posting);
    put_varint(bytes_, entry.list_offset);
  } else {
    const auto end = std::mismatch(term.begin(), term.end(), last_.begin(), last_.end()).first;
    const auto shared = static_cast<std::size_t>(end - term.begin());
    const std::size_t rest = term.size() - shared;
    if (shared < 15 && rest < 16) {
      bytes_ += static_cast<char>(shared | rest << 4);
    } else {
      bytes_ += static_cast<char>(15);
      put_varint(bytes_, shared);
      put_varint(bytes_, rest);
    }
    bytes_ += term.substr(shared);
  }
  put_varint(bytes_, entry.doc_freq);
  put_varint(bytes_, entry.posting_bytes);
  put_varint(bytes_, entry.position_bytes);
  last_ = term;
  ++terms_;
}

Dictionary::Dictionary(std::span<const std::byte> bytes, std::span<const std::uint64_t> blocks,
                       std::uint32_t terms, std::string name)
    : bytes_(bytes), blocks_(blocks), terms_(terms), name_(std::move(name)) {
  if (blocks.size() != (std::uint64_t{terms} + kTermsPerBlock - 1) / kTermsPerBlock) damaged();
}

void Dictionary::damaged() const {
  fail(ErrorCode::kCorruption, name_, ": the dictionary of terms is damaged");
}

std::string_view Dictionary::first_term(std::uint64_t block) const {
  const char* all = reinterpret_cast<const char*>(bytes_.data());
  if (blocks_[block] >= bytes_.size()) damaged();
  const char *p = all + blocks_[block], *end = all + bytes_.size();
  std::uint64_t size;
  if (!get_varint(p, end, size) || size > kMostTermBytes || size > static_cast<std::uint64_t>(end - p))
    damaged();
  return {p, static_cast<std::size_t>(size)};
}

// The last block whose first term is <= `term`; 0 when there is none.
std::uint64_t Dictionary::block_of(std::string_view term) const {
  std::uint64_t first = 0, count = blocks_.size();
  while (count > 1) {
    const std::uint64_t half = count / 2;
    if (first_term(first + half) <= term) {
      first += half;
      count -= half;
    } else {
      count = half;
    }
  }
  return first;
}

std::uint64_t Dictionary::Cursor::number() {
  const char* all = reinterpret_cast<const char*>(d_->bytes_.data());
  const char *p = all + at_, *end = all + d_->bytes_.size();
  std::uint64_t value;
  if (at_ > d_->bytes_.size() || !get_varint(p, end, value)) d_->damaged();
  at_ = static_cast<std::uint64_t>(p - all);
  return value;
}

void Dictionary::Cursor::begin_block(std::uint64_t block) {
  const std::string_view first = d_->first_term(block);
  shared_ = static_cast<std::size_t>(
      std::mismatch(first.begin(), first.end(), term_.begin(), term_.end()).first - first.begin());
  if (term_number_ != 0 && !term_.empty() && first <= term_) d_->damaged();
  term_ = first;
  at_ = static_cast<std::uint64_t>(first.data() + first.size() -
                                   reinterpret_cast<const char*>(d_->bytes_.data()));
  entry_.first_posting = number();
  entry_.list_offset = number();
}

bool Dictionary::Cursor::next() {
  if (term_number_ >= d_->terms_) return false;
  if (term_number_ % kTermsPerBlock == 0) {
    begin_block(term_number_ / kTermsPerBlock);
  } else {
    entry_.first_posting += entry_.doc_freq;
    entry_.list_offset += entry_.posting_bytes + entry_.position_bytes;
    if (at_ >= d_->bytes_.size()) d_->damaged();
    const auto both = static_cast<unsigned char>(d_->bytes_[at_++]);
    std::uint64_t shared = both & 15, rest = both >> 4;
    if (shared == 15) {
      shared = number();
      rest = number();
    }
    if (shared > term_.size() || rest > d_->bytes_.size() - at_ || shared + rest > kMostTermBytes)
      d_->damaged();
    const char* bytes = reinterpret_cast<const char*>(d_->bytes_.data()) + at_;
    const std::string_view old(term_);
    const std::string_view added(bytes, static_cast<std::size_t>(rest));
    if (added <= old.substr(static_cast<std::size_t>(shared))) d_->damaged();
    term_.resize(static_cast<std::size_t>(shared));
    term_ += added;
    shared_ = static_cast<std::size_t>(shared);
    at_ += rest;
  }
  const std::uint64_t doc_freq = number(), posting_bytes = number(), position_bytes = number();
  if (doc_freq == 0 || doc_freq > kMostDocuments || posting_bytes > 0xffffffffu) d_->damaged();
  entry_.doc_freq = static_cast<std::uint32_t>(doc_freq);
  entry_.posting_bytes = static_cast<std::uint32_t>(posting_bytes);
  entry_.position_bytes = position_bytes;
  ++term_number_;
  return true;
}

void Dictionary::Cursor::skip(std::size_t bytes) {
  const std::uint64_t next_block = (term_number_ + kTermsPerBlock - 1) / kTermsPerBlock;
  if (next_block >= d_->blocks_.size()) return;
  const std::string_view prefix = std::string_view(term_).substr(0, bytes);
  if (!d_->first_term(next_block).starts_with(prefix)) return;
  std::string behind(prefix);
  while (!behind.empty() && static_cast<unsigned char>(behind.back()) == 255) behind.pop_back();
  if (behind.empty()) {
    term_number_ = d_->terms_;
    return;
  }
  behind.back() = static_cast<char>(static_cast<unsigned char>(behind.back()) + 1);
  *this = d_->seek(behind);
}

Dictionary::Cursor Dictionary::seek(std::string_view term) const {
  Cursor cursor(*this);
  if (terms_ == 0) return cursor;
  cursor.term_number_ = block_of(term) * kTermsPerBlock;
  for (;;) {
    Cursor before = cursor;
    if (!cursor.next() || cursor.term() >= term) return before;
  }
}

std::optional<TermEntry> Dictionary::find(std::string_view term) const {
  if (terms_ == 0) return std::nullopt;
  Cursor cursor(*this);
  cursor.term_number_ = block_of(term) * kTermsPerBlock;
  for (std::uint32_t i = 0; i < kTermsPerBlock && cursor.next(); ++i) {
    const int order = cursor.term().compare(term);
    if (order == 0) return cursor.entry();
    if (order > 0) break;
  }
  return std::nullopt;
}

}  // namespace vecstore::inverted
