// Damage of every kind, planted on purpose: verify has to find all of it.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdio>

#include "base/crc32c.hpp"
#include "seed.hpp"
#include "storage/lmdb_file.hpp"
#include "storage/truth_writer.hpp"
#include "storage/verify.hpp"

namespace vecstore::storage {
namespace {

std::uint64_t times(std::uint64_t usual) {
  const char* text = std::getenv("VECSTORE_TEST_FACTOR");
  return text ? usual * std::strtoull(text, nullptr, 10) : usual;
}

struct Entry {
  Keyspace keyspace;
  std::string key;
  std::string value;
};

/// A closed store of two collections with everything in it, and the engine's environment to put damage into
/// it.
class DamagedStore : public ::testing::Test {
 protected:
  DamagedStore() : seed_(test::seed()), random_(seed_), dir_(scratch_ / "db") {
    auto store = Store::open(dir_, {.map_size = 1 << 22});
    TruthWriter first(*store, "first", 2);
    TruthWriter second(*store, "second", 1);
    random_commits(first, random_, 25);
    random_commits(second, random_, 10);
    while (!has_overlay(*store, first))
      first.update(first.ids().begin()->first, Metadata::object({{"updated", true}}));
    TruthWriter third(*store, "third", 1);
    random_commits(third, random_, 3);
    third.drop("third");
    dropped_ = collection_prefix(third.collection());
    store->close();
  }

  bool has_overlay(Store& store, TruthWriter& writer) {
    ReadTxn txn(store.env());
    return read_collection_state(txn, writer.collection())->overlays > 0;
  }
  std::string data() const { return dir_ + "/truth.1/data.mdb"; }

  /// Everything in the truth, by the engine.
  std::vector<Entry> all(Env& env) {
    std::vector<Entry> out;
    ReadTxn txn(env);
    for (std::size_t i = 0; i < kKeyspaces; ++i) {
      const auto keyspace = static_cast<Keyspace>(i);
      Cursor cursor = txn.cursor(keyspace);
      for (bool more = cursor.seek(std::string(1, '\0')); more; more = cursor.next()) {
        if (i == 0 && cursor.key()[0] != kMainPrefix) continue;
        if (i > 0 && i < kKeyspaces - 1 && cursor.key().starts_with(dropped_))
          continue;  // dead, to be swept away
        out.push_back({keyspace, std::string(cursor.key()), std::string(cursor.value())});
      }
    }
    return out;
  }

  /// "ids", "aux R", ...: what the summary counts by.
  static std::string class_of(const Entry& e) {
    switch (e.keyspace) {
      case Keyspace::kMain:
        return std::string("main ") + e.key[1];
      case Keyspace::kAux:
        return std::string("aux ") + e.key[4];
      case Keyspace::kVectors:
        return "vec";
      case Keyspace::kDocuments:
        return "doc";
      case Keyspace::kIds:
        return "ids";
      case Keyspace::kLog:
        return "log";
    }
    return "?";
  }

  void put_raw(Env& env, const Entry& e) {
    WriteTxn txn(env);
    txn.put(e.keyspace, e.key, e.value);
    txn.commit();
  }
  void erase_raw(Env& env, const Entry& e) {
    WriteTxn txn(env);
    txn.erase(e.keyspace, e.key);
    txn.commit();
  }

  /// One planted damage: true when it was found; the truth is as before afterwards.
  void expect_found(const std::string& kind, const std::string& what) {
    const VerifyResult result = verify_directory(dir_);
    auto& count = counts_[kind];
    ++count[0];
    count[1] += !result.ok();
    EXPECT_FALSE(result.ok()) << "seed " << seed_ << ": not found: " << kind << ", " << what;
  }
  void print_counts() {
    std::uint64_t planted = 0;
    std::uint64_t found = 0;
    for (const auto& [kind, count] : counts_) {
      std::printf("  %-28s planted %5llu found %5llu\n", kind.c_str(),
                  static_cast<unsigned long long>(count[0]), static_cast<unsigned long long>(count[1]));
      planted += count[0];
      found += count[1];
    }
    std::printf("  all: planted %llu found %llu\n", static_cast<unsigned long long>(planted),
                static_cast<unsigned long long>(found));
  }
  /// Some entries of each class, so that every class is hit however few it has.
  std::vector<Entry> sample(const std::vector<Entry>& entries, std::size_t per_class) {
    std::map<std::string, std::vector<const Entry*>> classes;
    for (const Entry& e : entries) classes[class_of(e)].push_back(&e);
    std::vector<Entry> out;
    for (auto& [name, list] : classes) {
      for (std::size_t i = 0; i < per_class; ++i) out.push_back(*list[random_() % list.size()]);
    }
    return out;
  }

  std::uint64_t seed_;
  std::mt19937_64 random_;
  ScratchDirectory scratch_;
  std::string dir_;
  std::string dropped_;
  std::map<std::string, std::array<std::uint64_t, 2>> counts_;
};

TEST_F(DamagedStore, ValuesAndKeys) {
  Env env(dir_ + "/truth.1", {.relaxed = true, .map_size = 1 << 24, .max_map_size = 1 << 24});
  const std::vector<Entry> entries = all(env);
  ASSERT_TRUE(verify_directory(dir_).ok());
  const std::size_t some = times(8);
  for (const Entry& e : sample(entries, some)) {
    Entry bad = e;
    const std::size_t bit = random_() % (bad.value.size() * 8);
    bad.value[bit / 8] = static_cast<char>(bad.value[bit / 8] ^ (1 << (bit % 8)));
    put_raw(env, bad);
    expect_found("bit in " + class_of(e), concat("bit ", bit));
    put_raw(env, e);
  }
  for (const Entry& e : sample(entries, some)) {
    Entry bad = e;
    bad.value.resize(random_() % bad.value.size());
    put_raw(env, bad);
    expect_found("cut " + class_of(e), concat(bad.value.size(), " of ", e.value.size(), " bytes"));
    put_raw(env, e);
  }
  for (const Entry& e : sample(entries, some / 2)) {
    Entry bad = e;
    bad.value += '\0';
    put_raw(env, bad);
    expect_found("longer " + class_of(e), "one byte");
    put_raw(env, e);
  }
  for (const Entry& e : sample(entries, some)) {
    erase_raw(env, e);
    expect_found("erased " + class_of(e), "key");
    put_raw(env, e);
  }
  for (const Entry& e : sample(entries, some)) {
    Entry other = entries[random_() % entries.size()];
    for (int i = 0; i < 100 && (class_of(other) != class_of(e) || other.key == e.key); ++i)
      other = entries[random_() % entries.size()];
    if (other.key == e.key && other.keyspace == e.keyspace) continue;
    put_raw(env, {e.keyspace, e.key, other.value});
    put_raw(env, {other.keyspace, other.key, e.value});
    expect_found("swapped " + class_of(e), "with another");
    put_raw(env, e);
    put_raw(env, other);
  }
  for (const Entry& e : sample(entries, some / 2)) {
    Entry extra = e;
    extra.key.back() = static_cast<char>(extra.key.back() ^ (1 << (random_() % 8)));
    bool taken = false;
    for (const Entry& x : entries) taken = taken || (x.keyspace == extra.keyspace && x.key == extra.key);
    if (taken) continue;
    put_raw(env, extra);
    expect_found("copied to a key " + class_of(e), "value under a second key");
    erase_raw(env, extra);
  }
  for (int i = 1; i < static_cast<int>(kKeyspaces); ++i) {
    const Entry odd{static_cast<Keyspace>(i), "\x01\x02", "x"};
    put_raw(env, odd);
    expect_found("odd key", concat("keyspace ", i));
    erase_raw(env, odd);
  }
  EXPECT_TRUE(verify_directory(dir_).ok());
  print_counts();
}

// Values whose checksums are right but that contradict the others: what a lost or a repeated write leaves.
TEST_F(DamagedStore, SoundValuesThatContradict) {
  Env env(dir_ + "/truth.1", {.relaxed = true, .map_size = 1 << 24, .max_map_size = 1 << 24});
  const std::vector<Entry> entries = all(env);
  const auto plant = [&](const std::string& kind, const std::function<void(WriteTxn&)>& change) {
    {
      WriteTxn txn(env);
      change(txn);
      txn.commit();
    }
    expect_found(kind, "");
    WriteTxn txn(env);
    for (const Entry& e : entries) txn.put(e.keyspace, e.key, e.value);
    txn.commit();
  };
  const auto collection = [&](const std::string& kind, const std::function<void(CollectionState&)>& change) {
    plant(kind, [&](WriteTxn& txn) {
      CollectionState state = *read_collection_state(txn, 1);
      change(state);
      write_collection_state(txn, 1, state);
    });
  };
  for (std::uint64_t off : {std::uint64_t{1}, ~std::uint64_t{0}, std::uint64_t{1} << 40}) {
    collection("counter live", [&](auto& s) { s.live += off; });
    collection("counter stored_rows", [&](auto& s) { s.stored_rows += off; });
    collection("counter live_bytes", [&](auto& s) { s.live_bytes += off; });
    collection("counter digest", [&](auto& s) { s.digest += off; });
    collection("counter overlays", [&](auto& s) { s.overlays += off; });
    collection("counter field_names", [&](auto& s) { s.field_names += off; });
    collection("counter schema", [&](auto& s) { s.schema += off; });
  }
  collection("counter next_row", [&](auto& s) { s.next_row = 3; });
  collection("counter sequence", [&](auto& s) { s.sequence += 1'000'000; });
  collection("counter sequence", [&](auto& s) { s.sequence = 2; });
  const auto store = [&](const std::string& kind, const std::function<void(StoreState&)>& change) {
    plant(kind, [&](WriteTxn& txn) {
      StoreState state = read_store_state(txn);
      change(state);
      write_store_state(txn, state);
    });
  };
  store("store uuid", [](auto& s) { s.uuid[3] ^= 1; });
  store("store generation", [](auto& s) { s.generation = 2; });
  store("store sequence", [](auto& s) { s.sequence -= 1; });
  store("store next_collection", [](auto& s) { s.next_collection = 2; });
  store("store next_namespace", [](auto& s) { s.next_namespace = 0; });
  store("store log_changes", [](auto& s) { s.log_changes += 1; });
  store("store log_from", [](auto& s) { s.log_from = s.sequence; });

  std::vector<std::string> ids;
  for (const Entry& e : entries) {
    if (e.keyspace == Keyspace::kIds && e.key.starts_with(collection_prefix(1)) && e.key.size() < 100)
      ids.push_back(e.key.substr(4));
  }
  const auto id_entry = [&](const std::string& kind, const std::function<void(IdEntry&)>& change) {
    for (std::uint64_t i = 0; i < times(5); ++i) {
      plant(kind, [&](WriteTxn& txn) {
        const std::string& id = ids[random_() % ids.size()];
        IdEntry entry = *find_id(txn, 1, id);
        change(entry);
        write_id(txn, 1, id, entry);
      });
    }
  };
  const std::uint64_t other_row = [&] {
    ReadTxn txn(env);
    return find_id(txn, 1, ids[0])->row;
  }();
  id_entry("id row missing", [](auto& e) { e.row += 100'000; });
  id_entry("id row of another", [&](auto& e) { e.row = e.row == other_row ? e.row + 1 : other_row; });
  id_entry("id content", [](auto& e) { e.content ^= 0x100; });
  id_entry("id bytes", [](auto& e) { e.bytes += 1; });
  id_entry("id sequence", [](auto& e) { e.sequence += 1'000'000; });
  for (std::uint64_t i = 0; i < times(5); ++i) {
    plant("two ids swapped", [&](WriteTxn& txn) {
      const std::string& a = ids[random_() % (ids.size() / 2)];
      const std::string& b = ids[ids.size() / 2 + random_() % (ids.size() / 2)];
      const IdEntry x = *find_id(txn, 1, a);
      const IdEntry y = *find_id(txn, 1, b);
      write_id(txn, 1, a, y);
      write_id(txn, 1, b, x);
    });
    plant("row retired, id not", [&](WriteTxn& txn) {
      RetiredUpdate retired(txn, 1);
      retired.retire(find_id(txn, 1, ids[random_() % ids.size()])->row);
      retired.write(txn, 1);
    });
  }
  // Blocks that are sound in themselves.
  for (std::uint64_t i = 0; i < times(8); ++i) {
    const bool vectors = random_() % 2;
    const RowSpace space =
        vectors ? RowSpace{BlockKind::kVectors, 1, 0, 1} : RowSpace{BlockKind::kDocuments, 1, 0, 0};
    for (const char* kind :
         {"block with other bytes", "block lacks a row", "block of new rows", "block with an old number"}) {
      plant(concat(kind, vectors ? " vec" : " doc"), [&](WriteTxn& txn) {
        const IdEntry entry = *find_id(txn, 1, ids[random_() % ids.size()]);
        RowReader reader(txn, space);
        std::string key;
        std::vector<BlockRow> rows;
        std::vector<std::string> copies;
        // A vector may be missing; take the next block that has a live row then.
        if (!reader.seek(entry.row) && !reader.seek(0)) return;
        const BlockView& block = reader.block();
        copies.reserve(block.count() + 1);
        const RetiredRows retired = RetiredRows::read(txn, 1);
        std::size_t target = 0;
        for (std::uint32_t r = 0; r < block.count(); ++r) {
          copies.emplace_back(block.bytes(r));
          rows.push_back({block.row(r), copies.back(), block.inverse_norm(r)});
          if (!retired.contains(block.row(r))) target = r;
        }
        const std::uint64_t last = block.last_row();
        const std::string_view what(kind);
        if (what == "block with other bytes") {
          copies[target].back() = static_cast<char>(copies[target].back() ^ 0x40);
          rows[target].bytes = copies[target];
        } else if (what == "block lacks a row") {
          rows.erase(rows.begin() + static_cast<long>(target));
        } else if (what == "block of new rows") {
          copies.push_back(copies.front());
          rows.push_back({last + 1'000'000, copies.back(), 0});
        }
        txn.erase(space.keyspace(), space.key(last));
        if (!rows.empty()) write_rows(txn, space, rows, what == "block with an old number" ? 1'000'000 : 1);
      });
      // What was written under new keys must go again.
      std::set<std::pair<Keyspace, std::string>> known;
      for (const Entry& e : entries) known.insert({e.keyspace, e.key});
      for (const Entry& e : all(env)) {
        if (!known.contains({e.keyspace, e.key})) erase_raw(env, e);
      }
    }
  }
  EXPECT_TRUE(verify_directory(dir_).ok());
  print_counts();
}

/// The bytes of a data file, damaged in place and mended again.
class RawFile {
 public:
  explicit RawFile(const std::string& path)
      : path_(path), sound_(read_bytes(path)), fd_(::open(path.c_str(), O_RDWR)) {}
  ~RawFile() { ::close(fd_); }
  const std::string& sound() const { return sound_; }
  void damage(std::size_t at, std::string_view bytes) const {
    if (::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(at)) !=
        static_cast<ssize_t>(bytes.size()))
      std::abort();
  }
  void mend(std::size_t at, std::size_t size) const { damage(at, std::string_view(sound_).substr(at, size)); }

 private:
  std::string path_;
  std::string sound_;
  int fd_;
};

/// All keys and values but those of a dropped collection, read without the engine.
std::uint32_t dump(const std::string& path, const std::string& dropped) {
  const PageFile file(path);
  const MetaPages metas = read_meta_pages(file, path);
  PageWalk walk(file, metas.pages[metas.newest].value(), [](std::string_view, const std::string&) {});
  walk.walk_data({});
  std::uint32_t crc = 0;
  for (std::size_t i = 0; i < kKeyspaces; ++i) {
    TreeCursor cursor(file, walk, static_cast<Keyspace>(i));
    for (bool more = cursor.seek({}); more; more = cursor.next()) {
      if (i > 0 && i < kKeyspaces - 1 && cursor.key().starts_with(dropped)) continue;
      crc = crc32c(as_byte_span(cursor.key()), crc);
      const auto value = cursor.value();
      crc = crc32c(as_byte_span(value ? *value : "?"), crc + 1);
    }
  }
  return crc;
}

enum class PageClass { kMeta, kBranch, kLeaf, kOverflow, kCount };
constexpr const char* kClassNames[] = {"meta", "branch", "leaf", "overflow"};

std::array<std::vector<std::size_t>, static_cast<std::size_t>(PageClass::kCount)> classes_of(
    const std::string& path, const std::string& bytes) {
  const PageFile file(path);
  const MetaPages metas = read_meta_pages(file, path);
  PageWalk walk(file, metas.pages[metas.newest].value(), [](std::string_view, const std::string&) {});
  walk.walk_data({});
  std::array<std::vector<std::size_t>, static_cast<std::size_t>(PageClass::kCount)> out;
  const std::size_t page = 4096;
  for (std::size_t p = 0; p < bytes.size() / page; ++p) {
    if (!walk.taken(p)) continue;
    const char* at = bytes.data() + p * page;
    const auto flags = load<std::uint16_t>(at + 10);
    PageClass c = PageClass::kOverflow;
    if (load<std::uint64_t>(at) == p && p < kMetaPages) c = PageClass::kMeta;
    if (load<std::uint64_t>(at) == p && flags == 1) c = PageClass::kBranch;
    if (load<std::uint64_t>(at) == p && flags == 2) c = PageClass::kLeaf;
    out[static_cast<std::size_t>(c)].push_back(p);
  }
  return out;
}

TEST_F(DamagedStore, FlippedBitsOfTheFile) {
  const std::size_t page = 4096;
  RawFile raw(data());
  const std::uint32_t sound = dump(data(), dropped_);
  const auto classes = classes_of(data(), raw.sound());
  ASSERT_TRUE(verify_directory(dir_).ok());
  for (std::size_t c = 0; c < classes.size(); ++c) {
    ASSERT_FALSE(classes[c].empty()) << kClassNames[c];
    std::uint64_t found = 0;
    const std::uint64_t all = times(600);
    for (std::uint64_t i = 0; i < all; ++i) {
      // Mostly pages in use; free ones must not disturb.
      const std::size_t p = c > 0 && random_() % 16 == 0 ? random_() % (raw.sound().size() / page)
                                                         : classes[c][random_() % classes[c].size()];
      // Headers and lists of pages are small: every second flip goes there.
      const std::size_t reach = c == 0 ? 152 : random_() % 2 ? 64 : page;
      const std::size_t at = p * page + random_() % reach;
      const char byte = static_cast<char>(raw.sound()[at] ^ (1 << (random_() % 8)));
      raw.damage(at, {&byte, 1});
      bool known = false;
      try {
        known = !verify_directory(dir_).ok();
      } catch (const Error& e) {
        known = e.code() == ErrorCode::kUnsupportedFormat;  // the version or the page size in the meta page
        EXPECT_TRUE(known) << e.what();
      }
      found += known;
      if (!known) {
        EXPECT_EQ(dump(data(), dropped_), sound)
            << "seed " << seed_ << ": a changed value was not found: " << kClassNames[c] << " page " << p
            << " byte " << at % page;
      }
      raw.mend(at, 1);
    }
    std::printf("  %-9s %4zu pages: %llu flips, %llu found, the others in dead bytes\n", kClassNames[c],
                classes[c].size(), static_cast<unsigned long long>(all),
                static_cast<unsigned long long>(found));
    EXPECT_GT(found, 0U);
  }
  EXPECT_TRUE(verify_directory(dir_).ok());
}

TEST_F(DamagedStore, LostAndMisplacedPages) {
  const std::size_t page = 4096;
  RawFile raw(data());
  const std::uint32_t sound = dump(data(), dropped_);
  const std::size_t pages = raw.sound().size() / page;
  std::uint64_t found = 0;
  const auto attempt = [&](std::size_t at, std::string_view bytes, const char* what) {
    raw.damage(at, bytes);
    bool known = false;
    try {
      known = !verify_directory(dir_).ok();
    } catch (const Error& e) {
      known = e.code() == ErrorCode::kUnsupportedFormat;
    }
    found += known;
    if (!known) {
      EXPECT_EQ(dump(data(), dropped_), sound) << "seed " << seed_ << ": " << what << " at " << at;
    }
    raw.mend(at, bytes.size());
  };
  for (std::size_t p = 0; p < pages; ++p) {
    const std::size_t other = random_() % pages;
    std::string noise(page, '\0');
    for (char& b : noise) b = static_cast<char>(random_());
    attempt(p * page, std::string(page, '\0'), "a page of zeros");
    attempt(p * page, std::string(page, '\xff'), "a page of ones");
    attempt(p * page, raw.sound().substr(other * page, page), "another page");
    attempt(p * page, noise, "noise");
    attempt(p * page, std::string(512, '\0'), "a sector of zeros");
    attempt(p * page + page - 512, noise.substr(0, 512), "a sector of noise");
    std::string renumbered = raw.sound().substr(other * page, page);
    store(renumbered.data(), static_cast<std::uint64_t>(p));
    attempt(p * page, renumbered, "another page under this number");
  }
  EXPECT_GT(found, pages * 2);
  EXPECT_TRUE(verify_directory(dir_).ok());
  std::printf("  %zu pages, %llu of %zu damages found, the others in dead bytes\n", pages,
              static_cast<unsigned long long>(found), 7 * pages);
}

TEST_F(DamagedStore, NoiseNeverCrashes) {
  RawFile raw(data());
  const std::uint32_t sound = dump(data(), dropped_);
  const std::size_t page = 4096;
  for (std::uint64_t i = 0; i < times(100); ++i) {
    std::string bytes = raw.sound();
    for (std::size_t n = 1 + random_() % 400; n > 0; --n) {
      const std::size_t at =
          (random_() % (bytes.size() / page)) * page + (random_() % 3 ? random_() % 128 : random_() % page);
      if (at % page < 48 && at < 2 * page) continue;  // keep what makes it a data file
      bytes[at] = static_cast<char>(random_());
    }
    raw.damage(0, bytes);
    try {
      if (verify_directory(dir_).ok()) {
        EXPECT_EQ(dump(data(), dropped_), sound) << "seed " << seed_;
      }
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::kUnsupportedFormat) << e.what();
    }
  }
  raw.mend(0, raw.sound().size());
  EXPECT_TRUE(verify_directory(dir_).ok());
}

TEST_F(DamagedStore, FilesOfTheDirectory) {
  for (const char* name : {"/FORMAT", "/CURRENT"}) {
    const std::string path = dir_ + name;
    const std::string sound = read_bytes(path);
    for (std::size_t bit = 0; bit < sound.size() * 8; ++bit) {
      std::string bad = sound;
      bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
      write_bytes(path, bad);
      try {
        EXPECT_FALSE(verify_directory(dir_).ok()) << name << " bit " << bit;
      } catch (const Error& e) {
        EXPECT_EQ(e.code(), ErrorCode::kUnsupportedFormat) << e.what();
      }
    }
    std::filesystem::remove(path);
    EXPECT_FALSE(verify_directory(dir_).ok()) << name;
    write_bytes(path, sound);
  }
  EXPECT_TRUE(verify_directory(dir_).ok());
}

}  // namespace
}  // namespace vecstore::storage
