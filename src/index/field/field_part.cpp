#include "index/field/field_part.hpp"

#include <algorithm>

#include "base/bytes.hpp"

namespace vecstore::fields {
namespace {

std::string_view as_view(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

FieldPart::FieldPart(std::shared_ptr<const io::IndexFile> file, std::uint32_t first_section)
    : file_(std::move(file)), section_(first_section), name_(file_->path()) {
  read_directory(as_view(file_->read(first_section + 1)));
}

FieldPart::FieldPart(std::string fields, std::string_view directory)
    : memory_(std::move(fields)), name_("fields of the newest rows") {
  read_directory(directory);
}

void FieldPart::read_directory(std::string_view directory) {
  ByteReader in(directory, name_);
  const auto number = [&](std::uint64_t most, const char* what) {
    const std::uint64_t n = in.varint();
    if (n > most) fail(ErrorCode::kCorruption, name_, ": ", what, " is ", n, ", more than ", most);
    return static_cast<std::uint32_t>(n);
  };
  const std::uint64_t size = file_ ? file_->section_size(section_) : memory_.size();
  span_ = number(UINT32_MAX - 1, "the number of rows");
  overflow_ = in.get<std::uint8_t>() != 0;
  entries_.resize(number(kMostFields, "the number of fields"));
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    FieldEntry& e = entries_[i];
    e.path = in.sized();
    e.offset = 64 * std::uint64_t{number(UINT32_MAX, "a field's place")};
    e.length = in.varint();
    if (e.offset > size || e.length > size - e.offset || (i > 0 && entries_[i - 1].path >= e.path))
      fail(ErrorCode::kCorruption, name_, ": field ", i, " is out of place");
    e.rows = number(span_, "a field's number of rows");
    e.postings = number(UINT32_MAX, "a field's number of values");
    e.ordinals = number(e.postings, "a field's number of distinct values");
  }
  irregular_.resize(number(span_, "the number of irregular rows"));
  std::uint64_t row = 0;
  for (std::uint32_t& r : irregular_) {
    row += number(span_, "a row");
    if (row >= span_) fail(ErrorCode::kCorruption, name_, ": row ", row, " of ", span_);
    r = static_cast<std::uint32_t>(row);
  }
  opened_ = std::make_unique<std::atomic<const Field*>[]>(entries_.size());
}

const FieldEntry* FieldPart::find(std::string_view path) const {
  const auto at = std::lower_bound(entries_.begin(), entries_.end(), path,
                                   [](const FieldEntry& e, std::string_view p) { return e.path < p; });
  return at != entries_.end() && at->path == path ? &*at : nullptr;
}

std::string_view FieldPart::bytes(const FieldEntry& entry) const {
  return file_ ? as_view(file_->read(section_, entry.offset, entry.length))
               : std::string_view(memory_).substr(entry.offset, entry.length);
}

const Field& FieldPart::field(const FieldEntry& entry) const {
  std::atomic<const Field*>& opened = opened_[static_cast<std::size_t>(&entry - entries_.data())];
  if (const Field* field = opened.load(std::memory_order_acquire)) return *field;
  const std::lock_guard lock(mutex_);
  if (const Field* field = opened.load(std::memory_order_relaxed)) return *field;
  auto made = std::make_unique<const Field>(bytes(entry), span_, name_);
  if (made->rows() != entry.rows || made->ordinals() != entry.ordinals)
    fail(ErrorCode::kCorruption, name_, ": a field is not the one that the directory names");
  opened.store(made.get(), std::memory_order_release);
  owned_.push_back(std::move(made));
  return *owned_.back();
}

bool FieldPart::warm_up() const {
  if (warm_.load(std::memory_order_relaxed)) return false;
  for (const FieldEntry& e : entries_) field(e);
  warm_.store(true, std::memory_order_relaxed);
  return true;
}

}  // namespace vecstore::fields
