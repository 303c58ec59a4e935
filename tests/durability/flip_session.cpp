#include "durability/flip_session.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <random>
#include <stdexcept>

#include "base/error.hpp"
#include "storage/verify.hpp"

namespace vecstore::durability {
namespace {

constexpr std::size_t kProbes = 5;
constexpr std::size_t kBare = kProbes + 2;  // without text and metadata: ids out of segments
constexpr std::size_t kQuestions = kBare + kProbes;
constexpr const char* kFilter = "group = 3 AND number >= 20";
constexpr std::uint64_t kMapSize = 1 << 26;

OpenOptions options(bool write) {
  return {.read_only = !write, .create = false, .map_size = kMapSize, .threads = 1};
}

class Writer {
 public:
  Writer(VecDatabase& db, FlipCollection& out, std::size_t dimension, std::size_t id_bytes, unsigned seed)
      : out_(out),
        collection_(db.create_collection(out.name, out.options)),
        dimension_(dimension),
        id_bytes_(id_bytes),
        random_(seed) {}

  std::vector<float> vector(std::size_t dimension) {
    std::normal_distribution<float> normal;
    std::vector<float> v(dimension);
    for (float& x : v) x = normal(random_);
    return v;
  }
  Record make() {
    const int number = static_cast<int>(out_.records.size() + out_.erased.size());
    static constexpr const char* kWords[] = {"river", "stone",  "lantern", "harvest",
                                             "orbit", "garden", "copper",  "violin"};
    Record r{.id = out_.name + "-" + std::to_string(random_() % 100'000) + "-" + std::to_string(number)};
    if (number % 3 == 0) r.id += std::string(id_bytes_, static_cast<char>('a' + random_() % 26));
    r.vector = vector(dimension_);
    if (out_.options.vectors.contains("extra") && number % 2) r.vectors["extra"] = vector(3);
    const std::size_t words = number % 50 == 7 ? 900 : 3 + random_() % 12;
    for (std::size_t i = 0; i < words; ++i) r.text += std::string(kWords[random_() % 8]) + " ";
    r.text += "number " + std::to_string(number);
    r.metadata = {{"number", number}, {"group", number % 7}, {"name", "n" + std::to_string(random_())}};
    r.source = "file" + std::to_string(number % 5);
    r.start = random_() % 1000;
    r.end = r.start + r.text.size();
    r.part = static_cast<std::uint32_t>(number);
    return r;
  }
  void upsert(std::size_t times) {
    for (; times > 0; --times) {
      const Record r = make();
      collection_.upsert(r);
      out_.records[r.id] = r;
    }
  }
  void batch(std::size_t size) {
    std::vector<Record> records;
    for (std::size_t i = 0; i < size; ++i) {
      records.push_back(make());
      out_.records[records.back().id] = records.back();
    }
    collection_.batch_upsert(records);
  }
  void update(std::size_t times) {
    for (; times > 0; --times) {
      Record& r = any()->second;
      r.metadata["updated"] = static_cast<int>(random_() % 1000);
      collection_.update_metadata(r.id, r.metadata);
    }
  }
  void erase(std::size_t times) {
    for (; times > 0; --times) {
      const auto r = any();
      collection_.erase(r->first);
      out_.erased.insert(r->first);
      out_.records.erase(r);
    }
  }
  void replace(std::size_t times) {
    for (; times > 0; --times) {
      Record& old = any()->second;
      Record r = make();
      r.id = old.id;
      collection_.upsert(r);
      old = r;
    }
  }

 private:
  std::map<std::string, Record>::iterator any() {
    return std::next(out_.records.begin(), static_cast<long>(random_() % out_.records.size()));
  }
  FlipCollection& out_;
  Collection collection_;
  std::size_t dimension_;
  std::size_t id_bytes_;
  std::mt19937 random_;
};

bool same_value(const Record& a, const Record& b, bool vectors) {
  return a.id == b.id && a.text == b.text && a.metadata == b.metadata && a.source == b.source &&
         a.start == b.start && a.end == b.end && a.part == b.part &&
         (!vectors || (a.vector == b.vector && a.vectors == b.vectors));
}

std::string difference(const Record& got, const Record& expected) {
  return concat(" of commit ", got.sequence, ": text ", got.text == expected.text ? "same" : "differs",
                ", vectors ",
                got.vector == expected.vector && got.vectors == expected.vectors ? "same" : "differ",
                ", metadata ", got.metadata == expected.metadata ? "same" : got.metadata.to_json());
}

Hits ask(const Collection& collection, const FlipCollection& part, std::size_t question) {
  if (question < kProbes) return collection.query(Query(part.probes[question]).k(10));
  if (question >= kBare)
    return collection.query(Query(part.probes[question - kBare]).k(40).with_text(false).with_metadata(false));
  if (question == kProbes) return collection.query_text("copper garden", {.k = 20, .mode = Mode::kText});
  return collection.query(Query(part.probes[0]).k(10).where(kFilter));
}

class Session {
 public:
  Session(FlipModel& model, FlipOutcome& out) : model_(model), out_(out) {}

  void read_everything(const VecDatabase& db) {
    call("list", [&] {
      std::vector<std::string> names;
      for (const FlipCollection& part : model_.collections) names.push_back(part.name);
      if (db.list_collections() != names) missing("list_collections differs");
    });
    call("database stats", [&] {
      const DatabaseStats s = db.stats();
      const DatabaseStats& m = model_.stats;
      if (s.collections != m.collections || s.records != m.records || s.sequence != m.sequence ||
          s.generation != m.generation)
        missing(concat("stats: ", s.records, " records, sequence ", s.sequence));
      if (s.free_bytes != m.free_bytes) missing(concat("stats: ", s.free_bytes, " free bytes"));
    });
    for (FlipCollection& part : model_.collections) {
      call("get collection", [&] { read(db.get_collection(part.name), part); });
    }
  }
  void write_something(VecDatabase& db) {
    for (FlipCollection& part : model_.collections) {
      call("write", [&] { write(db.get_collection(part.name), part); });
    }
  }
  void verify(const VecDatabase& db) {
    stage("verify");
    try {
      const VerifyReport report = db.verify();
      out_.damages += report.damages.size();
    } catch (const Error&) {
      ++out_.damages;
    }
    out_.verified = true;
  }
  void read_again(const VecDatabase& db) {
    written_ = true;
    for (FlipCollection& part : model_.collections) {
      call("get collection", [&] {
        const Collection collection = db.get_collection(part.name);
        gets(collection, part);
        scroll(collection, part);
        count(collection, part);
      });
    }
  }
  void stage(const char* what) { std::snprintf(out_.stage, sizeof out_.stage, "%s", what); }
  template <class F>
  bool call(const char* what, const F& work) {
    stage(what);
    try {
      work();
      return true;
    } catch (const Error&) {
      ++out_.errors;
    } catch (const std::exception& e) {
      ++out_.errors;
      note(out_.foreign, concat(what, ": ", e.what()));
    }
    return false;
  }

 private:
  static void note(char (&to)[FlipOutcome::kText], const std::string& text) {
    if (!to[0]) std::snprintf(to, sizeof to, "%s", text.c_str());
  }
  void wrong(const std::string& what) { note(out_.wrong, concat(out_.stage, ": ", what)); }
  void missing(const std::string& what) { note(out_.missing, concat(out_.stage, ": ", what)); }

  // A write that went into a damaged tree may have set a second entry beside the one that it did not find.
  void stale(const std::string& id) {
    out_.stale = true;
    missing("an older version of " + id);
  }
  bool was_replaced(const Record& r) const {
    const auto old = replaced_.find(r.id);
    return old != replaced_.end() && same_value(r, old->second, true);
  }

  void read(const Collection& collection, const FlipCollection& part) {
    gets(collection, part);
    scroll(collection, part);
    count(collection, part);
    call("stats", [&] {
      const CollectionStats s = collection.stats();
      const CollectionStats& m = part.stats;
      if (s.count != m.count || s.stored_rows != m.stored_rows || s.live_bytes != m.live_bytes ||
          s.digest != m.digest || s.sequence != m.sequence)
        wrong("collection stats");
    });
    for (std::size_t q = 0; q < kQuestions; ++q) {
      call(q >= kBare     ? "bare query"
           : q < kProbes  ? "vector query"
           : q == kProbes ? "text query"
                          : "filtered query",
           [&] { compare(ask(collection, part, q), part, q); });
    }
    call("changes", [&] { changes(collection.changes({.limit = 10'000}), part); });
  }

  void gets(const Collection& collection, const FlipCollection& part) {
    for (const auto& [id, record] : part.records) {
      call("get", [&, &id = id, &record = record] {
        const auto found = collection.get(id);
        if (!found) return missing(id);
        if (was_replaced(*found)) return stale(id);
        if (!same_value(*found, record, true)) wrong(concat(id, difference(*found, record)));
      });
    }
    for (const std::string& id : part.erased) {
      call("get erased", [&] {
        if (collection.get(id)) wrong("an erased record is back: " + id);
      });
    }
  }

  void scroll(const Collection& collection, const FlipCollection& part) {
    call("scroll", [&] {
      auto expected = part.records.begin();
      ScrollOptions options{.limit = 500, .with_vectors = true};
      for (bool more = true; more;) {
        const ScrollPage page = collection.scroll(options);
        for (const Record& r : page.records) {
          const auto found = part.records.find(r.id);
          if (found == part.records.end()) return wrong("a record that there never was: " + r.id);
          if (!same_value(r, found->second, true)) return wrong(concat(r.id, difference(r, found->second)));
          while (expected != part.records.end() && expected->first < r.id) missing((expected++)->first);
          if (expected == part.records.end() || expected->first != r.id) return wrong("again: " + r.id);
          ++expected;
        }
        options.after = page.next;
        more = !page.next.empty();
      }
      if (expected != part.records.end()) missing(expected->first);
    });
  }

  void count(const Collection& collection, const FlipCollection& part) {
    call("count", [&] {
      const std::uint64_t n = collection.count();
      if (n == part.records.size()) return;
      // A write that did not find the old entry counts its record as new.
      written_ ? missing(concat(n, " records")) : wrong(concat(n, " records"));
    });
    if (written_) return;
    call("filtered count", [&] {
      const std::uint64_t n = collection.count(kFilter);
      if (n != part.matching) missing(concat(n, " instead of ", part.matching));
    });
  }

  void compare(const Hits& hits, const FlipCollection& part, std::size_t question) {
    out_.degraded += hits.degraded;
    const Hits& sound = part.answers[question];
    for (const Hit& hit : hits) {
      const auto found = part.records.find(hit.id);
      if (found == part.records.end()) return wrong("a hit that there never was: " + hit.id);
      const Record& r = found->second;
      const bool bare = question >= kBare;
      if (hit.text != (bare ? "" : r.text) || hit.metadata != (bare ? Metadata() : r.metadata) ||
          hit.source != r.source || hit.start != r.start || hit.part != r.part)
        return wrong("hit " + hit.id);
      if (question == kProbes) continue;  // text scores depend on the other records
      const float score = part.all_scores[bare                 ? question - kBare
                                          : question < kProbes ? question
                                                               : 0]
                              .at(hit.id);
      if (std::abs(hit.score - score) > 1e-4f * (1 + std::abs(score)))
        return wrong(concat("hit ", hit.id, " scores ", hit.score, " instead of ", score));
    }
    // Other hits than those of the sound store: nobody may find out only by knowing them.
    bool same = hits.size() == sound.size();
    for (std::size_t i = 0; same && i < hits.size(); ++i)
      same = hits[i].id == sound[i].id && hits[i].score == sound[i].score;
    if (!same && hits.degraded == 0) missing("other hits than before");
  }

  void changes(const std::vector<Change>& got, const FlipCollection& part) {
    std::size_t at = 0;
    for (const Change& c : got) {
      const auto same = [&](const Change& m) {
        return m.sequence == c.sequence && m.operation == c.operation && m.id == c.id && m.row == c.row;
      };
      while (at < part.changes.size() && !same(part.changes[at])) {
        missing(concat("change ", part.changes[at].sequence, " of ", part.changes[at].id));
        ++at;
      }
      if (at == part.changes.size()) return wrong(concat("change ", c.sequence, " of ", c.id));
      ++at;
    }
    if (at != part.changes.size()) missing(concat(part.changes.size() - at, " changes"));
  }

  void write(Collection collection, FlipCollection& part) {
    // The model follows what was acknowledged. A write that fails is no part of it; the record that it
    // touched is as it was.
    Record fresh = part.records.begin()->second;
    fresh.id = "0-new";
    fresh.text = "written later";
    const auto put = [&](const Record& r) {
      call("upsert", [&] {
        collection.upsert(r);
        if (const auto old = part.records.find(r.id); old != part.records.end())
          replaced_[r.id] = old->second;
        part.records[r.id] = r;
        part.erased.erase(r.id);
      });
    };
    put(fresh);
    Record changed = std::next(part.records.begin(), static_cast<long>(part.records.size() / 2))->second;
    changed.text += " changed";
    put(changed);
    const std::string gone = std::next(part.records.begin(), 5)->first;
    call("erase", [&] {
      if (collection.erase(gone) != 1) return missing("erase found no " + gone);
      part.records.erase(gone);
      part.erased.insert(gone);
    });
    Record& touched = std::prev(part.records.end(), 3)->second;
    Metadata metadata = touched.metadata;
    metadata["late"] = 1;
    call("update_metadata", [&] {
      collection.update_metadata(touched.id, metadata);
      replaced_[touched.id] = touched;
      touched.metadata = metadata;
    });
    std::vector<Record> batch;
    for (int i = 0; i < 30; ++i) {
      batch.push_back(fresh);
      batch.back().id = "z-batch-" + std::to_string(i);
    }
    call("batch_upsert", [&] {
      collection.batch_upsert(batch);
      for (const Record& r : batch) part.records[r.id] = r;
    });
  }

  FlipModel& model_;
  FlipOutcome& out_;
  bool written_ = false;
  std::map<std::string, Record> replaced_;  // what this session's own writes replaced
};

}  // namespace

FlipModel build_flip_store(const std::string& directory, unsigned seed) {
  FlipModel model;
  model.collections.resize(3);
  FlipCollection& longs = model.collections[0];
  FlipCollection& named = model.collections[1];
  FlipCollection& shorts = model.collections[2];
  longs.name = "long";
  longs.options = {.metric = Metric::kCosine, .dimension = 600};
  named.name = "named";
  named.options = {.metric = Metric::kDot, .dimension = 16, .vectors = {{"extra", {.dimension = 3}}}};
  shorts.name = "short";
  shorts.options = {.metric = Metric::kEuclidean, .dimension = 8};
  auto db = VecDatabase::open(directory, {.map_size = kMapSize, .threads = 1});
  Writer a(db, longs, 600, 40, seed);
  Writer b(db, named, 16, 200, seed + 1);
  Writer c(db, shorts, 8, 90, seed + 2);
  a.batch(60);
  b.batch(200);
  for (int round = 0; round < 5; ++round) {
    a.upsert(12);
    b.upsert(40);
    c.upsert(110);
    c.batch(90);
    for (Writer* w : {&a, &b, &c}) {
      w->update(8);
      w->erase(5);
      w->replace(4);
    }
  }
  db.get_collection(named.name).optimize();
  b.erase(9);
  b.replace(9);
  b.batch(100);
  for (auto [writer, part] : {std::pair(&a, &longs), std::pair(&b, &named), std::pair(&c, &shorts)}) {
    for (std::size_t i = 0; i < kProbes; ++i) part->probes.push_back(writer->vector(part->options.dimension));
  }
  db.close();
  return model;
}

void learn_answers(const std::string& directory, FlipModel& model) {
  auto db = VecDatabase::open(directory, options(false));
  model.stats = db.stats();
  for (FlipCollection& part : model.collections) {
    const Collection collection = db.get_collection(part.name);
    for (std::size_t q = 0; q < kQuestions; ++q) part.answers.push_back(ask(collection, part, q));
    for (const auto& probe : part.probes) {
      auto& scores = part.all_scores.emplace_back();
      for (const Hit& hit : collection.query(Query(probe).k(10'000))) scores[hit.id] = hit.score;
      if (scores.size() != part.records.size()) throw std::runtime_error("a query lacks records");
    }
    part.matching = collection.count(kFilter);
    part.stats = collection.stats();
    part.changes = collection.changes({.limit = 10'000});
    if (part.matching == 0 || part.answers.back().empty() || part.answers[kProbes].empty())
      throw std::runtime_error("a question that nothing answers");
  }
  db.close();
}

void run_flip_session(const std::string& directory, FlipModel& model, bool write, FlipOutcome& out) {
  Session session(model, out);
  session.call("open", [&] {
    auto db = VecDatabase::open(directory, options(write));
    out.opened = true;
    session.read_everything(db);
    if (write) {
      session.write_something(db);
      session.read_again(db);
    }
    session.verify(db);
    session.stage("close");
    db.close();
  });
  out.done = true;
}

void run_flip_verify(const std::string& directory, FlipOutcome& out) {
  FlipModel none;
  Session session(none, out);
  session.stage("verify of the directory");
  try {
    out.damages += storage::verify_directory(directory).found;
  } catch (const Error&) {
    ++out.damages;
  }
  session.call("open", [&] {
    const auto db = VecDatabase::open(directory, options(false));
    out.opened = true;
    session.verify(db);
    session.stage("close");
  });
  out.done = true;
}

}  // namespace vecstore::durability
