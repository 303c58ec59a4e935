// How segments come to be: from the rows that none covers, and from other segments.
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <thread>

#include "base/error.hpp"
#include "base/executor.hpp"
#include "base/os_file.hpp"
#include "segment/graph_part.hpp"
#include "shard/quarantine.hpp"
#include "shard/read_view.hpp"
#include "shard/shard.hpp"
#include "storage/rows.hpp"

namespace vecstore::shard {
namespace {

using storage::SegmentEntry;

constexpr std::uint64_t kMostRowsOutside = 20'000;
constexpr std::uint64_t kMostBytesOutside = std::uint64_t{64} << 20;
// What a row takes in a segment besides twice its dimension, at most; and what is left for the truth.
constexpr std::uint64_t kIndexBytesPerRow = 256;
constexpr std::uint64_t kDiskReserve = std::uint64_t{8} << 20;
// After a failure nothing is tried for so long.
constexpr auto kRest = std::chrono::seconds(2);
constexpr auto kQuiet = std::chrono::milliseconds(200);
// A segment is merged with those behind it once they have together more than one in so many of its rows.
constexpr std::uint64_t kMergeFactor = 8;
// A segment with more retired rows than one in so many is made anew.
constexpr std::uint64_t kRetiredShare = 5;

void sleep(const std::stop_token& stop, std::chrono::milliseconds time) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, stop, time, [] { return false; });
}

/// The live vectors of one field between two rows, as the view sees them.
segment::VectorRows vectors_of(const ReadView& view, const catalog::VectorFieldSchema& field,
                               std::uint64_t from, std::uint64_t to) {
  return [&view, &field, from, to](const std::function<void(const segment::SourceRow&)>& fn) {
    const std::size_t row_bytes = field.dimension * sizeof(float);
    storage::RowReader reader(view.txn(),
                              {storage::BlockKind::kVectors, view.shard().collection(), field.number, 0});
    std::vector<float> copy;
    std::optional<std::uint64_t> damaged_row;
    for (bool started = false;;) {
      try {
        if (!(started ? reader.next() : reader.seek(from))) return;
        started = true;
        const storage::BlockView& block = reader.block();
        if (block.first_row() >= to) return;
        if (block.row_bytes() != row_bytes) continue;
        const bool moves = !view.txn().has_own_pages(reader.value());
        for (std::uint32_t i = 0; i < block.count(); ++i) {
          const std::uint64_t row = block.row(i);
          if (row < from || row >= to || !view.is_live(row) || !block.verify(i)) continue;
          const char* bytes = block.bytes(i).data();
          const auto* vector = reinterpret_cast<const float*>(bytes);
          if (reinterpret_cast<std::uintptr_t>(bytes) % alignof(float) != 0) {
            copy.resize(field.dimension);
            std::memcpy(copy.data(), bytes, row_bytes);
            vector = copy.data();
          }
          fn({row, vector, block.inverse_norm(i), moves || vector == copy.data()});
        }
      } catch (const Error& e) {
        // What is damaged has no place in a segment; exact searches and verify report it.
        if (e.code() != ErrorCode::kCorruption) throw;
        started = true;
        if (damaged_row == reader.damaged_last_row()) return;
        damaged_row = reader.damaged_last_row();
      }
    }
  };
}

bool has_parts(const catalog::VectorFieldSchema& field) {
  return field.element == ElementType::kF32 && field.dimension > 0;
}

IndexSettings settings_of(const catalog::VectorFieldSchema& field) {
  return index_settings(field.index, field.dimension, 0);
}

bool is_indexed(const catalog::VectorFieldSchema& field) {
  return has_parts(field) && settings_of(field).codes != Codes::kF32;
}

/// What parts of this field have to say of themselves.
segment::PartBuild build_of(const catalog::VectorFieldSchema& field) {
  const IndexSettings s = settings_of(field);
  return {static_cast<std::uint32_t>(s.codes), s.m, s.ef_construction, 0};
}

/// Where the vectors of a run of rows lie while a view lives, for a graph that reads them again and again.
struct Gathered {
  std::vector<std::uint64_t> rows;
  std::vector<const float*> vectors;
  std::deque<std::vector<float>> copies;  // of vectors in pages that move, or that are not aligned
};

Gathered gather(const ReadView& view, const catalog::VectorFieldSchema& field, std::uint64_t from,
                std::uint64_t to, const Context& context) {
  Gathered out;
  vectors_of(view, field, from, to)([&](const segment::SourceRow& row) {
    if (out.rows.size() % 1024 == 0) context.check();
    out.rows.push_back(row.row);
    out.vectors.push_back(row.vector);
    if (row.is_copy) {
      out.copies.emplace_back(row.vector, row.vector + field.dimension);
      out.vectors.back() = out.copies.back().data();
    }
  });
  return out;
}

/// A graph over what was gathered: the one of `base`, if it has the first of these rows and was made in the
/// same way, with the others added. nullptr where it does not find what it should: such rows are scanned.
std::shared_ptr<const HnswIndex> build_graph(const Gathered& rows, const catalog::VectorFieldSchema& field,
                                             const segment::Segment::PartEntry* base, unsigned threads,
                                             Context& context) {
  const IndexSettings settings = settings_of(field);
  const ParallelFor parallel = [&](std::size_t count, const std::function<void(std::size_t)>& fn) {
    Executor::shared().parallel_for(count, threads, fn);
  };
  HnswOptions options;
  options.metric = field.metric;
  options.dimension = field.dimension;
  options.rescoring_copy = settings.codes == Codes::kInt4Residual;
  options.build.m = settings.m;
  options.build.ef_construction = settings.ef_construction;
  options.build.threads = threads;
  if (threads > 1) options.build.parallel = &parallel;
  const auto count = static_cast<std::uint32_t>(rows.rows.size());
  const RowVectors vectors = [&](std::uint32_t i) { return rows.vectors[i]; };
  const auto checked = [&](std::shared_ptr<const HnswIndex> index) {
    const bool good = index->sampled_recall(vectors, options, context) >= HnswIndex::kLeastSampledRecall;
    return good ? std::move(index) : nullptr;
  };
  // Codes are made anew in any case: only the links are taken over.
  const bool same_links = base && base->part->kind() == segment::PartKind::kGraph &&
                          base->meta.build.m == settings.m &&
                          base->meta.build.ef_construction == settings.ef_construction;
  const auto* graph = same_links ? static_cast<const segment::GraphPart*>(base->part.get()) : nullptr;
  if (graph) {
    std::vector<std::uint32_t> removed;
    std::size_t at = 0;
    const auto old = graph->row_numbers();
    for (std::uint32_t node = 0; node < old.size(); ++node) {
      if (at < rows.rows.size() && rows.rows[at] == old[node]) {
        ++at;
      } else {
        removed.push_back(node);
      }
    }
    // `at` rows are the kept nodes, in order; one that lies between them (unreadable before) would shift the
    // rest. Half of it gone, or less than a third kept: the old links are not worth keeping.
    const std::size_t kept = old.size() - removed.size();
    const bool in_front = at == rows.rows.size() || rows.rows[at] > old.back();
    if (in_front && kept * 2 > old.size() && kept * 3 > count)
      return checked(HnswIndex::merge(graph->index(), removed, count, vectors, options, context));
  }
  return checked(HnswIndex::build(options, count, vectors, context));
}

void remove_file(const storage::Store& store, const SegmentEntry& entry) {
  try {
    os::remove_file(storage::segment_path(store.directory(), entry.number));
  } catch (const Error&) {
    // It is listed no more; the next writable open removes what is left over.
  }
}

/// Writes the file for rows [first, end) of the view; what the list will say of it. `graphs`: parts with
/// enough rows get one; `base` may have a segment with the first of these rows.
SegmentEntry build(const ReadView& view, std::uint64_t first_row, std::uint64_t end_row, bool graphs,
                   const segment::Segment* base, Context& context) {
  Shard& shard = view.shard();
  const std::string directory = storage::segment_directory(shard.store().directory());
  os::make_directories(directory);
  std::uint64_t row_bytes = 0;
  for (const auto& field : view.schema().vectors) row_bytes += kIndexBytesPerRow + 2 * field.dimension;
  const std::uint64_t wanted = kDiskReserve + (end_row - first_row) * row_bytes;
  const auto free_bytes = [&] { return os::disk_space(shard.store().directory()).free_bytes; };
  // What is kept to be looked at is in nobody's way.
  if (free_bytes() < wanted) trim_quarantine(shard.store().directory(), 0);
  if (const auto free = free_bytes(); free < wanted) {
    fail(ErrorCode::kDiskFull, "'", shard.store().directory(), "': a segment may need ", wanted, " bytes, ",
         free, " are free");
  }
  SegmentEntry entry;
  entry.number = shard.store().new_segment_number();
  entry.first_row = first_row;
  entry.end_row = end_row;
  entry.sequence = view.state().sequence;
  segment::SegmentWriter writer(directory, shard.segments().identity(entry), view.schema().vectors.size());
  const SegmentOptions& options = shard.segment_options();
  const unsigned threads =
      options.threads ? options.threads : std::max(1u, std::thread::hardware_concurrency());
  for (const auto& field : view.schema().vectors) {
    if (!has_parts(field)) continue;
    const segment::PartBuild asked = build_of(field);
    if (!is_indexed(field)) {
      writer.add_nothing(field.number, field.metric, field.dimension, end_row - first_row, asked);
      continue;
    }
    const bool walked = settings_of(field).has_graph();
    auto kind = walked ? segment::PartKind::kFlat : segment::PartKind::kScanned;
    if (graphs && walked) {
      const Gathered rows = gather(view, field, first_row, end_row, context);
      if (rows.rows.size() >= options.graph_rows) {
        const auto graph =
            build_graph(rows, field, base ? base->find(field.number) : nullptr, threads, context);
        if (graph) {
          writer.add_graph(field.number, *graph, rows.rows, asked, context);
          continue;
        }
        kind = segment::PartKind::kScanned;
      }
    }
    writer.add_flat(field.number, field.metric, field.dimension, vectors_of(view, field, first_row, end_row),
                    context, asked, kind);
  }
  entry.rows = writer.rows();
  try {
    entry.file_bytes = writer.finish();
  } catch (const Error& e) {
    remove_file(shard.store(), entry);
    // Nothing that a caller was promised depends on this file.
    if (e.code() == ErrorCode::kUnknownOutcome) fail(ErrorCode::kIo, e.what());
    throw;
  }
  return entry;
}

/// Puts `entry` in the place of `replaced`, which must stand in the list as they are. False when they do not.
bool commit_list(Shard& shard, std::span<const SegmentEntry> replaced, const SegmentEntry& entry) {
  bool done = false;
  shard.store().write(
      [&](storage::Commit& commit) {
        done = false;
        if (!storage::read_collection_state(commit.txn, shard.collection())) return;
        std::vector<SegmentEntry> list;
        try {
          list = storage::read_segments(commit.txn, shard.collection());
        } catch (const Error& e) {
          if (e.code() != ErrorCode::kCorruption) throw;  // a damaged list is replaced as if it were empty
        }
        const auto at = std::find_if(list.begin(), list.end(),
                                     [&](const SegmentEntry& e) { return e.first_row == entry.first_row; });
        const auto left = static_cast<std::size_t>(list.end() - at);
        if (left < replaced.size() || !std::equal(replaced.begin(), replaced.end(), at)) return;
        const std::uint64_t end = list.empty() ? 0 : list.back().end_row;
        if (replaced.empty() && entry.first_row != end) return;
        const auto place = list.erase(at, at + static_cast<std::ptrdiff_t>(replaced.size()));
        list.insert(place, entry);
        commit.derived = true;
        storage::write_segments(commit.txn, shard.collection(), commit.state.sequence, list);
        done = true;
      },
      4096);
  return done;
}

/// The same for a file that is in its place; it is removed when it is not listed.
bool publish(Shard& shard, std::span<const SegmentEntry> replaced, const SegmentEntry& entry) {
  try {
    if (commit_list(shard, replaced, entry)) return true;
  } catch (const Error& e) {
    // Where the outcome is unknown the list may name it.
    if (e.code() != ErrorCode::kUnknownOutcome && !shard.store().poisoned())
      remove_file(shard.store(), entry);
    throw;
  }
  remove_file(shard.store(), entry);
  return false;
}

struct Merge {
  std::size_t first = 0;  // of the items
  std::size_t count = 0;
};

/// Parts of dropped fields are nobody's.
bool has_outdated_part(const segment::Segment& segment, const catalog::Schema& schema) {
  return std::any_of(segment.parts().begin(), segment.parts().end(), [&](const auto& p) {
    const auto field = std::find_if(schema.vectors.begin(), schema.vectors.end(),
                                    [&](const auto& f) { return f.number == p.meta.field; });
    return field != schema.vectors.end() && is_outdated(p, *field);
  });
}

/// What should become one segment: a run at the end of the list, or one that is damaged or has too many
/// retired rows.
std::optional<Merge> plan_merge(const ReadView& view, const SegmentSet& set, const SegmentOptions& options,
                                bool all) {
  const std::size_t n = set.items.size();
  if (n == 0) return std::nullopt;
  std::vector<std::uint64_t> live(n);
  std::vector<bool> anew(n);  // has to be built again in any case
  for (std::size_t i = 0; i < n; ++i) {
    const SegmentSet::Item& item = set.items[i];
    std::uint64_t retired = 0;
    for (const auto& part :
         item.segment ? std::span(item.segment->parts()) : std::span<const segment::Segment::PartEntry>()) {
      std::uint64_t dead = 0;
      try {
        for (std::uint64_t row : part.part->row_numbers()) dead += !view.is_live(row);
      } catch (const Error& e) {
        if (e.code() != ErrorCode::kCorruption) throw;
        view.shard().segments().report_damage(item.entry.number);  // the next step makes it anew
      }
      retired = std::max(retired, dead);
    }
    live[i] = item.entry.rows - std::min(item.entry.rows, retired);
    anew[i] = !item.segment || (all ? retired > 0 : retired * kRetiredShare > item.entry.rows) ||
              has_outdated_part(*item.segment, view.schema());
  }
  const auto wants_graph = [&](std::uint32_t number) {
    const auto& fields = view.schema().vectors;
    return std::none_of(fields.begin(), fields.end(),
                        [&](const auto& f) { return f.number == number && !settings_of(f).has_graph(); });
  };
  const auto is_flat = [&](std::size_t i) {
    return set.items[i].segment && live[i] >= options.graph_rows &&
           std::any_of(set.items[i].segment->parts().begin(), set.items[i].segment->parts().end(),
                       [&](const auto& p) {
                         return p.part->kind() == segment::PartKind::kFlat &&
                                p.meta.rows >= options.graph_rows && wants_graph(p.meta.field);
                       });
  };
  if (all) {
    if (n > 1 || anew[0] || is_flat(0)) return Merge{0, n};
    return std::nullopt;
  }
  for (std::size_t i = 0; i < n; ++i) {
    if (!set.items[i].segment) return Merge{i, 1};
  }
  // The longest run at the end in which each segment is small against what follows it.
  std::uint64_t behind = live[n - 1];
  std::size_t first = n - 1;
  while (first > 0 && live[first - 1] < kMergeFactor * behind) behind += live[--first];
  if (first < n - 1 || is_flat(n - 1)) return Merge{first, n - first};
  for (std::size_t i = 0; i < n; ++i) {
    if (anew[i] || is_flat(i)) return Merge{i, 1};
  }
  return std::nullopt;
}

}  // namespace

bool is_outdated(const segment::Segment::PartEntry& part, const catalog::VectorFieldSchema& field) {
  using segment::PartKind;
  if (part.meta.build == build_of(field)) return false;
  const PartKind kind = part.part->kind();
  if (!is_indexed(field)) return kind != PartKind::kNothing;
  // What is scanned by 8-bit codes is as it should be until it gets a graph.
  if (!settings_of(field).has_graph()) return kind != PartKind::kFlat && kind != PartKind::kScanned;
  // And so is what waits for one.
  return kind == PartKind::kGraph || kind == PartKind::kScanned || kind == PartKind::kNothing;
}

// Called before a commit: its rows will be added to those that no segment covers.
void Shard::keep_bound(const PreparedBatch& batch) {
  std::uint64_t bytes = 0;
  for (const PreparedVector& v : batch.vectors) bytes += v.element == ElementType::kF32 ? v.bytes.size() : 0;
  if (bytes == 0 || batch.schema == unindexed_schema_.load(std::memory_order_relaxed)) return;
  const std::uint64_t row_bytes = bytes / batch.writes.size() + 1;
  const std::uint64_t most = std::min(kMostRowsOutside, kMostBytesOutside / row_bytes);
  const std::uint64_t enough = std::min(segment_options_.checkpoint_rows, most / 2);
  const std::uint64_t next = next_row_.load(std::memory_order_relaxed);
  const std::uint64_t covered = segments_.covered();
  const std::uint64_t outside = next > covered ? next - covered : 0;
  if (outside < enough || resting()) return;
  Context context;
  if (outside + batch.writes.size() <= most) {
    const std::unique_lock lock(checkpoint_mutex_, std::try_to_lock);
    if (!lock) return;  // somebody is at it
  }
  try {
    checkpoint(enough, context);
  } catch (const Error&) {
    rest();
    // A segment that cannot be written costs speed only; the write itself says what is wrong with the disk.
  }
}

void Shard::checkpoint(std::uint64_t at_least, Context& context) {
  if (store_->read_only()) return;
  const storage::Store::Session session(*store_);  // before the mutex, as writers hold one here
  const std::lock_guard lock(checkpoint_mutex_);
  SegmentEntry entry;
  {
    const ReadView view(*this);
    const auto set = segments_.at(view.txn());
    const std::uint64_t from = set->end_row();
    const std::uint64_t to = view.state().next_row;
    const auto& fields = view.schema().vectors;
    if (std::none_of(fields.begin(), fields.end(), is_indexed)) {
      if (std::any_of(fields.begin(), fields.end(), has_parts)) unindexed_schema_ = view.state().schema;
      return;
    }
    if (to - from < std::max<std::uint64_t>(at_least, 1)) return;
    entry = build(view, from, to, false, nullptr, context);
  }
  if (!publish(*this, {}, entry)) return;
  {
    // Opens the file and counts its rows as covered.
    const ReadView view(*this);
    segments_.at(view.txn());
  }
  look_after_segments();
}

bool Shard::resting() const { return std::chrono::steady_clock::now() < rest_until_.load(); }
void Shard::rest() { rest_until_.store(std::chrono::steady_clock::now() + kRest); }

void Shard::look_after_segments() {
  if (resting()) return;
  background_->request(this, [weak = weak_from_this()](std::stop_token stop) {
    const auto shard = weak.lock();
    if (!shard) return false;
    // While segments keep coming, merging them would take the writer's cores and be done again soon after.
    const std::uint64_t covered = shard->segments_.covered();
    if (shard->covered_before_.exchange(covered) != covered) {
      sleep(stop, kQuiet);
      return true;
    }
    Context context;
    context.stop = std::move(stop);
    try {
      return shard->warm_step(context) || shard->merge_step(false, context);
    } catch (...) {
      shard->rest();
      throw;
    }
  });
}

bool Shard::warm_step(Context& context) {
  std::shared_ptr<const SegmentSet> set;
  {
    const ReadView view(*this);
    set = segments_.at(view.txn());
  }
  for (const SegmentSet::Item& item : set->items) {
    try {
      if (item.segment && item.segment->warm_up(context)) return true;
    } catch (const Error& e) {
      if (e.code() != ErrorCode::kCorruption) throw;
      segments_.report_damage(item.entry.number);
      return true;
    }
  }
  return false;
}

bool Shard::merge_step(bool all, Context& context) {
  if (store_->read_only()) return false;
  const storage::Store::Session session(*store_);
  const std::lock_guard lock(merge_mutex_);
  std::vector<SegmentEntry> replaced;
  SegmentEntry entry;
  {
    const ReadView view(*this);
    const auto set = segments_.at(view.txn());
    const auto plan = plan_merge(view, *set, segment_options_, all);
    if (!plan) return false;
    for (std::size_t i = plan->first; i < plan->first + plan->count; ++i)
      replaced.push_back(set->items[i].entry);
    const SegmentSet::Item& base = set->items[plan->first];
    try {
      entry =
          build(view, replaced.front().first_row, replaced.back().end_row, true, base.segment.get(), context);
    } catch (const Error& e) {
      if (e.code() != ErrorCode::kCorruption || !base.segment) throw;
      segments_.report_damage(base.entry.number);
      return true;  // once more, from the truth alone
    }
  }
  if (!publish(*this, replaced, entry)) return true;     // the list has changed meanwhile: look again
  if (store_->options().relaxed) store_->env()->sync();  // files must not go before the list that names them
  for (const SegmentEntry& e : replaced) remove_file(*store_, e);
  try {
    os::fsync_dir(storage::segment_directory(store_->directory()));
  } catch (const Error&) {
    // What a power cut brings back is removed at the next writable open.
  }
  return true;
}

}  // namespace vecstore::shard
