// GenerationCopy: the live part of one truth written into another, new one, while commits go on in the first.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "storage/retired.hpp"
#include "storage/rows.hpp"
#include "storage/state.hpp"

namespace vecstore::storage {

/// Blocks are written anew without their retired rows, all else as it is; row numbers, sequence numbers,
/// counters and digests stay. What it reads it checks, and refuses with kCorruption rather than leave
/// anything behind that is not understood: the source stays as it is. One thread.
class GenerationCopy {
 public:
  /// Called between slices of about 16 MiB with the bytes written so far, while the map of the source may
  /// move; may throw to end the work.
  using Pause = std::function<void(std::uint64_t bytes)>;

  /// `target` is empty and belongs to the copy. The snapshot to copy is taken here: what is written later has
  /// to be in the journals given to catch_up.
  GenerationCopy(std::shared_ptr<Env> source, Env& target, std::uint64_t retention, Pause pause);

  /// Copies the snapshot, but for the store record: without it the target is no truth yet.
  void copy_snapshot();
  /// Brings the target up to `newest`, given the keys that were written since the last call.
  void catch_up(ReadTxn& newest, const KeyJournal& written);
  std::uint64_t bytes() const { return bytes_; }
  /// The same as the last step, in one durable transaction that writes the store record too.
  void finish(const Txn& newest, const KeyJournal& written, std::uint64_t generation);

 private:
  using Space = std::pair<std::uint32_t, int>;  // collection, vector field or -1 for documents
  /// One transaction on the target at a time, ended when it has grown large.
  class Slices;

  std::map<std::uint32_t, CollectionState> read_collections();
  template <class Visit>
  void walk(Slices& slices, Keyspace keyspace, std::string from, std::string_view prefix, Visit&& visit);
  void copy_vectors(Slices& slices, std::uint32_t collection, const CollectionState& state);
  void copy_documents(Slices& slices, std::uint32_t collection, const CollectionState& state);
  void copy_ids(Slices& slices, std::uint32_t collection, const CollectionState& state);
  void copy_aux(Slices& slices, std::uint32_t collection, const CollectionState& state);
  void copy_log(Slices& slices);
  void copy_main(Slices& slices, const std::map<std::uint32_t, CollectionState>& collections);
  /// Live rows of [from, end); how many. Between slices the map of `yield` may move.
  std::uint64_t copy_rows(Slices& slices, const Txn& source, ReadTxn* yield, const RowSpace& space,
                          std::uint64_t from, std::uint64_t end, const RetiredRows& retired);
  void apply(Slices& slices, const Txn& newest, ReadTxn* yield, const KeyJournal& written);
  void apply_rows(Slices& slices, const Txn& newest, ReadTxn* yield, const KeyJournal& written);
  void apply_main(Slices& slices, const Txn& newest, const std::string& key);

  std::shared_ptr<Env> source_;
  Env& target_;
  const std::uint64_t retention_;
  Pause pause_;
  std::optional<ReadTxn> snapshot_;
  std::uint64_t bytes_ = 0;                        // written
  std::set<std::string> dropped_;                  // prefixes of keys that the snapshot marks as dropped
  std::map<std::uint32_t, std::uint64_t> stored_;  // collection -> rows in the target's document blocks
  std::map<Space, std::uint64_t> copied_to_;       // rows below it were copied, where they live
  std::map<std::uint32_t, std::uint64_t> snapshot_rows_;  // the same for spaces not named there
  std::map<std::uint64_t, std::uint64_t> cut_;            // log entries left out -> changes in them
};

}  // namespace vecstore::storage
