#include "storage/generation_copy.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "storage/change_log.hpp"
#include "storage/envelope.hpp"
#include "storage/keys.hpp"

namespace vecstore::storage {
namespace {

constexpr std::size_t kSliceBytes = std::size_t{16} << 20;
// A slice, and the largest value of a commit on top of it.
constexpr std::uint64_t kSliceRoom = 2 * kSliceBytes + 2 * std::uint64_t{kMaxCommitBytes};

[[noreturn]] void refuse(std::uint32_t collection, std::string_view what) {
  fail(ErrorCode::kCorruption, "collection ", collection, ": ", what,
       "; a damaged store is not compacted, verify tells what is wrong");
}

// A long id's key holds its hash in place of its end.
std::uint64_t id_hash(std::string_view key) {
  const std::string_view id = key.substr(4);
  return id.size() > kMaxKeyId ? load_big_endian<std::uint64_t>(id.data() + id.size() - 16) : hash64(id);
}

// The file is mapped without read-ahead: a block that is not in memory is asked for as a whole.
void will_need(std::string_view value) {
  static const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<std::uintptr_t>(value.data()) / page * page;
  const auto end = reinterpret_cast<std::uintptr_t>(value.data() + value.size());
  if (end - begin > page) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_WILLNEED);
}

// Rows on their way into blocks. They are views into the source: flush before its pages may move.
class RowRun {
 public:
  RowRun(WriteTxn& txn, const RowSpace& space) : txn_(txn), space_(space) {}

  /// True when that filled a block, which was written.
  bool add(const BlockView& block, std::uint32_t i) {
    bool flushed = false;
    if (!rows_.empty() && block.element() != space_.element) flushed = flush();
    space_.element = block.element();
    sequence_ = std::max(sequence_, block.sequence());
    rows_.push_back({block.row(i), block.bytes(i), block.inverse_norm(i)});
    bytes_ += rows_.back().bytes.size();
    const std::size_t most =
        space_.kind == BlockKind::kVectors ? rows_per_block(rows_.front().bytes.size()) : kMaxRowsPerBlock;
    return rows_.size() >= most || bytes_ >= kBlockTarget ? flush() : flushed;
  }
  bool flush() {
    if (rows_.empty()) return false;
    write_rows(txn_, space_, rows_, sequence_);
    written_ += bytes_ + 16 * rows_.size();
    rows_.clear();
    bytes_ = sequence_ = 0;
    return true;
  }
  std::size_t take_written() { return std::exchange(written_, 0); }

 private:
  WriteTxn& txn_;
  RowSpace space_;
  std::vector<BlockRow> rows_;
  std::size_t bytes_ = 0;
  std::size_t written_ = 0;
  std::uint64_t sequence_ = 0;
};

}  // namespace

class GenerationCopy::Slices {
 public:
  /// `append`: every key is above those of its keyspace that are there.
  Slices(GenerationCopy& copy, bool append) : copy_(copy), append_(append) {}

  WriteTxn& txn() {
    if (!txn_) {
      make_room();
      txn_.emplace(copy_.target_);
      if (append_) txn_->append_only();
    }
    return *txn_;
  }
  void put(Keyspace keyspace, std::string_view key, std::string_view value) {
    txn().put(keyspace, key, value);
    wrote(key.size() + value.size());
  }
  void wrote(std::size_t bytes) {
    slice_ += bytes;
    copy_.bytes_ += bytes;
  }
  bool full() const { return slice_ >= kSliceBytes; }
  void commit() {
    if (txn_) txn_->commit_unpublished();
    txn_.reset();
    slice_ = 0;
  }
  /// Ends a slice. Views into `source` are void then, cursors must be gone. Its map may grow meanwhile.
  void turn(ReadTxn& source) {
    struct Released {
      explicit Released(ReadTxn& t) : txn(t) { txn.release_map(); }
      ~Released() { txn.hold_map(); }
      ReadTxn& txn;
    } released(source);
    commit();
    copy_.pause_(copy_.bytes_);
  }

 private:
  // The map cannot grow within a transaction. At its limit the slice tries its luck.
  void make_room() {
    const std::uint64_t limit = copy_.target_.options().max_map_size;
    while (copy_.target_.room() < kSliceRoom && copy_.target_.stats().map_bytes < limit) copy_.target_.grow();
  }

  GenerationCopy& copy_;
  const bool append_;
  std::optional<WriteTxn> txn_;
  std::size_t slice_ = 0;
};

GenerationCopy::GenerationCopy(std::shared_ptr<Env> source, Env& target, std::uint64_t retention, Pause pause)
    : source_(std::move(source)), target_(target), retention_(retention), pause_(std::move(pause)) {
  snapshot_.emplace(source_);
}

void GenerationCopy::copy_snapshot() {
  const auto collections = read_collections();
  {
    Slices slices(*this, true);
    for (const auto& [number, state] : collections) copy_vectors(slices, number, state);
    for (const auto& [number, state] : collections) copy_documents(slices, number, state);
    for (const auto& [number, state] : collections) copy_ids(slices, number, state);
    for (const auto& [number, state] : collections) copy_aux(slices, number, state);
    copy_log(slices);
    slices.commit();
  }
  Slices slices(*this, false);  // the names of the keyspaces lie among the keys of the main one
  copy_main(slices, collections);
  slices.commit();
  snapshot_.reset();
}

// What is marked as dropped is not copied, nor are the marks: there is nothing left to sweep.
std::map<std::uint32_t, CollectionState> GenerationCopy::read_collections() {
  std::map<std::uint32_t, CollectionState> out;
  const std::string prefix(1, kMainPrefix);
  Cursor cursor = snapshot_->cursor(Keyspace::kMain);
  for (bool more = cursor.seek(prefix); more && cursor.key().starts_with(prefix); more = cursor.next()) {
    const std::string_view key = cursor.key();
    if (key.size() == 6 && key[1] == static_cast<char>(MainKind::kCollection)) {
      const auto number = load_big_endian<std::uint32_t>(key.data() + 2);
      const CollectionState state =
          decode_collection_state(unseal(ValueKind::kCollection, number, key, cursor.value()).payload);
      out[number] = state;
      snapshot_rows_[number] = state.next_row;
    } else if (key.size() > 2 && key[1] == static_cast<char>(MainKind::kGarbage)) {
      dropped_.emplace(key.substr(2));
    }
  }
  return out;
}

template <class Visit>
void GenerationCopy::walk(Slices& slices, Keyspace keyspace, std::string from, std::string_view prefix,
                          Visit&& visit) {
  for (bool again = true; again;) {
    again = false;
    {
      Cursor cursor = snapshot_->cursor(keyspace);
      for (bool more = cursor.seek(from); more && cursor.key().starts_with(prefix); more = cursor.next()) {
        if ((again = slices.full())) {
          from = cursor.key();
          break;
        }
        visit(cursor.key(), cursor.value());
      }
    }
    if (again) slices.turn(*snapshot_);
  }
}

std::uint64_t GenerationCopy::copy_rows(Slices& slices, const Txn& source, ReadTxn* yield,
                                        const RowSpace& space, std::uint64_t from, std::uint64_t end,
                                        const RetiredRows& retired) {
  std::uint64_t copied = 0;
  for (bool again = true; again;) {
    again = false;
    {
      RowRun run(slices.txn(), space);
      RowReader reader(source, space);
      for (bool more = reader.seek(from); more && !again; more = reader.next()) {
        const BlockView& block = reader.block();
        will_need(reader.value());
        for (std::uint32_t i = 0; i < block.count() && !again; ++i) {
          const std::uint64_t row = block.row(i);
          if (row < from || retired.contains(row)) continue;
          if (row >= end) refuse(space.collection, concat("row ", row, " was never given out"));
          if (!block.verify(i)) refuse(space.collection, concat("the checksum of row ", row, " differs"));
          ++copied;
          if (!run.add(block, i)) continue;
          slices.wrote(run.take_written());
          if ((again = yield && slices.full())) from = row + 1;
        }
      }
      run.flush();
      slices.wrote(run.take_written());
    }
    if (again) slices.turn(*yield);
  }
  return copied;
}

void GenerationCopy::copy_vectors(Slices& slices, std::uint32_t collection, const CollectionState& state) {
  std::optional<RetiredRows> retired;
  for (std::uint32_t field = 0; field <= 0xffff; ++field) {
    {
      Cursor cursor = snapshot_->cursor(Keyspace::kVectors);
      const std::string prefix = collection_prefix(collection);
      if (!cursor.seek(vector_key(collection, static_cast<std::uint16_t>(field), 0))) return;
      if (!cursor.key().starts_with(prefix) || cursor.key().size() < 6) return;
      field = load_big_endian<std::uint16_t>(cursor.key().data() + 4);
    }
    std::string dropped = collection_prefix(collection);
    put_big_endian(dropped, static_cast<std::uint16_t>(field));
    if (dropped_.contains(dropped)) continue;
    if (!retired) retired = RetiredRows::read(*snapshot_, collection);
    const RowSpace space{BlockKind::kVectors, collection, static_cast<std::uint16_t>(field), 0};
    copy_rows(slices, *snapshot_, &*snapshot_, space, 0, state.next_row, *retired);
  }
}

void GenerationCopy::copy_documents(Slices& slices, std::uint32_t collection, const CollectionState& state) {
  const RetiredRows retired = RetiredRows::read(*snapshot_, collection);
  // A lost slice of retired rows would bring dead ones back.
  if (retired.count() + state.live != state.next_row) {
    refuse(collection, concat(state.next_row, " rows were given out, ", state.live, " live and ",
                              retired.count(), " are retired"));
  }
  const RowSpace space{BlockKind::kDocuments, collection, 0, 0};
  const std::uint64_t copied = copy_rows(slices, *snapshot_, &*snapshot_, space, 0, state.next_row, retired);
  if (copied != state.live)
    refuse(collection, concat("it has ", copied, " documents, its record says ", state.live));
  stored_[collection] = copied;
}

void GenerationCopy::copy_ids(Slices& slices, std::uint32_t collection, const CollectionState& state) {
  CollectionState found;
  const std::string prefix = collection_prefix(collection);
  walk(slices, Keyspace::kIds, prefix, prefix, [&](std::string_view key, std::string_view value) {
    const IdEntry entry = decode_id(key, value);
    ++found.live;
    found.live_bytes += entry.bytes;
    found.digest += entry.contribution_of_hash(id_hash(key));
    slices.put(Keyspace::kIds, key, value);
  });
  if (found.live != state.live || found.live_bytes != state.live_bytes || found.digest != state.digest)
    refuse(collection,
           concat("its ids do not add up to what its record says: ", found.live, " of ", state.live));
}

void GenerationCopy::copy_aux(Slices& slices, std::uint32_t collection, const CollectionState& state) {
  std::uint64_t overlays = 0;
  std::uint64_t names = 0;
  const std::string prefix = collection_prefix(collection);
  walk(slices, Keyspace::kAux, prefix, prefix, [&](std::string_view key, std::string_view value) {
    switch (static_cast<AuxKind>(key[4])) {
      case AuxKind::kSchema:
        unseal(ValueKind::kSchema, collection, key, value);
        break;
      case AuxKind::kFieldName:
        unseal(ValueKind::kFieldName, collection, key, value);
        ++names;
        break;
      case AuxKind::kRetired:
        unseal(ValueKind::kRetired, collection, key, value);
        break;
      case AuxKind::kOverlay:
        unseal(ValueKind::kOverlay, collection, key, value);
        ++overlays;
        break;
      default:
        break;  // of a kind that this file need not know
    }
    slices.put(Keyspace::kAux, key, value);
  });
  if (overlays != state.overlays || names != state.field_names)
    refuse(collection,
           concat("it has ", overlays, " documents with newer metadata and ", names,
                  " names of metadata, its record says ", state.overlays, " and ", state.field_names));
}

// What retention no longer asks for stays behind: the log is cut bit by bit, which may lag.
void GenerationCopy::copy_log(Slices& slices) {
  std::uint64_t left = read_store_state(*snapshot_).log_changes;
  walk(slices, Keyspace::kLog, log_key(0), {}, [&](std::string_view key, std::string_view value) {
    std::uint64_t count = 0;
    decode_changes(unseal(ValueKind::kLog, 0, key, value).payload,
                   [&](const ChangeEntry&) { return ++count; });
    if (left > retention_) {
      cut_[load_big_endian<std::uint64_t>(key.data())] = count;
      left -= std::min(left, count);
      return;
    }
    slices.put(Keyspace::kLog, key, value);
  });
}

void GenerationCopy::copy_main(Slices& slices, const std::map<std::uint32_t, CollectionState>& collections) {
  const std::string prefix = main_key(MainKind::kName);
  walk(slices, Keyspace::kMain, prefix, prefix, [&](std::string_view key, std::string_view value) {
    unseal(ValueKind::kName, 0, key, value);
    slices.put(Keyspace::kMain, key, value);
  });
  for (const auto& [number, state] : collections) {
    CollectionState copy = state;
    copy.stored_rows = stored_[number];
    write_collection_state(slices.txn(), number, copy);
  }
}

void GenerationCopy::catch_up(ReadTxn& newest, const KeyJournal& written) {
  Slices slices(*this, false);
  apply(slices, newest, &newest, written);
  slices.commit();
}

void GenerationCopy::finish(const Txn& newest, const KeyJournal& written, std::uint64_t generation) {
  Slices slices(*this, false);
  apply(slices, newest, nullptr, written);
  StoreState state = read_store_state(newest);
  state.generation = generation;
  state.moved_to = 0;
  for (const auto& [sequence, changes] : cut_) {
    state.log_from = std::max(state.log_from, sequence);
    state.log_changes -= std::min(state.log_changes, changes);
  }
  write_store_state(slices.txn(), state);
  slices.commit();
}

// Rows are told by their numbers, since the blocks of the two truths differ; every other key is brought to
// what it is now.
void GenerationCopy::apply(Slices& slices, const Txn& newest, ReadTxn* yield, const KeyJournal& written) {
  apply_rows(slices, newest, yield, written);
  for (const std::string& key : written.keys(Keyspace::kMain)) apply_main(slices, newest, key);
  for (const Keyspace keyspace : {Keyspace::kIds, Keyspace::kAux, Keyspace::kLog}) {
    for (const std::string& key : written.keys(keyspace)) {
      if (yield && slices.full()) slices.turn(*yield);
      if (const auto value = newest.get(keyspace, key)) {
        slices.put(keyspace, key, *value);
      } else {
        slices.txn().erase(keyspace, key);
        if (keyspace == Keyspace::kLog) cut_.erase(load_big_endian<std::uint64_t>(key.data()));
      }
    }
  }
}

void GenerationCopy::apply_rows(Slices& slices, const Txn& newest, ReadTxn* yield,
                                const KeyJournal& written) {
  std::vector<RowSpace> spaces;
  for (const std::string& key : written.keys(Keyspace::kVectors)) {
    spaces.push_back({BlockKind::kVectors, load_big_endian<std::uint32_t>(key.data()),
                      load_big_endian<std::uint16_t>(key.data() + 4), 0});
  }
  for (const std::string& key : written.keys(Keyspace::kDocuments))
    spaces.push_back({BlockKind::kDocuments, load_big_endian<std::uint32_t>(key.data()), 0, 0});
  for (const RowSpace& space : spaces) {
    const auto state = read_collection_state(newest, space.collection);
    if (!state) continue;
    const bool documents = space.kind == BlockKind::kDocuments;
    const auto [to, added] = copied_to_.try_emplace({space.collection, documents ? -1 : space.field}, 0);
    if (added) {
      const auto known = snapshot_rows_.find(space.collection);
      if (known != snapshot_rows_.end()) to->second = known->second;
    }
    if (to->second == state->next_row) continue;  // old blocks were reclaimed, that is all
    const std::uint64_t copied = copy_rows(slices, newest, yield, space, to->second, state->next_row,
                                           RetiredRows::read(newest, space.collection));
    if (documents) stored_[space.collection] += copied;
    to->second = state->next_row;
  }
}

void GenerationCopy::apply_main(Slices& slices, const Txn& newest, const std::string& key) {
  if (key.size() < 2 || key[0] != kMainPrefix) return;
  const auto value = newest.get(Keyspace::kMain, key);
  switch (static_cast<MainKind>(key[1])) {
    case MainKind::kStore:
      return;  // the last step's
    case MainKind::kCollection: {
      const auto number = load_big_endian<std::uint32_t>(key.data() + 2);
      auto state = read_collection_state(newest, number);
      if (!state) break;
      state->stored_rows = stored_[number];
      return write_collection_state(slices.txn(), number, *state);
    }
    case MainKind::kGarbage: {
      // The source may have swept already what lies in the target.
      const std::string mark = value
                                   ? std::string(*value)
                                   : seal(ValueKind::kGarbage, 0, read_store_state(newest).sequence, key, {});
      return slices.put(Keyspace::kMain, key, mark);
    }
    case MainKind::kName:
      break;
  }
  if (value) {
    slices.put(Keyspace::kMain, key, *value);
  } else {
    slices.txn().erase(Keyspace::kMain, key);
  }
}

}  // namespace vecstore::storage
