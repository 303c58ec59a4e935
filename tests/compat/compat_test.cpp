// Directories of every format version, made by the programs of their time: they must open, read, verify and
// take writes for ever. To make the directory of the running version anew: VECSTORE_MAKE_GOLDEN=<an empty
// folder> compat_test --gtest_filter='*Make*'
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <sstream>

#include "base/crc32c.hpp"
#include "storage/truth_writer.hpp"
#include "storage/verify.hpp"

namespace vecstore::storage {
namespace {

const std::string kFolder = std::string(VECSTORE_SOURCE_DIR) + "/tests/compat";

std::uint32_t crc(std::string_view bytes) { return crc32c(as_byte_span(bytes)); }

/// One line per record with all that it holds, texts and vectors as checksums; sorted.
std::string describe(Store& store) {
  std::vector<std::string> lines;
  ReadTxn txn(store.env());
  for (std::uint32_t collection = 1; collection < read_store_state(txn).next_collection; ++collection) {
    const auto state = read_collection_state(txn, collection);
    if (!state) continue;
    FieldNames names;
    for (std::uint64_t i = 0; i < state->field_names; ++i) {
      const std::string key = aux_key(collection, AuxKind::kFieldName, i);
      names.intern(
          unseal(ValueKind::kFieldName, collection, key, txn.get(Keyspace::kAux, key).value()).payload);
    }
    lines.push_back(concat("collection ", collection, ": ", state->live, " records, digest ", state->digest));
    const RetiredRows retired = RetiredRows::read(txn, collection);
    RowReader documents(txn, {BlockKind::kDocuments, collection, 0, 0});
    for (bool more = documents.seek(0); more; more = documents.next()) {
      for (std::uint32_t i = 0; i < documents.block().count(); ++i) {
        const std::uint64_t row = documents.block().row(i);
        if (retired.contains(row)) continue;
        const Document d = decode_document(documents.block().bytes(i));
        const IdEntry entry = find_id(txn, collection, d.id).value();
        EXPECT_EQ(entry.row, row);
        std::string_view metadata = d.metadata;
        const std::string overlay = aux_key(collection, AuxKind::kOverlay, row);
        if (const auto value = txn.get(Keyspace::kAux, overlay))
          metadata = unseal(ValueKind::kOverlay, collection, overlay, *value).payload;
        std::string line =
            concat(collection, " ", d.id, " row ", row, " sequence ", entry.sequence, " content ",
                   entry.content, " bytes ", entry.bytes, " metadata ",
                   decode_metadata(metadata, names).to_json(), " text ", crc(document_text(d)), " source '",
                   d.source, "' part ", d.part, " expires ", d.expires_ms.value_or(-1));
        for (std::uint16_t field = 0; field < 3; ++field) {
          RowReader vectors(txn, {BlockKind::kVectors, collection, field, 0});
          if (const auto v = vectors.find(row))
            line += concat(" v", field, " ", crc(v->bytes), " norm ",
                           static_cast<std::int64_t>(v->inverse_norm * 1e6));
        }
        lines.push_back(line);
      }
    }
  }
  std::sort(lines.begin(), lines.end());
  std::string out;
  for (const std::string& line : lines) out += line + "\n";
  return out;
}

void check_golden(const std::string& name) {
  const std::string golden = kFolder + "/" + name;
  ScratchDirectory scratch;
  const std::string dir = scratch / "db";
  std::filesystem::copy(golden, dir, std::filesystem::copy_options::recursive);
  const std::string expected = read_bytes(dir + "/EXPECTED.txt");
  ASSERT_FALSE(expected.empty());
  std::filesystem::remove(dir + "/EXPECTED.txt");
  std::filesystem::permissions(dir + "/truth.1/data.mdb",
                               std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  const std::string before = read_bytes(dir + "/truth.1/data.mdb");
  EXPECT_TRUE(verify_directory(dir).ok());
  {
    auto reader = Store::open(dir, {.read_only = true});
    EXPECT_EQ(describe(*reader), expected);
  }
  EXPECT_TRUE(read_bytes(dir + "/truth.1/data.mdb") == before) << "reading changed the file";
  auto writer = Store::open(dir, {});
  EXPECT_EQ(describe(*writer), expected);
  std::mt19937_64 random(1);
  TruthWriter more(*writer, "written later", 2);
  random_commits(more, random, 20);
  EXPECT_TRUE(verify_store(*writer).ok());
}

TEST(Compat, Version1) { check_golden("v1"); }

// Everything that the format can express, in little space.
TEST(Compat, MakeGolden) {
  const char* target = std::getenv("VECSTORE_MAKE_GOLDEN");
  ScratchDirectory scratch;
  const std::string dir = target ? target : scratch / "db";
  std::mt19937_64 random(20260101);
  {
    auto store = Store::open(dir, {.map_size = 1 << 20});
    TruthWriter first(*store, "articles", 3, 8);
    TruthWriter second(*store, "notes", 2, 12);
    TruthWriter third(*store, "dropped", 1, 8);
    random_commits(first, random, 25, 60);
    random_commits(second, random, 10);
    random_commits(third, random, 2);
    first.upsert({first.make(random, "caf\xc3\xa9 \xe6\x97\xa5\xe6\x9c\xac"),
                  first.make(random, std::string(512, 'z'))});
    second.update(second.ids().begin()->first,
                  Metadata::object({{"nested", Metadata::object({{"null", nullptr}, {"yes", true}})},
                                    {"list", Metadata::parse("[1, -2.5, \"three\", 9223372036854775807]")}}));
    third.drop("dropped");
    second.drop_field(1);
    EXPECT_TRUE(verify_store(*store).ok());
    if (target) write_bytes(dir + "/EXPECTED.txt", describe(*store));
  }
  if (!target) return;
  for (const char* name : {"/truth.1/lock.mdb", "/WRITER", "/tmp"}) std::filesystem::remove_all(dir + name);
  std::printf("made %s, %ju bytes of data\n", dir.c_str(),
              static_cast<std::uintmax_t>(std::filesystem::file_size(dir + "/truth.1/data.mdb")));
}

}  // namespace
}  // namespace vecstore::storage
