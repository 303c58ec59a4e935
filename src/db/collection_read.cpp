// Collection: reading records and the change log.
#include "base/error.hpp"
#include "db/admission.hpp"
#include "db/collection_impl.hpp"
#include "query/aggregate.hpp"
#include "query/record_filter.hpp"
#include "shard/sparse_source.hpp"
#include "storage/keys.hpp"

namespace vecstore {
namespace {

constexpr std::size_t kMaxPage = 10'000;

std::optional<Record> read(const shard::ReadView& view, shard::DocumentReader& documents, std::string_view id,
                           bool with_vectors) {
  const auto entry = shard::find_id(view, id);
  if (!entry) return std::nullopt;
  const storage::Document document = documents.read(entry->row);
  // Ids beyond the key limit are found by a hash; and an entry must never lead to another record.
  if (document.id != id) {
    fail(ErrorCode::kCorruption, "collection '", view.shard().name(), "': the entry of id '", id,
         "' leads to another record");
  }
  return shard::read_record(view, documents, document, *entry, with_vectors);
}

}  // namespace

std::optional<Record> Collection::get(std::string_view id, const GetOptions& options) const {
  db::check_id(id);
  const shard::ReadView view(impl_->shard());
  shard::DocumentReader documents(view);
  return read(view, documents, id, options.with_vectors);
}

std::vector<Record> Collection::get(std::span<const std::string> ids, const GetOptions& options) const {
  const shard::ReadView view(impl_->shard());
  shard::DocumentReader documents(view);
  std::vector<Record> out;
  for (const std::string& id : ids) {
    db::check_id(id);
    if (auto record = read(view, documents, id, options.with_vectors)) out.push_back(std::move(*record));
  }
  return out;
}

ScrollPage Collection::scroll(const ScrollOptions& options) const {
  if (options.limit == 0 || options.limit > kMaxPage)
    invalid("limit is ", options.limit, "; 1 to ", kMaxPage, " are allowed");
  if (!options.after.empty()) db::check_id(options.after);
  shard::ReadView view(impl_->shard());
  ScrollPage page;
  Filter filter;
  std::unique_ptr<query::MatchingRows> matching;
  if (!options.where.empty()) {
    filter = Filter::parse(options.where);
  }
  if (!filter.empty()) {
    Context context;
    matching = query::find_matching_rows(view, filter, context);
    page.warnings = matching->warnings();
    matching->require_complete();
  }
  const std::uint32_t number = impl_->shard().collection();
  const std::string prefix = storage::collection_prefix(number);
  const std::string after = options.after.empty() ? prefix : storage::id_key(number, options.after);
  storage::Cursor cursor = view.txn().cursor(storage::Keyspace::kIds);
  shard::DocumentReader documents(view);
  bool more = cursor.seek(after);
  if (more && !options.after.empty() && cursor.key() == after) more = cursor.next();
  for (; more && cursor.key().starts_with(prefix); more = cursor.next()) {
    if (page.records.size() == options.limit) {
      page.next = page.records.back().id;
      break;
    }
    const storage::IdEntry entry = storage::decode_id(cursor.key(), cursor.value());
    if (matching && !matching->contains(entry.row)) {
      matching->require_complete();
      continue;
    }
    const storage::Document document = documents.read(entry.row);
    if (storage::id_key(number, document.id) != cursor.key()) {
      fail(ErrorCode::kCorruption, "collection '", name(), "': the entry of an id leads to record '",
           document.id, "'");
    }
    page.records.push_back(shard::read_record(view, documents, document, entry, options.with_vectors));
  }
  return page;
}

std::uint64_t Collection::count() const { return shard::ReadView(impl_->shard()).state().live; }

std::uint64_t Collection::count(const Filter& filter) const {
  shard::ReadView view(impl_->shard());
  if (filter.empty()) return view.state().live;
  Context context;
  const auto matching = query::find_matching_rows(view, filter, context);
  const std::uint64_t n = matching->count_all();
  matching->require_complete();
  return n;
}

Aggregates Collection::aggregate(const AggregateOptions& options) const {
  Context context;
  if (options.deadline) context.deadline = db::deadline_after(*options.deadline);
  context.stop = options.stop;
  context.check();
  shard::ReadView view(impl_->shard());
  return query::aggregate(options, view, context);
}

Aggregates Collection::facet(std::string_view path, const Filter& where, std::size_t limit) const {
  if (path.empty()) invalid("path is empty; a field is wanted");
  AggregateOptions options;
  options.where = where;
  options.group_by = path;
  options.limit = limit;
  return aggregate(options);
}

CollectionStats Collection::stats() const {
  const shard::ReadView view(impl_->shard());
  const storage::CollectionState& s = view.state();
  CollectionStats out{s.live, s.stored_rows, s.live_bytes, s.digest, s.sequence};
  const auto set = impl_->shard().segments().at(view.txn());
  out.segments = set->items.size();
  for (const auto& item : set->items) out.segment_bytes += item.entry.file_bytes;
  out.rows_outside = s.next_row - set->end_row();
  out.segment_damages = impl_->shard().segments().damages();
  for (const auto& field : view.schema().vectors) {
    IndexStats& index = out.indexes[field.name];
    if (field.element == ElementType::kSparse) {
      for (const auto& item : set->items) {
        const segment::SparsePart* part = item.segment ? item.segment->sparse(field.number) : nullptr;
        if (!part) continue;
        index.sparse_rows += part->meta().documents;
        if (shard::is_outdated(*part, view.schema(), field.name))
          index.outdated_rows += part->meta().documents;
      }
      continue;
    }
    if (field.element != ElementType::kF32) continue;
    index.settings = index_settings(field.index, s.live);
    for (const auto& item : set->items) {
      const auto* part = item.segment ? item.segment->find(field.number) : nullptr;
      if (!part) continue;
      const bool graph = part->part->kind() == segment::PartKind::kGraph;
      if (part->part->kind() == segment::PartKind::kNothing) continue;
      (graph ? index.graph_rows : index.scanned_rows) += part->meta.rows;
      if (shard::is_outdated(*part, field)) index.outdated_rows += part->meta.rows;
    }
  }
  return out;
}

std::vector<Change> Collection::changes(const ChangesOptions& options) const {
  const shard::ReadView view(impl_->shard());
  std::vector<Change> out;
  if (options.limit == 0) return out;
  // A commit is delivered whole, so that the last sequence number is where to go on; the limit may be passed
  // by that.
  const bool complete = storage::read_changes(
      view.txn(), options.since, [&](std::uint64_t sequence, const storage::ChangeEntry& c) {
        if (out.size() >= options.limit && out.back().sequence != sequence) return false;
        if (c.collection == impl_->shard().collection() && c.kind != storage::ChangeKind::kDropCollection) {
          out.push_back({sequence, static_cast<Change::Operation>(c.kind), std::string(c.id), c.row});
        }
        return true;
      });
  if (!complete) {
    fail(ErrorCode::kNotFound, "since is ", options.since, "; the change log begins after ",
         storage::read_store_state(view.txn()).log_from,
         ": read the collection by scroll, then go on from stats().sequence");
  }
  return out;
}

}  // namespace vecstore
