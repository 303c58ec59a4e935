// Writes collections into a truth through src/storage alone, as the layers above do: for tests of storage and
// of files.
#pragma once
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "base/metadata_codec.hpp"
#include "storage/document.hpp"
#include "storage/envelope.hpp"
#include "storage/keys.hpp"
#include "storage/rows.hpp"
#include "storage/store.hpp"

namespace vecstore::storage {

class ScratchDirectory {
 public:
  /// In memory where that is possible: these tests commit thousands of times.
  ScratchDirectory() {
    const char* chosen = std::getenv("TMPDIR");
    const bool memory = !chosen && ::access("/dev/shm", W_OK) == 0;
    const std::filesystem::path parent = memory ? "/dev/shm" : std::filesystem::temp_directory_path();
    std::string t = (parent / "vecstore-XXXXXX").string();
    path_ = mkdtemp(t.data());
  }
  ~ScratchDirectory() { std::filesystem::remove_all(path_); }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline std::string read_bytes(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
inline void write_bytes(const std::string& path, std::string_view bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

struct TestRecord {
  std::string id;
  std::string document;
  std::map<std::uint16_t, std::string> vectors;
};

/// One collection. Each call is one commit.
class TruthWriter {
 public:
  TruthWriter(Store& store, const std::string& name, unsigned fields, std::size_t dimension = 16)
      : store_(store), fields_(fields), dimension_(dimension) {
    store_.write(
        [&](Commit& c) {
          collection_ = c.state.next_collection++;
          const std::string key = name_key(0, name);
          std::string payload;
          put(payload, collection_);
          c.txn.put(Keyspace::kMain, key, seal(ValueKind::kName, 0, c.sequence, key, payload));
          CollectionState state;
          state.sequence = c.sequence;
          write_schema(c, state);
          write_collection_state(c.txn, collection_, state);
        },
        1000);
  }

  std::uint32_t collection() const { return collection_; }
  const std::map<std::string, IdEntry>& ids() const { return ids_; }
  FieldNames& names() { return names_; }

  TestRecord make(std::mt19937_64& random, const std::string& id) {
    TestRecord r;
    r.id = id;
    std::string metadata;
    Metadata m = Metadata::object(
        {{"n", static_cast<std::int64_t>(random() % 1000)}, {"tag", std::string(random() % 20, 'x')}});
    encode_metadata(m, names_, metadata);
    std::string text;
    for (std::size_t words = random() % 16 == 0 ? 800 : random() % 30; words > 0; --words)
      text += "word" + std::to_string(random() % 500) + " ";
    Document d{
        .id = r.id, .metadata = metadata, .text = text, .source = random() % 3 ? "" : "a source", .part = 7};
    if (random() % 5 == 0) d.expires_ms = static_cast<std::int64_t>(random() % 1'000'000);
    encode_document(d, r.document);
    for (unsigned f = 0; f < fields_; ++f) {
      if (random() % 4 == 0 || dropped_.contains(static_cast<std::uint16_t>(f))) continue;
      std::string v;
      const std::size_t count = f % 2 ? 1 + random() % 8 : dimension_;
      if (f % 2) {  // sparse: count, indices, values
        put(v, static_cast<std::uint32_t>(count));
        for (std::uint32_t n = 0, index = 0; n < count; ++n)
          put(v, index += 1 + static_cast<std::uint32_t>(random() % 1000));
      }
      for (std::size_t n = 0; n < count; ++n)
        put(v, static_cast<float>(random() % 20000) / 10000 - 1 + 0.00005f);
      r.vectors[static_cast<std::uint16_t>(f)] = v;
    }
    return r;
  }

  void upsert(const std::vector<TestRecord>& records) {
    std::map<std::string, IdEntry> ids;
    store_.write(
        [&](Commit& c) {
          ids = ids_;
          Change change(c, *this);
          std::vector<BlockRow> documents;
          std::map<std::uint16_t, std::vector<BlockRow>> vectors;
          for (const TestRecord& r : records) {
            const std::uint64_t row = change.state.next_row++;
            documents.push_back({row, r.document});
            std::size_t bytes = r.id.size() + r.document.size();
            std::vector<std::string_view> parts;
            for (const auto& [field, v] : r.vectors) {
              vectors[field].push_back({row, v, field % 2 ? 0.0f : inverse_norm(v)});
              parts.push_back(v);
              bytes += v.size();
            }
            const auto old = ids.find(r.id);
            const std::optional<std::uint64_t> old_row =
                old == ids.end() ? std::nullopt : std::optional(old->second.row);
            if (old != ids.end()) change.retire(r.id, old->second);
            const IdEntry entry{row, c.sequence, content_crc(r.document, parts),
                                static_cast<std::uint32_t>(bytes)};
            change.count(r.id, entry);
            write_id(c.txn, collection_, r.id, entry);
            ids[r.id] = entry;
            c.log.add({collection_, ChangeKind::kUpsert, row, old_row, r.id});
          }
          write_rows(c.txn, space(), documents, c.sequence);
          for (const auto& [field, rows] : vectors) write_rows(c.txn, space(field), rows, c.sequence);
          change.state.stored_rows += records.size();
          change.finish();
        },
        1000);
    ids_ = ids;
  }

  void erase(const std::vector<std::string>& gone) {
    store_.write(
        [&](Commit& c) {
          Change change(c, *this);
          for (const std::string& id : gone) {
            const IdEntry entry = ids_.at(id);
            change.retire(id, entry);
            c.txn.erase(Keyspace::kIds, id_key(collection_, id));
            c.log.add({collection_, ChangeKind::kErase, entry.row, entry.row, id});
          }
          change.finish();
        },
        1000, true);
    for (const std::string& id : gone) ids_.erase(id);
  }

  void update(const std::string& id, const Metadata& metadata) {
    std::string encoded;
    encode_metadata(metadata, names_, encoded);
    IdEntry entry;
    store_.write(
        [&](Commit& c) {
          Change change(c, *this);
          const IdEntry old = ids_.at(id);
          RowReader documents(c.txn, space());
          const std::string document(documents.find(old.row)->bytes);
          std::size_t bytes = id.size() + document.size() + encoded.size();
          std::vector<std::string> vectors;
          for (unsigned f = 0; f < fields_; ++f) {
            RowReader reader(c.txn, space(static_cast<std::uint16_t>(f)));
            if (const auto row = reader.find(old.row)) {
              vectors.emplace_back(row->bytes);
              bytes += row->bytes.size();
            }
          }
          const std::vector<std::string_view> parts(vectors.begin(), vectors.end());
          entry = {old.row, c.sequence, content_crc(document, parts, encoded),
                   static_cast<std::uint32_t>(bytes)};
          const std::string key = aux_key(collection_, AuxKind::kOverlay, old.row);
          if (!c.txn.get(Keyspace::kAux, key)) ++change.state.overlays;
          c.txn.put(Keyspace::kAux, key, seal(ValueKind::kOverlay, collection_, c.sequence, key, encoded));
          change.uncount(id, old);
          change.count(id, entry);
          write_id(c.txn, collection_, id, entry);
          c.log.add({collection_, ChangeKind::kUpdateMetadata, old.row, std::nullopt, id});
          change.finish();
        },
        1000);
    ids_[id] = entry;
  }

  /// Takes name and record away and leaves the keys to be swept.
  void drop(const std::string& name) {
    store_.write(
        [&](Commit& c) {
          c.txn.erase(Keyspace::kMain, name_key(0, name));
          c.txn.erase(Keyspace::kMain, collection_key(collection_));
          mark(c, collection_prefix(collection_));
          c.log.add({collection_, ChangeKind::kDropCollection, 0, std::nullopt, {}});
        },
        1000);
  }

  /// Drops a vector field; its rows are left to be swept.
  void drop_field(std::uint16_t field) {
    store_.write(
        [&](Commit& c) {
          auto state = *read_collection_state(c.txn, collection_);
          dropped_.insert(field);
          write_schema(c, state);
          state.sequence = c.sequence;
          write_collection_state(c.txn, collection_, state);
          std::string prefix = collection_prefix(collection_);
          put_big_endian(prefix, field);
          mark(c, prefix);
        },
        1000);
  }

  RowSpace space() const { return {BlockKind::kDocuments, collection_, 0, 0}; }
  RowSpace space(std::uint16_t field) const {
    return {BlockKind::kVectors, collection_, field, static_cast<std::uint8_t>(field % 2 ? 5 : 1)};
  }

 private:
  static float inverse_norm(const std::string& vector) {
    double sum = 0;
    for (std::size_t at = 0; at < vector.size(); at += 4) {
      const double x = load<float>(vector.data() + at);
      sum += x * x;
    }
    return static_cast<float>(1 / std::sqrt(sum));
  }

  /// The counters of one commit.
  struct Change {
    Change(Commit& c, TruthWriter& w)
        : commit(c),
          writer(w),
          state(*read_collection_state(c.txn, w.collection_)),
          retired(c.txn, w.collection_) {}
    void count(const std::string& id, const IdEntry& entry) {
      ++state.live;
      state.live_bytes += entry.bytes;
      state.digest += entry.contribution(id);
    }
    void uncount(const std::string& id, const IdEntry& entry) {
      --state.live;
      state.live_bytes -= entry.bytes;
      state.digest -= entry.contribution(id);
    }
    void retire(const std::string& id, const IdEntry& entry) {
      uncount(id, entry);
      retired.retire(entry.row);
      rows.insert(entry.row);
      if (commit.txn.erase(Keyspace::kAux, aux_key(writer.collection_, AuxKind::kOverlay, entry.row)))
        --state.overlays;
    }
    void finish() {
      for (; state.field_names < writer.names_.size(); ++state.field_names) {
        const std::string key = aux_key(writer.collection_, AuxKind::kFieldName, state.field_names);
        const auto name = writer.names_.name(static_cast<std::uint32_t>(state.field_names));
        commit.txn.put(Keyspace::kAux, key,
                       seal(ValueKind::kFieldName, writer.collection_, commit.sequence, key, name));
      }
      if (!rows.empty()) {
        const std::vector<std::uint64_t> list(rows.begin(), rows.end());
        state.stored_rows -= reclaim(commit.txn, writer.space(), list, retired, commit.sequence);
        for (unsigned f = 0; f < writer.fields_; ++f) {
          if (!writer.dropped_.contains(static_cast<std::uint16_t>(f))) {
            reclaim(commit.txn, writer.space(static_cast<std::uint16_t>(f)), list, retired, commit.sequence);
          }
        }
        retired.write(commit.txn, commit.sequence);
        state.retired_sequence = commit.sequence;
      }
      state.sequence = commit.sequence;
      write_collection_state(commit.txn, writer.collection_, state);
    }
    Commit& commit;
    TruthWriter& writer;
    CollectionState state;
    RetiredUpdate retired;
    std::set<std::uint64_t> rows;
  };

  void mark(Commit& c, std::string_view prefix) {
    const std::string key = main_key(MainKind::kGarbage, prefix);
    c.txn.put(Keyspace::kMain, key, seal(ValueKind::kGarbage, 0, c.sequence, key, {}));
  }

  void write_schema(Commit& c, CollectionState& state) {
    if (state.schema > 0) c.txn.erase(Keyspace::kAux, aux_key(collection_, AuxKind::kSchema, state.schema));
    Metadata vectors = Metadata::array();
    for (unsigned f = 0; f < fields_; ++f) {
      if (dropped_.contains(static_cast<std::uint16_t>(f))) continue;
      vectors.push_back(Metadata::object({{"name", f < 2 ? std::string() : "v" + std::to_string(f)},
                                          {"element", f % 2 ? 5 : 1},
                                          {"number", static_cast<int>(f)},
                                          {"metric", "cosine"},
                                          {"dimension", static_cast<int>(f % 2 ? 0 : dimension_)}}));
    }
    const Metadata schema =
        Metadata::object({{"vectors", vectors},
                          {"next_number", static_cast<int>(fields_)},
                          {"text_fields", Metadata::array()},
                          {"embedder", Metadata::object({{"name", ""}, {"fingerprint", ""}})}});
    const std::string key = aux_key(collection_, AuxKind::kSchema, ++state.schema);
    c.txn.put(Keyspace::kAux, key, seal(ValueKind::kSchema, collection_, c.sequence, key, schema.to_json()));
  }

  Store& store_;
  unsigned fields_;
  std::size_t dimension_;
  std::uint32_t collection_ = 0;
  std::map<std::string, IdEntry> ids_;
  std::set<std::uint16_t> dropped_;
  FieldNames names_;
};

/// Some commits on a collection: new records, new versions, new metadata, erasures.
inline void random_commits(TruthWriter& writer, std::mt19937_64& random, int commits, std::size_t most = 40) {
  const auto any_id = [&] {
    return std::next(writer.ids().begin(), static_cast<long>(random() % writer.ids().size()))->first;
  };
  for (int i = 0; i < commits; ++i) {
    const auto what = random() % 10;
    if (what < 6 || writer.ids().size() < 20) {
      std::set<std::string> ids;
      for (std::size_t n = 1 + (random() % 2 ? 0 : random() % most); n > 0; --n) {
        std::string id = "id-" + std::to_string(random() % 2000);
        if (random() % 50 == 0) id += std::string(460 + random() % 45, 'y');
        ids.insert(random() % 3 == 0 && !writer.ids().empty() ? any_id() : id);
      }
      std::vector<TestRecord> records;
      for (const std::string& id : ids) records.push_back(writer.make(random, id));
      writer.upsert(records);
    } else if (what < 8) {
      writer.update(any_id(), Metadata::object({{"updated", static_cast<int>(random() % 100)}}));
    } else {
      std::set<std::string> gone;
      for (std::size_t n = 1 + random() % (writer.ids().size() / 2); n > 0; --n) gone.insert(any_id());
      writer.erase({gone.begin(), gone.end()});
    }
  }
}

}  // namespace vecstore::storage
