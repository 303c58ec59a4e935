#include "shard/shard.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "storage/document.hpp"
#include "storage/envelope.hpp"
#include "storage/keys.hpp"
#include "storage/rows.hpp"

namespace vecstore::shard {

using storage::AuxKind;
using storage::Keyspace;
using storage::ValueKind;

Shard::Shard(std::shared_ptr<storage::Store> store, std::uint32_t collection, std::string name,
             const SegmentOptions& options, std::shared_ptr<Background> background)
    : store_(std::move(store)),
      collection_(collection),
      name_(std::move(name)),
      segment_options_(options),
      background_(std::move(background)),
      segments_(*store_, collection) {}

std::shared_ptr<const storage::RetiredRows> Shard::retired(const storage::Txn& txn,
                                                           const storage::CollectionState& state) {
  std::lock_guard lock(mutex_);
  if (retired_ && retired_sequence_ == state.retired_sequence) return retired_;
  auto rows = std::make_shared<const storage::RetiredRows>(storage::RetiredRows::read(txn, collection_));
  if (!retired_ || state.retired_sequence > retired_sequence_) {
    retired_ = rows;
    retired_sequence_ = state.retired_sequence;
  }
  return rows;
}

std::shared_ptr<const catalog::Schema> Shard::schema(const storage::Txn& txn,
                                                     const storage::CollectionState& state) {
  std::lock_guard lock(mutex_);
  if (schema_ && schema_number_ == state.schema) return schema_;
  auto schema = std::make_shared<const catalog::Schema>(catalog::read_schema(txn, collection_, state));
  if (state.schema > schema_number_) {
    schema_ = schema;
    schema_number_ = state.schema;
  }
  return schema;
}

std::uint64_t Shard::terms_fingerprint(const catalog::Schema& schema) {
  std::uint64_t known = terms_fingerprint_.load(std::memory_order_relaxed);
  if (known == 0) {
    known = segment::terms_fingerprint(schema.text_fields);
    terms_fingerprint_.store(known, std::memory_order_relaxed);
  }
  return known;
}

void Shard::load_field_names(const storage::Txn& txn, const storage::CollectionState& state) {
  if (names_.size() >= state.field_names) return;
  std::lock_guard lock(names_mutex_);
  for (std::uint64_t i = names_.size(); i < state.field_names; ++i) {
    const std::string key = storage::aux_key(collection_, AuxKind::kFieldName, i);
    const auto value = txn.get(Keyspace::kAux, key);
    if (!value)
      fail(ErrorCode::kCorruption, "collection '", name_, "': metadata key number ", i, " is missing");
    const auto number =
        names_.intern(storage::unseal(ValueKind::kFieldName, collection_, key, *value).payload);
    if (number != i)
      fail(ErrorCode::kCorruption, "collection '", name_, "': metadata key number ", i,
           " stands there twice");
  }
}

VectorFollower& Shard::vectors(const catalog::VectorFieldSchema& field) {
  std::lock_guard lock(mutex_);
  auto& follower = vectors_[field.number];
  if (!follower) follower = std::make_unique<VectorFollower>(field);
  return *follower;
}

SparseFollower& Shard::sparse(std::uint16_t field) {
  std::lock_guard lock(mutex_);
  auto& follower = sparse_[field];
  if (!follower) follower = std::make_unique<SparseFollower>(field);
  return *follower;
}

void Shard::let_go_of_segments() {
  texts_.let_go();
  fields_.let_go();
  std::lock_guard lock(mutex_);
  for (const auto& [field, follower] : sparse_) follower->let_go();
}

void Shard::ask_for_block_tables() {
  const auto step = [weak = weak_from_this()](std::stop_token stop) {
    const auto shard = weak.lock();
    if (!shard) return false;
    Context context;
    context.stop = std::move(stop);
    return shard->block_tables_.make_one(*shard, context);
  };
  background_->request(&block_tables_, step, Background::Lane::kQuick);
}

void Shard::change_schema(const std::function<void(catalog::Schema&)>& change) {
  store_->write(
      [&](storage::Commit& commit) {
        auto state = storage::read_collection_state(commit.txn, collection_);
        if (!state) fail(ErrorCode::kNotFound, "collection '", name_, "' was deleted");
        const catalog::Schema before = catalog::read_schema(commit.txn, collection_, *state);
        catalog::Schema after = before;
        change(after);
        if (after == before) return;
        for (const auto& field : before.vectors) {
          const bool kept = std::any_of(after.vectors.begin(), after.vectors.end(),
                                        [&](const auto& f) { return f.number == field.number; });
          if (!kept) catalog::drop_vector_rows(commit, collection_, field.number);
        }
        catalog::write_schema(commit, collection_, *state, after);
        state->sequence = commit.sequence;
        storage::write_collection_state(commit.txn, collection_, *state);
      },
      4096);
}

ApplyResult Shard::apply(const PreparedBatch& batch) {
  keep_bound(batch);
  ApplyResult result;
  result.sequence = store_->write([&](storage::Commit& commit) { result = apply_in(commit, batch); },
                                  batch.bytes(), batch.only_erases());
  std::uint64_t known = next_row_.load(std::memory_order_relaxed);
  while (known < result.next_row && !next_row_.compare_exchange_weak(known, result.next_row)) {
  }
  return result;
}

}  // namespace vecstore::shard
