#include "storage/retired.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/bytes.hpp"
#include "storage/envelope.hpp"
#include "storage/keys.hpp"

namespace vecstore::storage {
namespace {
constexpr std::size_t kSliceBytes = kRowsPerSlice / 8;
constexpr std::size_t kSliceWords = kRowsPerSlice / 64;

std::string_view open_slice(std::uint32_t collection, std::string_view key, std::string_view value) {
  const std::string_view bits = unseal(ValueKind::kRetired, collection, key, value).payload;
  if (bits.size() != kSliceBytes)
    fail(ErrorCode::kCorruption, "retired rows of collection ", collection, ": slice has ", bits.size(),
         " bytes");
  return bits;
}
}  // namespace

RetiredRows RetiredRows::read(const Txn& txn, std::uint32_t collection) {
  RetiredRows out;
  Cursor cursor = txn.cursor(Keyspace::kAux);
  const std::string first = aux_key(collection, AuxKind::kRetired, 0);
  const std::string_view prefix = std::string_view(first).substr(0, 5);
  for (bool more = cursor.seek(first); more && cursor.key().starts_with(prefix); more = cursor.next()) {
    const auto number = load_big_endian<std::uint64_t>(cursor.key().data() + 5);
    const std::string_view bits = open_slice(collection, cursor.key(), cursor.value());
    if (out.words_.size() < (number + 1) * kSliceWords) out.words_.resize((number + 1) * kSliceWords);
    std::memcpy(out.words_.data() + number * kSliceWords, bits.data(), kSliceBytes);
  }
  for (std::uint64_t word : out.words_) out.count_ += static_cast<std::uint64_t>(std::popcount(word));
  return out;
}

void RetiredRows::clear_in(std::span<std::uint64_t> rows) const {
  for (std::size_t w = 0; w < std::min(rows.size(), words_.size()); ++w) rows[w] &= ~words_[w];
}

std::uint64_t RetiredRows::next_live(std::uint64_t row) const {
  std::uint64_t word = row / 64;
  if (word >= words_.size()) return row;
  std::uint64_t live = ~words_[word] & (~std::uint64_t{0} << (row % 64));
  while (live == 0) {
    if (++word >= words_.size()) return word * 64;
    live = ~words_[word];
  }
  return word * 64 + static_cast<std::uint64_t>(std::countr_zero(live));
}

std::string& RetiredUpdate::slice(std::uint64_t number) {
  auto [it, added] = slices_.try_emplace(number);
  if (added) {
    const std::string key = aux_key(collection_, AuxKind::kRetired, number);
    const auto value = txn_.get(Keyspace::kAux, key);
    it->second.bits =
        value ? std::string(open_slice(collection_, key, *value)) : std::string(kSliceBytes, '\0');
  }
  return it->second.bits;
}

bool RetiredUpdate::contains(std::uint64_t row) {
  const std::uint64_t bit = row % kRowsPerSlice;
  return static_cast<unsigned char>(slice(row / kRowsPerSlice)[bit / 8]) >> (bit % 8) & 1;
}

void RetiredUpdate::retire(std::uint64_t row) {
  const std::uint64_t bit = row % kRowsPerSlice;
  slice(row / kRowsPerSlice)[bit / 8] |= static_cast<char>(1 << (bit % 8));
  slices_[row / kRowsPerSlice].changed = true;
}

void RetiredUpdate::write(WriteTxn& txn, std::uint64_t sequence) const {
  for (const auto& [number, slice] : slices_) {
    if (!slice.changed) continue;
    const std::string key = aux_key(collection_, AuxKind::kRetired, number);
    txn.put(Keyspace::kAux, key, seal(ValueKind::kRetired, collection_, sequence, key, slice.bits));
  }
}

}  // namespace vecstore::storage
