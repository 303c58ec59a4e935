// Collection: writes that depend on what is stored. They look at it in a read view and commit only if it is
// still the version that they saw; else they look again.
#include <array>
#include <functional>

#include "base/error.hpp"
#include "base/json.hpp"
#include "db/admission.hpp"
#include "db/collection_impl.hpp"
#include "query/record_filter.hpp"

namespace vecstore {
namespace {

// Each try that fails is a commit of somebody else.
constexpr int kTries = 1'000;
// What records that are changed together may hold in memory.
constexpr std::size_t kMostBytesPerCommit = std::size_t{16} << 20;

struct Stored {
  Record record;
  std::size_t bytes = 0;  // of id, document and vectors
};
/// One record as it is stored, without its vectors, and whether the filter, if there is one, matches it.
std::optional<Stored> stored_record(const shard::ReadView& view, shard::DocumentReader& documents,
                                    std::string_view id, const query::RecordFilter* filter, bool& matches) {
  const auto entry = shard::find_id(view, id);
  if (!entry) return std::nullopt;
  const storage::Document document = documents.read(entry->row);
  matches = !filter || filter->matches(document);
  return Stored{shard::read_record(view, documents, document, *entry, false), entry->bytes};
}

void change(Record& record, const MetadataChanges& changes, std::string_view collection) {
  try {
    changes.apply(record.metadata);
    validate_metadata(record.metadata);
  } catch (const Error& e) {
    fail(e.code(), "id '", record.id, "' in collection '", collection, "': ", e.what());
  }
}

/// Records to be changed by one commit, which ends its use.
class Changes {
 public:
  explicit Changes(Collection::Impl& impl) : impl_(impl) {}
  void add(Stored stored) {
    // Where metadata is searched as text the whole record is written anew.
    bytes_ += stored.bytes + stored.record.metadata.to_json().size() + sizeof(Record);
    stored.record.text = {};
    records_.push_back(std::move(stored.record));
  }
  bool full() const { return records_.size() >= db::kMaxBatchRecords || bytes_ >= kMostBytesPerCommit; }
  /// How many were changed; the ids of the others, which somebody else has changed meanwhile, go to `again`.
  std::uint64_t commit(std::vector<std::string>& again) {
    if (records_.empty()) return 0;
    std::vector<db::Write> writes;
    for (const Record& r : records_)
      writes.push_back({Operation::Kind::kUpdateMetadata, &r, r.sequence, false});
    const std::vector<std::size_t> left_out = impl_.execute(writes, true).left_out;
    for (const std::size_t i : left_out) again.push_back(records_[i].id);
    return records_.size() - left_out.size();
  }

 private:
  Collection::Impl& impl_;
  std::vector<Record> records_;
  std::size_t bytes_ = 0;
};

std::vector<std::string> matching_ids(shard::Shard& shard, const Filter& filter) {
  shard::ReadView view(shard);
  Context context;
  const auto matching = filter.empty() ? nullptr : query::find_matching_rows(view, filter, context);
  const query::ViewRows rows(view, matching.get(), nullptr);
  shard::DocumentReader documents(view);
  std::vector<std::string> ids;
  for (std::uint64_t row = rows.next(0); row != kNoRow; row = rows.next(row + 1)) {
    if (!matching || matching->contains(row)) ids.emplace_back(documents.read(row).id);
  }
  if (matching) matching->require_complete();
  return ids;
}

}  // namespace

shard::ApplyResult Collection::Impl::execute_if(Operation& operation, const WriteCondition& condition,
                                                const std::function<void(const Record*)>& prepare) {
  const std::string id = operation.record.id;
  db::check_id(id);
  for (int i = 0; i < kTries; ++i) {
    operation.if_sequence = condition.if_sequence;
    if (!condition.if_matches.empty() || prepare) {
      const shard::ReadView view(*shard_);
      std::optional<query::RecordFilter> filter;
      if (!condition.if_matches.empty()) filter.emplace(view, condition.if_matches);
      shard::DocumentReader documents(view);
      bool matches = false;
      const auto stored = stored_record(view, documents, id, filter ? &*filter : nullptr, matches);
      const std::uint64_t sequence = stored ? stored->record.sequence : 0;
      if (filter && !matches) {
        fail(ErrorCode::kConflict, "id '", id, "' in collection '", name(), "' ",
             stored ? concat("is at sequence ", sequence, " and does not match ") : "does not exist: ",
             condition.if_matches.to_string());
      }
      if (!condition.if_sequence) operation.if_sequence = sequence;
      // Another version is refused by the commit, which says so.
      if (prepare && operation.if_sequence == sequence) prepare(stored ? &stored->record : nullptr);
    }
    try {
      return execute(std::array{db::Write{operation.kind, &operation.record, operation.if_sequence}}, false);
    } catch (const Error& e) {
      if (e.code() != ErrorCode::kConflict || condition.if_sequence) throw;
    }
  }
  fail(ErrorCode::kBusy, "id '", id, "' in collection '", name(), "' is changed by others all the time");
}

SequenceNumber Collection::upsert(const Record& record, const WriteCondition& condition) {
  Operation operation{Operation::Kind::kUpsert, record};
  return impl_->execute_if(operation, condition).sequence;
}

std::uint64_t Collection::erase(std::string_view id, const WriteCondition& condition) {
  Operation operation{Operation::Kind::kErase, {.id = std::string(id)}};
  return impl_->execute_if(operation, condition).existed;
}

SequenceNumber Collection::update_metadata(std::string_view id, Metadata metadata,
                                           const WriteCondition& condition) {
  Operation operation{Operation::Kind::kUpdateMetadata,
                      {.id = std::string(id), .metadata = std::move(metadata)}};
  return impl_->execute_if(operation, condition).sequence;
}

SequenceNumber Collection::change_metadata(std::string_view id, const MetadataChanges& changes,
                                           const WriteCondition& condition) {
  Operation operation{Operation::Kind::kUpdateMetadata, {.id = std::string(id)}};
  const auto prepare = [&](const Record* stored) {
    if (!stored) fail(ErrorCode::kNotFound, "id '", id, "' does not exist in collection '", name(), "'");
    operation.record.metadata = stored->metadata;
    change(operation.record, changes, name());
  };
  return impl_->execute_if(operation, condition, prepare).sequence;
}

std::uint64_t Collection::update_where(const Filter& filter, const MetadataChanges& changes) {
  std::uint64_t changed = 0;
  std::vector<std::string> ids = matching_ids(impl_->shard(), filter);
  for (int tries = 0; !ids.empty(); ++tries) {
    if (tries == kTries)
      fail(ErrorCode::kBusy, "collection '", name(),
           "': records that match are changed by others all the time");
    std::vector<std::string> again;
    for (std::size_t next = 0; next < ids.size();) {
      Changes commit(*impl_);
      {
        const shard::ReadView view(impl_->shard());
        const query::RecordFilter record_filter(view, filter);
        shard::DocumentReader documents(view);
        for (; next < ids.size() && !commit.full(); ++next) {
          bool matches = false;
          auto stored = stored_record(view, documents, ids[next], &record_filter, matches);
          if (!stored || !matches) continue;
          change(stored->record, changes, name());
          commit.add(std::move(*stored));
        }
      }
      changed += commit.commit(again);
    }
    ids = std::move(again);
  }
  return changed;
}

}  // namespace vecstore
