#include "storage/change_log.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "storage/envelope.hpp"
#include "storage/keys.hpp"

namespace vecstore::storage {
namespace {
// A commit cuts at most this many old entries, so that none pays for a long backlog.
constexpr int kCutAtOnce = 4;

// A damaged entry counts as one change: it must not keep later writes from happening.
std::uint64_t count_of(std::string_view key, std::string_view value) {
  try {
    return ByteReader(unseal(ValueKind::kLog, 0, key, value).payload, "change log").varint();
  } catch (const Error&) {
    return 1;
  }
}
}  // namespace

void ChangeLogEntry::add(const ChangeEntry& c) {
  ++count_;
  put_varint(changes_, c.collection);
  put(changes_, static_cast<std::uint8_t>(c.kind));
  put_varint(changes_, c.row);
  put_varint(changes_, c.retired_row ? *c.retired_row + 1 : 0);
  put_sized(changes_, c.id);
}

void ChangeLogEntry::write(WriteTxn& txn, StoreState& state, std::uint64_t sequence,
                           std::uint64_t retention) const {
  if (count_ == 0) return;
  std::string payload;
  put_varint(payload, count_);
  payload += changes_;
  const std::string key = log_key(sequence);
  txn.put(Keyspace::kLog, key, seal(ValueKind::kLog, 0, sequence, key, payload));
  state.log_changes += count_;
  for (int i = 0; i < kCutAtOnce && state.log_changes > retention; ++i) {
    std::string oldest;
    {
      Cursor cursor = txn.cursor(Keyspace::kLog);
      if (!cursor.seek(log_key(0))) return;
      oldest = cursor.key();
      state.log_from = load_big_endian<std::uint64_t>(oldest.data());
      state.log_changes -= std::min(state.log_changes, count_of(oldest, cursor.value()));
    }
    txn.erase(Keyspace::kLog, oldest);
  }
}

bool decode_changes(std::string_view payload, const std::function<bool(const ChangeEntry&)>& fn) {
  ByteReader in(payload, "change log");
  for (std::uint64_t left = in.varint(); left > 0; --left) {
    ChangeEntry c;
    c.collection = static_cast<std::uint32_t>(in.varint());
    c.kind = static_cast<ChangeKind>(in.get<std::uint8_t>());
    c.row = in.varint();
    if (const std::uint64_t old = in.varint()) c.retired_row = old - 1;
    c.id = in.sized();
    if (!fn(c)) return false;
  }
  if (!in.empty()) fail(ErrorCode::kCorruption, "change log: ", in.rest().size(), " bytes too many");
  return true;
}

bool read_changes(const Txn& txn, std::uint64_t since,
                  const std::function<bool(std::uint64_t, const ChangeEntry&)>& fn) {
  if (since < read_store_state(txn).log_from) return false;
  Cursor cursor = txn.cursor(Keyspace::kLog);
  for (bool more = cursor.seek(log_key(since + 1)); more; more = cursor.next()) {
    const auto entry = unseal(ValueKind::kLog, 0, cursor.key(), cursor.value());
    if (!decode_changes(entry.payload, [&](const ChangeEntry& c) { return fn(entry.sequence, c); }))
      return true;
  }
  return true;
}

}  // namespace vecstore::storage
