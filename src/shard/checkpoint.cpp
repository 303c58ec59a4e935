// How segments come to be: from the rows that none covers, and from other segments.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <optional>
#include <thread>

#include "base/error.hpp"
#include "base/executor.hpp"
#include "base/os_file.hpp"
#include "segment/graph_part.hpp"
#include "segment/sketch_part.hpp"
#include "shard/field_merge.hpp"
#include "shard/field_source.hpp"
#include "shard/quarantine.hpp"
#include "shard/read_view.hpp"
#include "shard/row_source.hpp"
#include "shard/shard.hpp"
#include "shard/sparse_source.hpp"
#include "shard/term_pieces.hpp"
#include "shard/text_source.hpp"

namespace vecstore::shard {
namespace {

using storage::SegmentEntry;

constexpr std::uint64_t kMostRowsOutside = 20'000;
constexpr std::uint64_t kMostBytesOutside = std::uint64_t{64} << 20;
// What a row takes in a segment besides twice its dimension, at most, and for each of a graph's m; and what
// is left for the truth.
constexpr std::uint64_t kIndexBytesPerRow = 256;
constexpr std::uint64_t kIndexBytesPerLink = 8;
constexpr std::uint64_t kDiskReserve = std::uint64_t{8} << 20;
// Writers keep the rows without a segment below these bounds. Where there are so many times more (nothing was
// indexed before), it would take them long: the background catches up.
constexpr std::uint64_t kFarAbove = 4;
// Ids that a merge takes over between two looks at the context, and what it keeps of them in memory.
constexpr std::uint64_t kIdRowsPerStep = 4'096;
constexpr std::size_t kMostIdBytes = std::size_t{1} << 20;
// After a failure nothing is tried for so long.
constexpr auto kRest = std::chrono::seconds(2);
constexpr auto kQuiet = std::chrono::milliseconds(200);
// How often one looks whether another merge has ended.
constexpr auto kTurn = std::chrono::milliseconds(20);
// A segment is merged with those behind it once they have together more than one in so many of its rows.
constexpr std::uint64_t kMergeFactor = 8;
// A segment with more retired rows than one in so many is made anew, or with more newer metadata, which is in
// memory until then.
constexpr std::uint64_t kRetiredShare = 5;

void sleep(const std::stop_token& stop, std::chrono::milliseconds time) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, stop, time, [] { return false; });
}

bool has_parts(const catalog::VectorFieldSchema& field) {
  return field.element == ElementType::kF32 && field.dimension > 0;
}

IndexSettings settings_of(const catalog::VectorFieldSchema& field) { return index_settings(field.index, 0); }

bool is_indexed(const catalog::VectorFieldSchema& field) {
  return has_parts(field) && settings_of(field).codes != Codes::kF32;
}

bool is_sparse(const catalog::VectorFieldSchema& field) { return field.element == ElementType::kSparse; }

bool is_searched(const catalog::VectorFieldSchema& field) { return is_indexed(field) || is_sparse(field); }

/// What parts of this field have to say of themselves.
segment::PartBuild build_of(const catalog::VectorFieldSchema& field) {
  const IndexSettings s = settings_of(field);
  return {static_cast<std::uint32_t>(s.codes), s.m, s.ef_construction};
}

/// A graph over these rows: the one of `base`, if it has the first of these rows and was made in the
/// same way, with the others added. nullptr where it does not find what it should: such rows are scanned.
std::shared_ptr<const HnswIndex> build_graph(const RowSource& source, const catalog::VectorFieldSchema& field,
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
  const std::vector<std::uint64_t>& rows = source.rows();
  const auto count = static_cast<std::uint32_t>(rows.size());
  std::atomic<bool> truth_damaged{false};
  const RowVectors vectors = [&](std::uint32_t i) {
    try {
      return source.vector(i);
    } catch (const Error& e) {
      if (e.code() == ErrorCode::kCorruption) truth_damaged = true;
      throw;
    }
  };
  using Sampled = HnswIndex::Sampled;
  const auto checked = [&](std::shared_ptr<const HnswIndex> index) {
    Sampled sampled = index->sample(vectors, options, context);
    if (sampled.astray > Sampled::kMostAstray) {
      options.build.by_walks = true;
      index = HnswIndex::build(options, count, vectors, context);
      sampled = index->sample(vectors, options, context);
    }
    return sampled.recall >= Sampled::kLeastRecall ? std::move(index) : nullptr;
  };
  // Codes are made anew in any case: only the links are taken over.
  const bool same_links = base && base->part->kind() == segment::PartKind::kGraph &&
                          base->meta.build.m == settings.m &&
                          base->meta.build.ef_construction == settings.ef_construction;
  const auto* graph = same_links ? static_cast<const segment::GraphPart*>(base->part.get()) : nullptr;
  if (graph) try {
      std::vector<std::uint32_t> removed;
      std::size_t at = 0;
      const auto old = graph->row_numbers();
      for (std::uint32_t node = 0; node < old.size(); ++node) {
        if (at < rows.size() && rows[at] == old[node]) {
          ++at;
        } else {
          removed.push_back(node);
        }
      }
      // `at` rows are the kept nodes, in order; one that lies between them (unreadable before) would shift
      // the rest. A quarter of it gone, or no more than half of the rows: the old links are not worth
      // keeping.
      const std::size_t kept = old.size() - removed.size();
      const bool in_front = at == rows.size() || rows[at] > old.back();
      if (in_front && kept * 4 > old.size() * 3 && kept * 2 > count)
        return checked(HnswIndex::merge(graph->index(), removed, count, vectors, options, context));
    } catch (const Error& e) {
      if (e.code() != ErrorCode::kCorruption || truth_damaged) throw;
      throw BaseDamaged{};
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

/// What a file is made from: live rows between two numbers, and a segment that may have the first of them.
struct Plan {
  catalog::Schema schema;
  std::uint64_t sequence = 0;
  std::uint64_t first_row = 0;
  std::uint64_t end_row = 0;
  bool graphs = false;  ///< Parts with enough rows get one.
  bool all = false;     ///< Also where the last try did not come out well.
  std::shared_ptr<const segment::Segment> base;
  // Of a merge:
  std::vector<SegmentSet::Item> replaced;
  std::shared_ptr<const storage::RetiredRows> retired;
  std::uint64_t retired_sequence = 0;
  segment::RetiredBits retired_bits() const { return {retired->words(), retired_sequence}; }
};

using MaybeSession = std::optional<storage::Store::Session>;

/// The part of one field: a graph, or what is scanned until there is one or for good.
void add_part(Shard& shard, const Plan& plan, const catalog::VectorFieldSchema& field,
              segment::SegmentWriter& writer, Context& context) {
  const SegmentOptions& options = shard.segment_options();
  const unsigned threads =
      options.threads ? options.threads : std::max(1u, std::thread::hardware_concurrency());
  const segment::PartBuild asked = build_of(field);
  if (!is_indexed(field)) {
    writer.add_nothing(field.number, field.metric, field.dimension, plan.end_row - plan.first_row, asked);
    return;
  }
  const bool walked = settings_of(field).has_graph();
  auto kind = walked ? segment::PartKind::kFlat : segment::PartKind::kScanned;
  if (plan.graphs && walked) {
    const segment::Segment::PartEntry* base = plan.base ? plan.base->find(field.number) : nullptr;
    if (base && !belongs_to(*base, field)) base = nullptr;
    const RowSource rows(shard, field, plan.first_row, plan.end_row, base ? base->part.get() : nullptr,
                         context);
    // Most of these rows made no good graph the last time.
    const bool failed_before = base && base->part->kind() == segment::PartKind::kScanned &&
                               base->meta.build == asked && base->meta.rows * 2 > rows.rows().size();
    if (failed_before && !plan.all) {
      kind = segment::PartKind::kScanned;
    } else if (rows.rows().size() >= options.graph_rows) {
      const auto graph = build_graph(rows, field, base, threads, context);
      if (graph) {
        writer.add_graph(field.number, *graph, rows.rows(), asked, context);
        return;
      }
      kind = segment::PartKind::kScanned;
    }
  }
  const segment::VectorRows vectors = vectors_in_steps(shard, field, plan.first_row, plan.end_row);
  if (kind == segment::PartKind::kFlat && segment::has_sketches(field.metric, field.dimension) &&
      writer.add_sketches(field.number, field.metric, field.dimension, vectors, asked, context))
    return;
  writer.add_flat(field.number, field.metric, field.dimension, vectors, context, asked, kind);
}

/// Some segment whose terms or sparse vectors were to be merged is damaged, and reported.
struct InputDamaged {};

void add_live(const Plan& plan, std::span<const std::uint64_t> rows, std::vector<std::uint64_t>& out) {
  for (const std::uint64_t row : rows) {
    if (!plan.retired->contains(row)) out.push_back(row);
  }
}

/// The terms of the segments that are replaced, where all of them have them.
bool merge_texts(Shard& shard, const Plan& plan, segment::SegmentWriter& writer, Context& context) {
  const std::uint64_t terms = shard.terms_fingerprint(plan.schema);
  std::vector<const segment::TermsPart*> parts;
  std::vector<std::uint64_t> unreadable;
  for (const SegmentSet::Item& item : plan.replaced) {
    if (!item.segment || item.segment->terms() != terms) return false;
    if (item.segment->texts()) parts.push_back(item.segment->texts());
  }
  if (plan.replaced.empty()) return false;
  try {
    for (const SegmentSet::Item& item : plan.replaced)
      add_live(plan, item.segment->unreadable_texts(), unreadable);
    writer.merge_texts(parts, terms, plan.retired_bits(), context);
  } catch (const Error& e) {
    if (e.code() != ErrorCode::kCorruption) throw;
    report_damaged(shard, plan.replaced, e.what());
    throw InputDamaged{};
  }
  writer.add_unreadable_texts(unreadable);
  return true;
}

/// The vectors of one sparse field: of the segments that are replaced, where all of them are there, or from
/// the truth. From there also where some has codes only: codes of codes would be worse with every merge.
void add_sparse_part(Shard& shard, const Plan& plan, const catalog::VectorFieldSchema& schema,
                     segment::SegmentWriter& writer, Context& context) {
  const std::uint16_t field = schema.number;
  const bool codes = plan.schema.sparse_codes(schema.name) == Codes::kInt8;
  std::vector<const segment::SparsePart*> parts;
  bool all = !plan.replaced.empty();
  for (const SegmentSet::Item& item : plan.replaced) {
    const auto* part = item.segment ? item.segment->sparse(field) : nullptr;
    all = all && item.segment && !(part && part->has_codes());
    if (part) parts.push_back(part);
  }
  if (!all) {
    SparsePieces vectors(shard, field, plan.first_row);
    vectors.add_all(plan.end_row, context);
    vectors.write_all(writer, codes, context);
    return;
  }
  std::vector<std::uint64_t> unreadable;
  try {
    for (const SegmentSet::Item& item : plan.replaced)
      add_live(plan, item.segment->unreadable_sparse(field), unreadable);
    writer.merge_sparse(field, parts, plan.retired_bits(), codes, context);
  } catch (const Error& e) {
    if (e.code() != ErrorCode::kCorruption) throw;
    report_damaged(shard, plan.replaced, e.what());
    throw InputDamaged{};
  }
  writer.add_unreadable_sparse(field, unreadable);
}

/// The ids of the segments that are replaced, without those of retired rows; of damaged ones from the truth.
void merge_ids(Shard& shard, const Plan& plan, segment::SegmentWriter& writer, Context& context) {
  const segment::RetiredBits retired = plan.retired_bits();
  segment::IdsBuilder ids(plan.first_row, plan.end_row);
  for (const SegmentSet::Item& item : plan.replaced) {
    const auto& [entry, segment] = item;
    for (std::uint64_t first = entry.first_row; first < entry.end_row; first += kIdRowsPerStep) {
      context.check();
      const std::uint64_t end = std::min(entry.end_row, first + kIdRowsPerStep);
      if (!segment) {
        for_each_document(
            shard, first, end, context,
            [&](std::uint64_t row, const storage::Document& document) { ids.add(row, head_of(document)); });
      } else {
        try {
          segment->ids().scan(first, end, [&](std::uint64_t row, const segment::RecordHead& head) {
            if (!retired.contains(row)) ids.add(row, head);
          });
        } catch (const Error& e) {
          if (e.code() != ErrorCode::kCorruption) throw;
          shard.segments().report_damage(entry.number);
          throw InputDamaged{};
        }
      }
      if (ids.ready_bytes() >= kMostIdBytes) writer.add_some_ids(ids);
    }
  }
  writer.add_ids(ids);
}

/// The metadata of the segments that are replaced.
void merge_fields(Shard& shard, const Plan& plan, segment::SegmentWriter& writer, Context& context) {
  const FieldMerge merge(shard, plan.replaced, plan.retired_bits(), context);
  if (!merge.is_known()) return;  // without fields each row is looked at
  try {
    writer.merge_fields(merge.inputs(), context);
  } catch (const Error& e) {
    if (e.code() != ErrorCode::kCorruption) throw;
    report_damaged(shard, plan.replaced, e.what());
    throw InputDamaged{};
  }
}

/// Everything that a segment has. Texts are analysed, and records read, beside the vectors where there is a
/// thread to spare.
void add_parts(Shard& shard, const Plan& plan, segment::SegmentWriter& writer, Context& context) {
  const bool has_texts = !plan.schema.text_fields.empty();
  std::optional<TextPieces> texts;
  std::optional<segment::IdsBuilder> ids;
  std::optional<fields::FieldPartBuilder> fields;
  TextPieces::DocumentAlso also;
  if (plan.replaced.empty()) {
    ids.emplace(plan.first_row, plan.end_row);
    fields.emplace();
    also = [&](std::uint64_t row, const storage::Document& document) {
      ids->add(row, head_of(document));
      add_fields(document, static_cast<std::uint32_t>(row - plan.first_row), *fields);
    };
  } else {
    merge_ids(shard, plan, writer, context);
    merge_fields(shard, plan, writer, context);
  }
  if (has_texts && !merge_texts(shard, plan, writer, context))
    texts.emplace(shard, plan.schema.text_fields, plan.first_row, also);
  Executor::shared().parallel_for(2, shard.segment_options().threads, [&](std::size_t i) {
    Context child = context.child();
    if (i == 0) {
      std::vector<std::uint64_t> unreadable;
      if (texts) {
        texts->add_all(plan.end_row, child);
        unreadable.assign(texts->unreadable().begin(), texts->unreadable().end());
      } else if (also) {
        unreadable = for_each_document(shard, plan.first_row, plan.end_row, child, also);
      }
      // Only the truth can tell what these are, should it be able to again.
      for (const std::uint64_t row : unreadable)
        if (fields) fields->add_unknown(static_cast<std::uint32_t>(row - plan.first_row));
      return;
    }
    for (const auto& field : plan.schema.vectors) {
      if (has_parts(field)) add_part(shard, plan, field, writer, child);
      if (is_sparse(field)) add_sparse_part(shard, plan, field, writer, child);
    }
  });
  if (texts) texts->write_all(writer, shard.terms_fingerprint(plan.schema), context);
  if (ids) writer.add_ids(*ids);
  if (fields) writer.add_fields(*fields);
}

/// Writes the file; what the list will say of it. No transaction is held while it works, and the store may be
/// closed meanwhile, which ends it. `session` is begun before the file takes its place and has to be kept
/// until it is listed.
SegmentEntry build(Shard& shard, const Plan& plan, MaybeSession& session, Context& context) {
  const std::string directory = storage::segment_directory(shard.store().directory());
  os::make_directories(directory);
  std::uint64_t row_bytes = 0;
  for (const auto& field : plan.schema.vectors)
    row_bytes += kIndexBytesPerRow + 2 * field.dimension + kIndexBytesPerLink * settings_of(field).m;
  std::uint64_t wanted = kDiskReserve + (plan.end_row - plan.first_row) * row_bytes;
  for (const SegmentSet::Item& item : plan.replaced) wanted += item.entry.file_bytes;
  const auto free_bytes = [&] { return os::disk_space(shard.store().directory()).free_bytes; };
  // What is kept to be looked at is in nobody's way.
  if (free_bytes() < wanted) trim_quarantine(shard.store().directory(), 0);
  if (const auto free = free_bytes(); free < wanted) {
    fail(ErrorCode::kDiskFull, "'", shard.store().directory(), "': a segment may need ", wanted, " bytes, ",
         free, " are free");
  }
  SegmentEntry entry;
  entry.number = shard.store().new_segment_number();
  entry.first_row = plan.first_row;
  entry.end_row = plan.end_row;
  entry.sequence = plan.sequence;
  segment::SegmentWriter writer(directory, shard.segments().identity(entry), plan.schema.vectors.size());
  add_parts(shard, plan, writer, context);
  entry.rows = writer.rows();
  session.emplace(shard.store());
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

struct Run {
  std::size_t first = 0;  // of the items
  std::size_t count = 0;
  bool sound = true;  // the first can be built upon
};

/// Parts of dropped fields are nobody's.
bool has_outdated_part(const segment::Segment& segment, const catalog::Schema& schema, std::uint64_t terms) {
  if (segment.terms() != terms) return true;
  return std::any_of(schema.vectors.begin(), schema.vectors.end(), [&](const auto& field) {
    const segment::Segment::PartEntry* dense = segment.find(field.number);
    const segment::SparsePart* sparse = segment.sparse(field.number);
    return (dense && is_outdated(*dense, field)) || (sparse && is_outdated(*sparse, schema, field.name));
  });
}

/// What should become one segment: a run at the end of the list, or one that is damaged or has too many
/// retired rows.
std::optional<Run> plan_merge(const ReadView& view, const SegmentSet& set, const SegmentOptions& options,
                              bool all, const Context& context) {
  const std::size_t n = set.items.size();
  if (n == 0) return std::nullopt;
  const std::uint64_t terms = view.shard().terms_fingerprint(view.schema());
  std::vector<std::uint64_t> live(n);
  std::vector<bool> anew(n);  // has to be built again in any case
  std::vector<bool> damaged(n);
  for (std::size_t i = 0; i < n; ++i) {
    const SegmentSet::Item& item = set.items[i];
    std::uint64_t retired = 0;
    if (item.segment) try {
        for (const auto& part : item.segment->parts()) {
          std::uint64_t dead = 0;
          for (std::uint64_t row : part.part->row_numbers()) dead += !view.is_live(row);
          retired = std::max(retired, dead);
        }
        for (const auto& sparse : item.segment->sparse_parts())
          retired = std::max(retired, sparse->retired(view.retired_bits()));
        if (const auto* texts = item.segment->texts())
          retired = std::max(retired, texts->retired(view.retired_bits()));
      } catch (const Error& e) {
        if (e.code() != ErrorCode::kCorruption) throw;
        view.shard().segments().report_damage(item.entry.number);
        damaged[i] = true;
      }
    damaged[i] = damaged[i] || !item.segment;
    live[i] = item.entry.rows - std::min(item.entry.rows, retired);
    const auto is_much = [&](std::uint64_t rows) {
      return all ? rows > 0 : rows * kRetiredShare > item.entry.rows;
    };
    anew[i] = damaged[i] || is_much(retired) ||
              (is_much(view.state().overlays) && is_much(newer_metadata(view, item.entry, context))) ||
              has_outdated_part(*item.segment, view.schema(), terms);
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
                         return (p.part->kind() == segment::PartKind::kFlat ||
                                 p.part->kind() == segment::PartKind::kSketched) &&
                                p.meta.rows >= options.graph_rows && wants_graph(p.meta.field);
                       });
  };
  if (all) {
    if (n > 1 || anew[0] || is_flat(0)) return Run{0, n, !damaged[0]};
    return std::nullopt;
  }
  for (std::size_t i = 0; i < n; ++i) {
    if (damaged[i]) return Run{i, 1, false};
  }
  // The longest run at the end in which each segment is small against what follows it.
  std::uint64_t behind = std::max<std::uint64_t>(live[n - 1], 1);
  std::size_t first = n - 1;
  while (first > 0 && live[first - 1] < kMergeFactor * behind) behind += live[--first];
  if (first < n - 1 || is_flat(n - 1)) return Run{first, n - first};
  for (std::size_t i = 0; i < n; ++i) {
    if (anew[i] || is_flat(i)) return Run{i, 1};
  }
  return std::nullopt;
}

}  // namespace

bool belongs_to(const segment::Segment::PartEntry& part, const catalog::VectorFieldSchema& field) {
  return part.meta.dimension == field.dimension &&
         part.meta.metric == static_cast<std::uint32_t>(field.metric);
}

bool is_outdated(const segment::Segment::PartEntry& part, const catalog::VectorFieldSchema& field) {
  using segment::PartKind;
  if (!belongs_to(part, field)) return true;
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
  for (const PreparedVector& v : batch.vectors) bytes += v.bytes.size();
  for (const PreparedWrite& w : batch.writes) bytes += w.document.size();
  if (batch.writes.empty() || batch.schema == unindexed_schema_.load(std::memory_order_relaxed)) return;
  const std::uint64_t row_bytes = bytes / batch.writes.size() + 1;
  const std::uint64_t most = std::min(kMostRowsOutside, kMostBytesOutside / row_bytes);
  const std::uint64_t enough = std::min(segment_options_.checkpoint_rows, most / 2);
  const std::uint64_t next = next_row_.load(std::memory_order_relaxed);
  const std::uint64_t covered = segments_.covered();
  const std::uint64_t outside = next > covered ? next - covered : 0;
  if (outside < enough || resting()) return;
  if (outside > kFarAbove * std::max<std::uint64_t>(most, batch.writes.size())) {
    catch_up();
    return;
  }
  Context context;
  if (outside + batch.writes.size() <= most) {
    const std::unique_lock lock(checkpoint_mutex_, std::try_to_lock);
    if (!lock) return;  // somebody is at it
  }
  try {
    checkpoint(enough, context);
  } catch (...) {
    rest();
    // A segment that cannot be written costs speed only; the write itself says what is wrong with the disk.
  }
}

void Shard::checkpoint(std::uint64_t at_least, Context& context) {
  while (checkpoint_piece(at_least, context)) {
  }
}

void Shard::catch_up() {
  behind_ = true;
  look_after_segments();
}

bool Shard::catch_up_step(Context& context) {
  if (!behind_.exchange(false)) return false;
  try {
    if (checkpoint_piece(segment_options_.checkpoint_rows, context)) behind_ = true;
  } catch (...) {
    behind_ = true;
    throw;
  }
  return true;
}

bool Shard::checkpoint_piece(std::uint64_t at_least, Context& context) {
  if (store_->read_only()) return false;
  const storage::Store::Session session(*store_);  // before the mutex, as writers hold one here
  const std::lock_guard lock(checkpoint_mutex_);
  Plan plan;
  bool more = false;
  {
    const ReadView view(*this);
    plan.first_row = segments_.at(view.txn())->end_row();
    plan.end_row = view.state().next_row;
    plan.schema = view.schema();
    plan.sequence = view.state().sequence;
    const auto& fields = plan.schema.vectors;
    if (std::none_of(fields.begin(), fields.end(), is_searched) && plan.schema.text_fields.empty()) {
      unindexed_schema_ = view.state().schema;
      return false;
    }
    if (plan.end_row - plan.first_row < std::max<std::uint64_t>(at_least, 1)) return false;
    if ((more = plan.end_row - plan.first_row > kMostRowsPerCheckpoint))
      plan.end_row = plan.first_row + kMostRowsPerCheckpoint;
  }
  MaybeSession held;
  const SegmentEntry entry = build(*this, plan, held, context);
  if (!publish(*this, {}, entry)) return false;
  {
    // Opens the file and counts its rows as covered.
    const ReadView view(*this);
    segments_.at(view.txn());
  }
  look_after_segments();
  return more;
}

bool Shard::resting() const { return std::chrono::steady_clock::now() < rest_until_.load(); }
void Shard::rest() { rest_until_.store(std::chrono::steady_clock::now() + kRest); }

void Shard::look_after_segments() {
  if (resting()) return;
  background_->request(this, [weak = weak_from_this()](std::stop_token stop) {
    const auto shard = weak.lock();
    if (!shard) return false;
    Context context;
    context.stop = stop;
    try {
      if (shard->catch_up_step(context)) return true;
    } catch (...) {
      shard->rest();
      throw;
    }
    // While segments keep coming, merging them would take the writer's cores and be done again soon after.
    const std::uint64_t covered = shard->segments_.covered();
    if (shard->covered_before_.exchange(covered) != covered) {
      sleep(stop, kQuiet);
      return true;
    }
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
  // Ends with the caller's wish or with the store, whichever comes first: no session is held meanwhile.
  std::stop_source stop;
  const auto end = [&] { stop.request_stop(); };
  const std::stop_callback asked(context.stop, end);
  const std::stop_callback closing(store_->closing(), end);
  Context inner = context.child();
  inner.stop = stop.get_token();
  try {
    std::unique_lock lock(merge_mutex_, std::defer_lock);
    while (!lock.try_lock()) {
      inner.check();
      sleep(inner.stop, kTurn);
    }
    return merge(all, inner);
  } catch (const Error& e) {
    if (e.code() == ErrorCode::kCancelled && store_->closing().stop_requested())
      fail(ErrorCode::kClosed, "'", store_->directory(), "' was closed");
    throw;
  }
}

bool Shard::merge(bool all, Context& context) {
  Plan plan;
  plan.graphs = true;
  {
    const ReadView view(*this);
    const auto set = segments_.at(view.txn());
    const auto run = plan_merge(view, *set, segment_options_, all, context);
    if (!run) return false;
    for (std::size_t i = run->first; i < run->first + run->count; ++i) plan.replaced.push_back(set->items[i]);
    plan.retired = retired(view.txn(), view.state());
    plan.retired_sequence = view.state().retired_sequence;
    if (run->sound) plan.base = set->items[run->first].segment;
    plan.all = all;
    plan.schema = view.schema();
    plan.sequence = view.state().sequence;
    plan.first_row = plan.replaced.front().entry.first_row;
    plan.end_row = plan.replaced.back().entry.end_row;
  }
  std::vector<SegmentEntry> replaced;
  for (const SegmentSet::Item& item : plan.replaced) replaced.push_back(item.entry);
  MaybeSession session;
  SegmentEntry entry;
  try {
    entry = build(*this, plan, session, context);
  } catch (const BaseDamaged&) {
    segments_.report_damage(replaced.front().number);
    return true;  // once more, from the truth alone
  } catch (const InputDamaged&) {
    return true;  // once more, from the truth
  } catch (const FieldDropped&) {
    return true;  // once more, without it
  }
  if (!publish(*this, replaced, entry)) return true;  // the list has changed meanwhile: look again
  let_go_of_segments();
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
