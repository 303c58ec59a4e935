#include "model/spec.hpp"

#include <array>
#include <cmath>
#include <limits>

#include "base/error.hpp"

namespace vecstore::model {
namespace {

struct Weight {
  Kind kind;
  unsigned weight;
};
// Of 1,000 operations. Concurrent runs keep the collections as they are and have no reader.
constexpr std::array kWeights = {
    Weight{Kind::kInsert, 60},       Weight{Kind::kUpsert, 190},      Weight{Kind::kBatchUpsert, 40},
    Weight{Kind::kBatchInsert, 15},  Weight{Kind::kExecute, 40},      Weight{Kind::kUpdate, 70},
    Weight{Kind::kErase, 60},        Weight{Kind::kEraseMany, 15},    Weight{Kind::kEraseWhere, 12},
    Weight{Kind::kChunks, 25},       Weight{Kind::kUpsertText, 12},   Weight{Kind::kTexts, 4},
    Weight{Kind::kGet, 60},          Weight{Kind::kGetMany, 15},      Weight{Kind::kScroll, 15},
    Weight{Kind::kCount, 25},        Weight{Kind::kChanges, 12},      Weight{Kind::kInfo, 10},
    Weight{Kind::kDense, 150},       Weight{Kind::kText, 60},         Weight{Kind::kHybrid, 45},
    Weight{Kind::kSparse, 60},       Weight{Kind::kSparseHybrid, 30}, Weight{Kind::kQueryText, 25},
    Weight{Kind::kQueryBatch, 8},    Weight{Kind::kCreate, 3},        Weight{Kind::kGetOrCreate, 10},
    Weight{Kind::kDrop, 1},          Weight{Kind::kAddVector, 2},     Weight{Kind::kDropVector, 1},
    Weight{Kind::kReopen, 1},        Weight{Kind::kVerify, 1},        Weight{Kind::kAskReader, 25},
    Weight{Kind::kRestartReader, 1}, Weight{Kind::kCompact, 2},       Weight{Kind::kOptimize, 3},
};

bool alone(Kind kind) {
  switch (kind) {
    case Kind::kCreate:
    case Kind::kGetOrCreate:
    case Kind::kDrop:
    case Kind::kAddVector:
    case Kind::kDropVector:
    case Kind::kReopen:
    case Kind::kVerify:
    case Kind::kAskReader:
    case Kind::kRestartReader:
    case Kind::kInfo:
      return true;
    default:
      return false;
  }
}

// Now and then something that must be refused.
void spoil(Rng& rng, std::vector<Operation>& ops) {
  Record& r = ops[rng.below(ops.size())].record;
  switch (rng.below(5)) {
    case 0:
      if (!r.vector.dense().empty()) {
        std::vector<float> v = r.vector.dense();
        v[rng.below(v.size())] =
            rng.pick({std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()});
        r.vector = Vector(v);
      }
      break;
    case 1:
      r.vector = Vector(std::vector<float>(r.vector.dense().size() + 1, 1.0f));
      break;
    case 2:
      ops.push_back(ops[rng.below(ops.size())]);
      break;
    case 3:
      r.id = rng.pick<std::string>({"", std::string(513, 'x'), std::string("a\0b", 3), "\xff"});
      break;
    default:
      r.vectors["undeclared"] = Vector({1, 2});
      break;
  }
}

void make_records(Rng& rng, Spec& s, const Setting& setting, std::size_t most) {
  std::set<std::string> used;
  for (std::size_t n = rng.below(most) + 1; n > 0; --n) {
    Operation op;
    op.record = random_record(rng, s.slot, setting);
    if (used.insert(op.record.id).second) s.operations.push_back(std::move(op));
  }
}

void make_query(Rng& rng, Spec& s, const Setting& setting) {
  const CollectionOptions options = collection_options(s.slot, setting, true);
  std::size_t dimension = options.dimension;
  Metric metric = options.metric;
  if (rng.chance(25)) {
    s.vector_name = rng.pick<const char*>({"title", "title", "extra"});
    const auto found = options.vectors.find(s.vector_name);
    metric = found == options.vectors.end() ? Metric::kEuclidean : found->second.metric;
    dimension = found == options.vectors.end() ? 3 : found->second.dimension;
  }
  s.vector = random_vector(rng, metric, dimension);
  if (rng.chance(2)) s.vector.push_back(1);
  s.sparse = random_sparse(rng);
  s.text = random_text(rng, 4);
  s.k = rng.chance(80) ? static_cast<std::int64_t>(rng.below(20)) : static_cast<std::int64_t>(rng.below(400));
  if (rng.chance(20)) s.offset = static_cast<std::int64_t>(rng.below(60));
  s.filter = random_condition(rng, setting);
  s.with_vectors = rng.chance(20);
  if (rng.chance(15))
    s.threshold = static_cast<float>(metric == Metric::kEuclidean ? -3 * rng.real() : rng.real());
  s.default_fusion = rng.chance(50);
  if (!s.default_fusion)
    s.fusion = rng.chance(50) ? Fusion::weighted(static_cast<float>(rng.below(11)) / 10)
                              : Fusion::rrf(static_cast<float>(rng.below(100)));
  s.mode = rng.pick({Mode::kDense, Mode::kText, Mode::kHybrid});
  s.bare = rng.chance(40);
}

}  // namespace

const char* to_string(Kind kind) {
  constexpr const char* kNames[] = {
      "insert",  "upsert",        "batch_upsert", "batch_insert",  "batch_execute", "update_metadata",
      "erase",   "erase_ids",     "erase_where",  "upsert_chunks", "upsert_text",   "batch_upsert_texts",
      "create",  "get_or_create", "drop",         "add_vector",    "drop_vector",   "get",
      "get_ids", "scroll",        "count",        "changes",       "info",          "query",
      "text",    "hybrid",        "sparse",       "sparse_hybrid", "query_text",    "query_batch",
      "reopen",  "verify",        "compact",      "optimize",      "ask_reader",    "restart_reader"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::string collection_name(std::uint8_t slot) { return concat("c", int{slot}); }

CollectionOptions collection_options(std::uint8_t slot, const Setting& setting, bool declared) {
  CollectionOptions o;
  switch (slot) {
    case 0:
      o.dimension = 6;
      o.vectors = {{"title", {Metric::kDot, 4}}};
      break;
    case 1:
      o.metric = Metric::kEuclidean;
      o.dimension = 4;
      o.text_fields = {TextField{}, TextField{.path = "title", .analyzer = "neutral", .weight = 2.5f}};
      break;
    case 2:
      o.metric = Metric::kDot;
      o.dimension = 16;
      o.vectors = {{"title", {Metric::kCosine, 8}}};
      o.text_fields = {TextField{.analyzer = "neutral"}};
      break;
    default:
      o.dimension = 5;
      o.embedder = TinyEmbedder();
  }
  if (setting.dimension != 0) o.dimension = setting.dimension;
  if (!declared && slot == 0) {
    o.dimension = 0;
    o.vectors["title"].dimension = 0;
  }
  return o;
}

Spec make_spec(const Op& op, const Setting& setting) {
  Rng rng(op.seed);
  Spec s;
  s.slot = op.slot;
  s.collection = collection_name(op.slot);
  const auto set_kind = [&](Operation::Kind kind) {
    for (Operation& o : s.operations) o.kind = kind;
  };
  switch (op.kind) {
    case Kind::kInsert:
    case Kind::kUpsert:
    case Kind::kErase:
    case Kind::kUpsertText:
    case Kind::kUpdate:
      make_records(rng, s, setting, 1);
      if (rng.chance(3)) spoil(rng, s.operations);
      s.operations.resize(1);
      set_kind(op.kind == Kind::kInsert   ? Operation::Kind::kInsert
               : op.kind == Kind::kErase  ? Operation::Kind::kErase
               : op.kind == Kind::kUpdate ? Operation::Kind::kUpdateMetadata
                                          : Operation::Kind::kUpsert);
      break;
    case Kind::kBatchInsert:
    case Kind::kBatchUpsert:
    case Kind::kExecute:
      make_records(rng, s, setting, op.kind == Kind::kBatchInsert ? 4 : 20);
      set_kind(op.kind == Kind::kBatchInsert ? Operation::Kind::kInsert : Operation::Kind::kUpsert);
      if (op.kind == Kind::kExecute) {
        for (Operation& o : s.operations) {
          o.kind = rng.pick({Operation::Kind::kUpsert, Operation::Kind::kErase, Operation::Kind::kErase,
                             Operation::Kind::kUpsert});
          if (rng.chance(8)) o.kind = rng.pick({Operation::Kind::kInsert, Operation::Kind::kUpdateMetadata});
        }
      }
      if (rng.chance(8)) spoil(rng, s.operations);
      break;
    case Kind::kEraseMany:
    case Kind::kGetMany:
    case Kind::kGet:
      for (std::uint64_t n = op.kind == Kind::kGet ? 1 : rng.below(12); n > 0; --n)
        s.ids.push_back(random_record(rng, s.slot, setting).id);
      s.with_vectors = rng.chance(80);
      break;
    case Kind::kEraseWhere: {
      const Condition a = random_condition(rng, setting);
      // Alone it would erase too much to leave something for the others.
      const std::string end = "7";
      s.filter = {"_id LIKE '%" + end + "'" + (a.text.empty() ? "" : " AND (" + a.text + ")"),
                  [a, end](const Doc& d) { return d.record.id.ends_with(end) && a.holds(d); }};
      break;
    }
    case Kind::kChunks: {
      s.source = setting.prefix + rng.pick<const char*>({"s1", "s2", "s1#1"});
      std::size_t at = 0;
      for (std::uint64_t n = rng.below(7); n > 0; --n) {
        const std::string text = random_text(rng, 8) + ".";
        s.chunks.push_back({text, at, at + text.size(), at, at + text.size(), random_metadata(rng)});
        at += text.size();
      }
      break;
    }
    case Kind::kTexts:
      for (std::uint64_t n = rng.below(6); n > 0; --n) s.texts.push_back(random_text(rng, 9));
      break;
    case Kind::kAddVector:
    case Kind::kDropVector:
      s.vector_name = rng.pick<const char*>({"title", "extra", "extra"});
      s.field = {Metric::kEuclidean, 3};
      if (s.vector_name == "title")
        s.field = {op.slot == 2 ? Metric::kCosine : Metric::kDot, std::size_t{op.slot == 2 ? 8u : 4u}};
      break;
    case Kind::kScroll:
      s.limit = 1 + rng.below(60);
      s.with_vectors = rng.chance(30);
      s.filter = random_condition(rng, setting);
      break;
    case Kind::kCount:
      s.filter = random_condition(rng, setting);
      break;
    case Kind::kChanges:
      s.since = rng.below(4000);
      s.limit = rng.chance(50) ? 1'000'000 : rng.below(200);
      break;
    default:
      make_query(rng, s, setting);
  }
  return s;
}

std::vector<Op> make_ops(std::uint64_t seed, std::size_t count, bool concurrent) {
  Rng rng(seed);
  std::vector<Op> ops;
  unsigned total = 0;
  for (const Weight& w : kWeights) total += concurrent && alone(w.kind) ? 0 : w.weight;
  // The collections exist from the start, mostly.
  for (std::uint8_t slot = 0; slot < kSlots && !concurrent; ++slot)
    ops.push_back({Kind::kCreate, slot, rng()});
  while (ops.size() < count) {
    std::uint64_t at = rng.below(total);
    for (const Weight& w : kWeights) {
      if (concurrent && alone(w.kind)) continue;
      if (at < w.weight) {
        ops.push_back({w.kind, static_cast<std::uint8_t>(rng.below(kSlots)), rng()});
        break;
      }
      at -= w.weight;
    }
  }
  return ops;
}

std::string describe(const Op& op, const Setting& setting) {
  const Spec s = make_spec(op, setting);
  std::string out = concat(to_string(op.kind), " ", s.collection, " seed ", op.seed);
  for (const Operation& o : s.operations) {
    constexpr const char* kKinds[] = {"insert", "upsert", "erase", "update"};
    out += concat("\n    ", kKinds[static_cast<int>(o.kind)], " '", o.record.id.substr(0, 24), "' dimension ",
                  o.record.vector.dense().size(), " text '", o.record.text.substr(0, 60), "' ",
                  o.record.metadata.to_json());
  }
  for (const std::string& id : s.ids) out += concat(" '", id.substr(0, 24), "'");
  if (!s.source.empty()) out += concat(" source ", s.source, ", ", s.chunks.size(), " chunks");
  if (is_read(op.kind) || op.kind == Kind::kEraseWhere) {
    out += concat(" k ", s.k, " offset ", s.offset, " text '", s.text, "' vector '", s.vector_name,
                  "' where ", s.filter.text);
    if (s.threshold) out += concat(" threshold ", *s.threshold);
  }
  return out;
}

}  // namespace vecstore::model
