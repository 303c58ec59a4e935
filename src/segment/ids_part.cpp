#include "segment/ids_part.hpp"

#include <algorithm>
#include <utility>

#include "base/bytes.hpp"
#include "segment/segment_format.hpp"

namespace vecstore::segment {
namespace {

constexpr std::uint32_t kGroup = 64;
constexpr std::uint64_t kLine = 64;  // of the cache
constexpr std::uint32_t kFormBits = 3;
constexpr std::uint32_t kPlaceBit = 1;  // of a length word: the record has more than an id
// A source that comes again after so many others is written again.
constexpr std::size_t kMostSources = 16'384;
constexpr std::size_t kMostSourceBytes = 256;

/// How the lengths of a group's records are stored.
enum class Form : std::uint8_t { kNone = 0, kEqual = 1, kOneByte = 2, kTwoBytes = 3, kFourBytes = 4 };

/// How a record's source is: the beginning of its id, its own bytes, or where an earlier record has them.
enum SourceKind : std::uint8_t { kBeginning = 0, kHere = 1, kElsewhere = 2 };

std::uint32_t width_of(Form form) { return 1u << (static_cast<std::uint32_t>(form) - 2); }

std::uint32_t word_at(const char* words, std::uint32_t width, std::uint32_t i) {
  switch (width) {
    case 1:
      return load<std::uint8_t>(words + i);
    case 2:
      return load<std::uint16_t>(words + 2 * std::size_t{i});
    default:
      return load<std::uint32_t>(words + 4 * std::size_t{i});
  }
}

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

IdsPart::IdsPart(std::shared_ptr<const io::IndexFile> file, std::uint64_t first_row, std::uint64_t end_row,
                 std::uint64_t rows)
    : file_(std::move(file)), first_row_(first_row), end_row_(end_row), rows_(rows) {
  if (rows_ == 0) return;
  groups_ = as_text(file_->unchecked(kIdGroupsSection));
  records_ = as_text(file_->unchecked(kIdRecordsSection));
  if (groups_.size() != (end_row_ - first_row_ + kGroup - 1) / kGroup * sizeof(std::uint64_t))
    fail(ErrorCode::kCorruption, file_->path(), ": its ids do not fit ", end_row_ - first_row_, " rows");
}

void IdsPart::damaged(std::uint64_t row) const {
  fail(ErrorCode::kCorruption, file_->path(), ": the id of row ", row, " lies outside its section");
}

std::string_view IdsPart::checked(std::uint64_t begin, std::uint64_t length) const {
  const std::string_view bytes = records_.substr(begin, length);
  file_->admit(std::as_bytes(std::span(bytes)));
  return bytes;
}

// The sum of the lengths from one record on. Of one byte each, eight at a time: this is most of a look-up.
std::uint64_t IdsPart::bytes_behind(const char* words, std::uint32_t width, std::uint32_t index,
                                    std::uint32_t count) const {
  std::uint64_t sum = 0;
  if (width == 1 && count == kGroup) {
    constexpr std::uint64_t kEven = 0x00ff00ff00ff00ff;
    for (std::uint32_t i = index / 8; i < kGroup / 8; ++i) {
      std::uint64_t lengths = load<std::uint64_t>(words + 8 * std::size_t{i}) >> 1 & 0x7f7f7f7f7f7f7f7f;
      if (i == index / 8) lengths &= ~std::uint64_t{0} << (8 * (index % 8));
      sum += (lengths & kEven) + (lengths >> 8 & kEven);
    }
    return sum * 0x0001000100010001 >> 48;
  }
  for (std::uint32_t i = index; i < count; ++i) sum += word_at(words, width, i) >> 1;
  return sum;
}

// A group: its records, then their lengths. What points to it is where the lengths begin.
IdsPart::Place IdsPart::locate(std::uint64_t row) const {
  if (rows_ == 0 || row < first_row_ || row >= end_row_) return {};
  const std::uint64_t group = (row - first_row_) / kGroup;
  const auto index = static_cast<std::uint32_t>((row - first_row_) % kGroup);
  const auto count =
      static_cast<std::uint32_t>(std::min<std::uint64_t>(kGroup, end_row_ - first_row_ - group * kGroup));
  const std::string_view head = groups_.substr(group * sizeof(std::uint64_t), sizeof(std::uint64_t));
  file_->admit(std::as_bytes(std::span(head)));
  const auto pointer = load<std::uint64_t>(head.data());
  const std::uint64_t lengths = pointer >> kFormBits;
  const auto form = static_cast<Form>(pointer & ((1u << kFormBits) - 1));
  if (form == Form::kNone) return {};
  if (form > Form::kFourBytes) damaged(row);
  const bool equal = form == Form::kEqual;
  const std::uint32_t width = equal ? 4 : width_of(form);
  const std::uint64_t stored = equal ? width : std::uint64_t{width} * count;
  if (lengths > records_.size() || stored > records_.size() - lengths) damaged(row);
  const char* words = checked(lengths, stored).data();
  const std::uint32_t word = word_at(words, width, equal ? 0 : index);
  if (word == 0) return {};
  const std::uint64_t behind =
      equal ? std::uint64_t{word >> 1} * (count - index) : bytes_behind(words, width, index, count);
  if (behind > lengths) damaged(row);
  return {checked(lengths - behind, word >> 1), (word & kPlaceBit) == 0};
}

// Where a record lies only its group's lengths tell. If they are all alike, it is here.
void IdsPart::prefetch(std::uint64_t row) const {
  if (rows_ == 0 || row < first_row_ || row >= end_row_) return;
  const std::uint64_t group = (row - first_row_) / kGroup;
  const auto pointer = [&](std::uint64_t g) {
    return load<std::uint64_t>(groups_.data() + g * sizeof(std::uint64_t)) >> kFormBits;
  };
  const std::uint64_t lengths = pointer(group);
  const std::uint64_t begin = group == 0 ? 0 : pointer(group - 1) + kGroup;
  if (lengths >= records_.size() || begin > lengths) return;
  const std::uint64_t record = begin + (lengths - begin) / kGroup * ((row - first_row_) % kGroup);
  for (const std::uint64_t at : {record, record + kLine, lengths, lengths + kLine - 1})
    __builtin_prefetch(records_.data() + std::min(at, records_.size() - 1));
}

std::optional<std::string_view> IdsPart::find_id(std::uint64_t row) const {
  const Place place = locate(row);
  if (place.bytes.empty()) return std::nullopt;
  if (place.is_id) return place.bytes;
  return ByteReader(place.bytes, "head of a record").sized();
}

std::optional<RecordHead> IdsPart::find(std::uint64_t row) const {
  const Place place = locate(row);
  if (place.bytes.empty()) return std::nullopt;
  RecordHead head;
  if (place.is_id) {
    head.id = place.bytes;
    return head;
  }
  ByteReader in(place.bytes, "head of a record");
  head.id = in.sized();
  const std::uint64_t source = in.varint();
  const std::uint64_t length = source >> 2;
  switch (source & 3) {
    case kBeginning:
      if (length > head.id.size()) damaged(row);
      head.source = head.id.substr(0, length);
      break;
    case kHere:
      head.source = in.take(length);
      break;
    case kElsewhere: {
      const std::uint64_t at = in.varint();
      if (at > records_.size() || length > records_.size() - at) damaged(row);
      head.source = checked(at, length);
      break;
    }
    default:
      damaged(row);
  }
  head.start = in.varint();
  head.end = head.start + in.varint();
  head.part = static_cast<std::uint32_t>(in.varint());
  if (!in.empty()) damaged(row);
  return head;
}

void IdsPart::verify(const Context& context) const {
  std::uint64_t found = 0, steps = 0;
  scan(first_row_, end_row_, [&](std::uint64_t, const RecordHead&) {
    if (++steps % 1024 == 0) context.check();
    ++found;
  });
  if (found != rows_)
    fail(ErrorCode::kCorruption, file_->path(), ": it has the ids of ", found, " rows, not of ", rows_);
}

bool IdsPart::warm_up() const {
  if (rows_ == 0 || warm_.load(std::memory_order_relaxed)) return false;
  file_->read(kIdGroupsSection);
  file_->read(kIdRecordsSection);
  warm_.store(true, std::memory_order_relaxed);
  return true;
}

void IdsBuilder::put_source(std::string_view id, std::string_view source) {
  if (id.starts_with(source)) {
    put_varint(ready_, source.size() << 2 | kBeginning);
    return;
  }
  if (const auto known = sources_.find(source); known != sources_.end()) {
    put_varint(ready_, source.size() << 2 | kElsewhere);
    put_varint(ready_, known->second);
    return;
  }
  put_varint(ready_, source.size() << 2 | kHere);
  if (sources_.size() == kMostSources) sources_.clear();
  if (source.size() <= kMostSourceBytes) sources_.emplace(source, taken_ + ready_.size());
  ready_ += source;
}

void IdsBuilder::add(std::uint64_t row, const RecordHead& head) {
  while ((row - first_row_) / kGroup > groups_.size()) end_group();
  const std::size_t begin = ready_.size();
  const bool has_place = !head.source.empty() || head.start != 0 || head.end != 0 || head.part != 0;
  if (has_place) {
    put_sized(ready_, head.id);
    put_source(head.id, head.source);
    put_varint(ready_, head.start);
    put_varint(ready_, head.end - head.start);
    put_varint(ready_, head.part);
  } else {
    ready_ += head.id;
  }
  words_[(row - first_row_) % kGroup] = static_cast<std::uint32_t>((ready_.size() - begin) << 1 | has_place);
  ++rows_;
}

void IdsBuilder::end_group() {
  const std::uint64_t left = end_row_ - first_row_ - groups_.size() * kGroup;
  const std::span<const std::uint32_t> words(words_.data(), std::min<std::uint64_t>(kGroup, left));
  const std::uint32_t most = *std::max_element(words.begin(), words.end());
  const bool equal = std::all_of(words.begin(), words.end(), [&](std::uint32_t w) { return w == most; });
  const Form form = most == 0        ? Form::kNone
                    : equal          ? Form::kEqual
                    : most < 1 << 8  ? Form::kOneByte
                    : most < 1 << 16 ? Form::kTwoBytes
                                     : Form::kFourBytes;
  groups_.push_back((taken_ + ready_.size()) << kFormBits | static_cast<std::uint64_t>(form));
  if (form == Form::kEqual) put(ready_, most);
  if (form > Form::kEqual) {
    for (const std::uint32_t word : words)
      ready_.append(reinterpret_cast<const char*>(&word), width_of(form));
  }
  words_.fill(0);
}

std::string IdsBuilder::take() {
  taken_ += ready_.size();
  return std::exchange(ready_, {});
}

const std::vector<std::uint64_t>& IdsBuilder::finish() {
  const std::uint64_t count = (end_row_ - first_row_ + kGroup - 1) / kGroup;
  while (groups_.size() < count) end_group();
  return groups_;
}

}  // namespace vecstore::segment
