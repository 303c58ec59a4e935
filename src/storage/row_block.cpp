#include "storage/row_block.hpp"

#include <algorithm>
#include <cmath>

#include "base/crc32c.hpp"

namespace vecstore::storage {
namespace {

constexpr std::uint32_t kMagic = 0x4b4c4252;  // "RBLK"
constexpr std::uint16_t kListed = 1;
constexpr std::uint16_t kNorms = 2;
constexpr std::size_t kPage = 4096;
constexpr std::size_t kOverflowHeader = 16;  // a value on its own pages begins this far into the first

struct Layout {
  std::uint16_t flags = 0;
  std::uint32_t row_bytes = 0;
  std::size_t rows = 0;
  std::size_t offsets = 0;
  std::size_t crcs = 0;
  std::size_t norms = 0;
  std::size_t data = 0;
  std::size_t total = 0;
};

// Positions follow from the header alone, so that writer and reader cannot disagree. Eight-byte numbers come
// first: the header is 56 bytes and a value starts at a multiple of 8 where it has pages of its own.
Layout lay_out(std::uint16_t flags, std::uint32_t row_bytes, std::size_t count) {
  Layout l;
  l.flags = flags;
  l.row_bytes = row_bytes;
  std::size_t at = sizeof(BlockHeader);
  l.rows = at;
  if (flags & kListed) at += 8 * count;
  l.offsets = at;
  if (row_bytes == 0) at += 4 * (count + 1);
  l.crcs = at;
  at += 4 * count;
  l.norms = at;
  if (flags & kNorms) at += 4 * count;
  // Rows begin on a cache line when the value has pages of its own.
  l.data = (at + kOverflowHeader + 63) / 64 * 64 - kOverflowHeader;
  return l;
}

Layout plan(const BlockMeta& meta, std::span<const BlockRow> rows) {
  std::uint16_t flags = 0;
  if (rows.back().row - rows.front().row + 1 != rows.size()) flags |= kListed;
  if (meta.kind == BlockKind::kVectors && meta.element == 1) flags |= kNorms;
  std::size_t sum = 0;
  bool same = meta.kind == BlockKind::kVectors;
  for (const BlockRow& r : rows) {
    sum += r.bytes.size();
    same = same && r.bytes.size() == rows.front().bytes.size() && !r.bytes.empty();
  }
  Layout l = lay_out(flags, same ? static_cast<std::uint32_t>(rows.front().bytes.size()) : 0, rows.size());
  l.total = l.data + sum;
  return l;
}

}  // namespace

std::size_t rows_per_block(std::size_t row_bytes) {
  row_bytes = std::max<std::size_t>(row_bytes, 1);
  const auto wanted = std::clamp(kBlockTarget / row_bytes, kMinRowsPerBlock, kMaxRowsPerBlock);
  std::size_t best = wanted;
  double least = 2;
  for (std::size_t n = wanted - wanted / 4; n <= wanted + wanted / 4; ++n) {
    const std::size_t bytes =
        lay_out(kNorms, static_cast<std::uint32_t>(row_bytes), n).data + n * row_bytes + kOverflowHeader;
    const std::size_t pages = (bytes + kPage - 1) / kPage;
    const double waste = static_cast<double>(pages * kPage) / static_cast<double>(n * row_bytes);
    if (waste < least) {
      least = waste;
      best = n;
    }
  }
  return best;
}

std::uint32_t row_crc(const BlockMeta& meta, const BlockRow& row) {
  char place[24] = {};
  store(place, row.row);
  store(place + 8, meta.collection);
  store(place + 12, static_cast<std::uint32_t>(meta.field) | static_cast<std::uint32_t>(meta.kind) << 16 |
                        static_cast<std::uint32_t>(meta.element) << 24);
  store(place + 16, row.inverse_norm);
  return crc32c(as_byte_span(row.bytes), crc32c(as_byte_span({place, sizeof place})));
}

std::size_t block_size(const BlockMeta& meta, std::span<const BlockRow> rows) {
  return plan(meta, rows).total;
}

void write_block(const BlockMeta& meta, std::span<const BlockRow> rows, char* out) {
  const Layout l = plan(meta, rows);
  const std::size_t count = rows.size();
  BlockHeader h{kMagic,
                static_cast<std::uint16_t>(kFormatVersion),
                meta.kind,
                meta.element,
                static_cast<std::uint32_t>(count),
                l.row_bytes,
                meta.collection,
                meta.field,
                l.flags,
                rows.front().row,
                rows.back().row,
                meta.sequence,
                0,
                static_cast<std::uint32_t>(l.data)};
  // LMDB hands out recycled buffers: every byte is set, the padding too, so that no erased content stays
  // behind.
  std::memset(out, 0, l.data);
  std::size_t at = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const BlockRow& r = rows[i];
    if (l.flags & kListed) store(out + l.rows + 8 * i, r.row);
    if (l.row_bytes == 0) store(out + l.offsets + 4 * i, static_cast<std::uint32_t>(at));
    store(out + l.crcs + 4 * i, row_crc(meta, r));
    if (l.flags & kNorms) store(out + l.norms + 4 * i, r.inverse_norm);
    std::memcpy(out + l.data + at, r.bytes.data(), r.bytes.size());
    at += r.bytes.size();
  }
  if (l.row_bytes == 0) store(out + l.offsets + 4 * count, static_cast<std::uint32_t>(at));
  std::memcpy(out, &h, sizeof h);
  h.crc = crc32c(as_byte_span({out, l.data}));
  std::memcpy(out, &h, sizeof h);
}

BlockView::BlockView(std::string_view value, const BlockMeta& expected, bool verify_directory)
    : value_(value) {
  const auto damaged = [&](std::string_view what) {
    fail(ErrorCode::kCorruption, "row block of collection ", expected.collection, ", field ", expected.field,
         ": ", what);
  };
  if (value.size() < sizeof(BlockHeader)) damaged("shorter than its header");
  header_ = load<BlockHeader>(value.data());
  if (header_.magic != kMagic) damaged("does not begin like one");
  if (header_.format > kFormatVersion) {
    fail(ErrorCode::kUnsupportedFormat, "row block has format ", header_.format,
         ", this version reads up to ", kFormatVersion);
  }
  if (header_.kind != expected.kind || header_.collection != expected.collection ||
      header_.field != expected.field) {
    damaged("belongs to another place");
  }
  const std::uint64_t count = header_.count;
  if (count == 0 || count > value.size()) damaged("row count is out of range");
  if (header_.last_row < header_.first_row || (header_.flags & ~(kListed | kNorms)))
    damaged("header is out of range");
  const Layout l = lay_out(header_.flags, header_.row_bytes, count);
  if (l.data != header_.data_offset || l.data > value.size()) damaged("directory passes its end");
  if (header_.row_bytes != 0 && header_.row_bytes * count != value.size() - l.data)
    damaged("rows pass its end");
  if (!(header_.flags & kListed) && header_.last_row - header_.first_row + 1 != count)
    damaged("row numbers are out of range");
  if (verify_directory) {
    BlockHeader plain = header_;
    plain.crc = 0;
    const std::uint32_t seed = crc32c(as_byte_span({reinterpret_cast<const char*>(&plain), sizeof plain}));
    if (crc32c(as_byte_span(value.substr(sizeof plain, l.data - sizeof plain)), seed) != header_.crc)
      damaged("checksum differs");
  }
  if (header_.flags & kListed) rows_ = value.data() + l.rows;
  if (header_.row_bytes == 0) offsets_ = value.data() + l.offsets;
  crcs_ = value.data() + l.crcs;
  if (header_.flags & kNorms) norms_ = value.data() + l.norms;
  data_ = value.data() + l.data;
}

BlockView BlockView::like(const char* value, std::uint64_t last_row, std::uint64_t sequence) const {
  BlockView out = *this;
  out.header_.first_row = last_row - (header_.count - 1);
  out.header_.last_row = last_row;
  out.header_.sequence = sequence;
  const auto moved = [&](const char* p) { return p ? value + (p - value_.data()) : nullptr; };
  out.offsets_ = moved(offsets_);
  out.crcs_ = moved(crcs_);
  out.norms_ = moved(norms_);
  out.data_ = moved(data_);
  out.value_ = {value, value_.size()};
  return out;
}

std::optional<std::uint32_t> BlockView::find(std::uint64_t wanted) const {
  if (wanted < header_.first_row || wanted > header_.last_row) return std::nullopt;
  if (!rows_) return static_cast<std::uint32_t>(wanted - header_.first_row);
  std::uint32_t low = 0;
  std::uint32_t high = header_.count;
  while (low < high) {
    const std::uint32_t middle = low + (high - low) / 2;
    if (row(middle) < wanted) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low < header_.count && row(low) == wanted) return low;
  return std::nullopt;
}

std::string_view BlockView::bytes(std::uint32_t i) const {
  if (header_.row_bytes != 0) return {data_ + std::size_t{header_.row_bytes} * i, header_.row_bytes};
  const std::size_t begin = load<std::uint32_t>(offsets_ + 4 * i);
  const std::size_t end = load<std::uint32_t>(offsets_ + 4 * i + 4);
  if (begin > end || end > static_cast<std::size_t>(value_.data() + value_.size() - data_)) {
    fail(ErrorCode::kCorruption, "row block of collection ", header_.collection, ": row ", row(i),
         " passes its end");
  }
  return {data_ + begin, end - begin};
}

bool BlockView::verify(std::uint32_t i, const Witness& witness) const {
  const BlockMeta meta{header_.kind, header_.element, header_.collection, header_.field, 0};
  return row_crc(meta, {row(i), bytes(i), witness.inverse_norm}) == witness.crc;
}

}  // namespace vecstore::storage
