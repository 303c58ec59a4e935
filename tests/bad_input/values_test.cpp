// Bad vectors, ids, names, texts and metadata: rows 1 to 9 and 15 to 24. Files of HTTP and gRPC do not exist
// here; what a row says of them does not apply.
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include <chrono>
#include <cmath>
#include <limits>

#include "bad_input/fixture.hpp"
#include "base/json.hpp"

namespace vecstore {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

double seconds(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

TEST_F(BadInput, Row01_NaN) {
  invalid({"vector[1] is not finite"}, [&] { docs_.upsert("x", {1, kNan, 0}); });
  invalid({"vector[1] is not finite"}, [&] { docs_.insert("x", {1, kNan, 0}); });
  invalid({"vectors['title'][0] is not finite"},
          [&] { docs_.upsert({.id = "x", .vectors = {{"title", {kNan, 1}}}}); });
  // The whole batch is refused, and the error names the record.
  const std::vector<Record> batch = {{.id = "x", .vector = {1, 1, 1}},
                                     {.id = "y", .vector = {1, 1, kNan}},
                                     {.id = "z", .vector = {1, 1, 1}}};
  invalid({"vector[2] is not finite"}, [&] { docs_.batch_upsert(batch); }, 1);
  invalid({"vector[2] is not finite"}, [&] { docs_.batch_insert(batch); }, 1);
  EXPECT_FALSE(docs_.get("x"));
  invalid({"query vector[0] is not finite"}, [&] { docs_.query({kNan, 0, 0}); });
  invalid({"query vector[0] is not finite"}, [&] { docs_.hybrid_query(HybridQuery({kNan, 0, 0}, "words")); });
}

TEST_F(BadInput, Row02_Infinity) {
  invalid({"vector[0] is not finite"}, [&] { docs_.upsert("x", {kInf, 1, 0}); });
  invalid({"vector[2] is not finite"}, [&] { docs_.upsert("x", {1, 1, -kInf}); });
  invalid({"query vector[0] is not finite"}, [&] { docs_.query({-kInf, 0, 0}); });
  // A double that float does not hold is infinite by the time it is stored.
  volatile double large = 1e40;
  invalid({"vector[1] is not finite"}, [&] { docs_.upsert("x", {1, static_cast<float>(large), 0}); });
}

TEST_F(BadInput, Row03_DenormalsAndMinusZero) {
  docs_.upsert("zero", {-0.0f, 1.0f, -0.0f});
  const auto stored = docs_.get("zero")->vector.dense();
  EXPECT_FALSE(std::signbit(stored[0]));
  EXPECT_FALSE(std::signbit(stored[2]));
  const std::vector<float> tiny = {1e-42f, 2e-42f, -1e-42f};
  docs_.upsert("tiny", tiny);
  EXPECT_EQ(docs_.get("tiny")->vector.dense(), tiny);
  const double expected = (1 * 1 + 2 * 1 - 1 * 0) / std::sqrt(6.0) / std::sqrt(2.0);
  const Query query = Query({1, 1, 0}).where("_id = 'tiny'");
  EXPECT_NEAR(docs_.query(query)[0].score, expected, 1e-5);
  EXPECT_NEAR(docs_.query(Query(tiny).where("_id = 'tiny'"))[0].score, 1.0, 1e-5);
#if defined(__x86_64__)
  {
    // As a program may have set its threads: results that are denormal are flushed.
    const unsigned saved = _mm_getcsr();
    _mm_setcsr(saved | 0x8000);
    const double flushed = docs_.query(query)[0].score;
    _mm_setcsr(saved);
    EXPECT_NEAR(flushed, expected, 1e-5);
  }
#endif
  // No slow path: a collection full of them is searched about as quickly as any other.
  const auto fill = [&](const char* name, float scale) {
    auto c = db_.create_collection(name, {.metric = Metric::kEuclidean, .dimension = 64});
    std::vector<Record> batch;
    for (int i = 0; i < 4000; ++i) {
      std::vector<float> v(64);
      for (int j = 0; j < 64; ++j)
        v[static_cast<std::size_t>(j)] = scale * static_cast<float>((i * 31 + j * 17) % 101 + 1);
      batch.push_back({.id = std::to_string(i), .vector = Vector(std::move(v))});
    }
    c.batch_upsert(batch);
    const Query q = Query(std::vector<float>(64, 50 * scale)).threads(1);
    c.query(q);
    double best = 1e9;
    for (int i = 0; i < 7; ++i) best = std::min(best, seconds([&] { c.query(q); }));
    return best;
  };
  const double normal = fill("normal", 1.0f);
  const double denormal = fill("denormal", 1e-42f);
  EXPECT_LT(denormal, 30 * normal + 0.01);
}

TEST_F(BadInput, Row04_ZeroVector) {
  invalid({"vector", "zero norm"}, [&] { docs_.upsert("x", {0, 0, 0}); });
  invalid({"vector", "zero norm"}, [&] { docs_.upsert("x", {-0.0f, 0, 0}); });
  invalid({"query vector", "zero norm"}, [&] { docs_.query({0, 0, 0}); });
  for (Metric metric : {Metric::kDot, Metric::kEuclidean}) {
    auto c = db_.create_collection(std::string(to_string(metric)), {.metric = metric});
    c.upsert("x", {0, 0, 0});
    EXPECT_EQ(c.query({0, 0, 0})[0].score, 0);
  }
}

TEST_F(BadInput, Row05_NormOverflows) {
  invalid({"vector", "norm not representable"}, [&] { docs_.upsert("x", {1e30f, 1e30f, 1e30f}); });
  invalid({"vector", "norm not representable"}, [&] { docs_.upsert("x", {3e38f, 3e38f, 3e38f}); });
  invalid({"vectors['title']", "norm not representable"},
          [&] { docs_.upsert({.id = "x", .vectors = {{"title", {1e30f, 0}}}}); });
  invalid({"query vector", "norm not representable"}, [&] { docs_.query({1e30f, 0, 0}); });
  // What is large but has a norm is right: the norm is computed in double.
  docs_.upsert("large", {1e15f, 1e15f, 0});
  EXPECT_NEAR(docs_.query(Query({1, 0, 0}).where("_id = 'large'"))[0].score, std::sqrt(0.5), 1e-5);
  docs_.erase("large");
}

TEST_F(BadInput, Row06_WrongDimension) {
  for (std::size_t n : {std::size_t{2}, std::size_t{4}, std::size_t{1'000'000}}) {
    const std::vector<float> v(n, 1.0f);
    const std::string number = std::to_string(n);
    invalid({"vector", number, "3"}, [&] { docs_.upsert("x", Vector(v)); });
    invalid({"query vector", number, "3"}, [&] { docs_.query(Vector(v)); });
    invalid({"query vector", number, "3"}, [&] { docs_.hybrid_query(HybridQuery(Vector(v), "words")); });
  }
  invalid({"vectors['title']", "3", "2"},
          [&] { docs_.upsert({.id = "x", .vectors = {{"title", {1, 1, 1}}}}); });
  invalid({"query vector is empty"}, [&] { docs_.query(Vector{}); });
  invalid({"vectors['other']", "not declared"},
          [&] { docs_.upsert({.id = "x", .vectors = {{"other", {1, 1}}}}); });
  invalid({"'other'"}, [&] { docs_.query(Query({1, 1}).using_vector("other")); });
  // No vector at all is no vector of dimension 0: only the id is required.
  docs_.upsert({.id = "none", .text = "only text"});
  EXPECT_TRUE(docs_.get("none")->vector.empty());
}

TEST_F(BadInput, Row07_DimensionOfACollection) {
  // 0 stands for a dimension to be learned.
  for (std::size_t n : {std::size_t(-1), std::size_t{65'537}, std::size_t{1} << 32, std::size_t{1} << 63}) {
    invalid({"dimension", std::to_string(n), "65536"},
            [&] { db_.create_collection("new", {.dimension = n}); });
    invalid({"vectors['t'].dimension", std::to_string(n)},
            [&] { db_.create_collection("new", {.vectors = {{"t", {Metric::kDot, n}}}}); });
    invalid({"dimension", std::to_string(n)}, [&] { docs_.add_vector("t", {Metric::kDot, n}); });
  }
  EXPECT_EQ(db_.list_collections(), std::vector<std::string>{"docs"});
  auto learned = db_.create_collection("learned");
  invalid({"dimension of vector", "65537", "65536"},
          [&] { learned.upsert("x", Vector(std::vector<float>(65'537, 1.0f))); });
  learned.upsert("x", Vector(std::vector<float>(65'536, 1.0f)));
  EXPECT_EQ(learned.info().dimension, 65'536u);
}

TEST_F(BadInput, Row08_BatchOfLargeVectors) {
  // There are no headers whose sizes could lie; the bytes of a batch are counted before anything is written.
  auto c = db_.create_collection("wide", {.metric = Metric::kDot, .dimension = 65'536});
  std::vector<Record> batch;
  for (int i = 0; i < 257; ++i)
    batch.push_back({.id = std::to_string(i), .vector = Vector(std::vector<float>(65'536, 1.0f))});
  refused(
      ErrorCode::kTooLarge, {"batch", std::to_string(std::size_t{64} << 20)}, [&] { c.batch_upsert(batch); },
      255);
  EXPECT_EQ(c.count(), 0u);
}

TEST_F(BadInput, Row09_SparseVectors) {
  docs_.upsert("s", Vector::sparse({9, 2, 5}, {0.5f, 1.5f, 2.5f}));
  EXPECT_EQ(docs_.get("s")->vector.sparse()->indices, (std::vector<std::uint32_t>{2, 5, 9}));
  EXPECT_EQ(docs_.get("s")->vector.sparse()->values, (std::vector<float>{1.5f, 2.5f, 0.5f}));
  invalid({"vector.sparse", "indices", "7", "twice"},
          [&] { docs_.upsert("x", Vector::sparse({7, 1, 7}, {1, 2, 3})); });
  invalid({"vector.sparse", "3 indices", "2 values"},
          [&] { docs_.upsert("x", Vector::sparse({1, 2, 3}, {1, 2})); });
  invalid({"vector.sparse.values[1]", "not finite"},
          [&] { docs_.upsert("x", Vector::sparse({1, 2}, {1, kNan})); });
  std::vector<std::uint32_t> indices(1'000'000);
  for (std::size_t i = 0; i < indices.size(); ++i) indices[i] = static_cast<std::uint32_t>(i);
  invalid({"vector.sparse", "1000000", "65536"},
          [&] { docs_.upsert("x", Vector::sparse(indices, std::vector<float>(indices.size(), 1.0f))); });
  // An index of 2^32 cannot be written down: indices are 32 bits wide. The largest one is fine.
  docs_.upsert("max", Vector::sparse({0xffffffff}, {1}));
  EXPECT_EQ(docs_.get("max")->vector.sparse()->indices[0], 0xffffffffu);
  // The same of queries.
  EXPECT_EQ(docs_.query(Vector::sparse({9, 5, 2}, {1, 1, 1})).front().score, 4.5f);
  const std::string what = "query vector.sparse";
  invalid({what, "indices", "7", "twice"}, [&] { docs_.query(Vector::sparse({7, 1, 7}, {1, 2, 3})); });
  invalid({what, "3 indices", "2 values"}, [&] { docs_.query(Vector::sparse({1, 2, 3}, {1, 2})); });
  invalid({what + ".values[1]", "not finite"}, [&] { docs_.query(Vector::sparse({1, 2}, {1, kNan})); });
  invalid({what, "1000000", "65536"},
          [&] { docs_.query(Vector::sparse(indices, std::vector<float>(indices.size(), 1.0f))); });
  invalid({what, "twice"}, [&] { docs_.hybrid_query(HybridQuery(Vector::sparse({7, 7}, {1, 2}), "words")); });
  invalid({what, "twice"}, [&] { docs_.hybrid_query(HybridQuery(Vector{1, 1, 1}, Sparse{{7, 7}, {1, 2}})); });
  invalid({"vector 'other'", "does not exist"},
          [&] { docs_.query(Query(Vector::sparse({1}, {1})).using_vector("other")); });
}

TEST_F(BadInput, Row15_Ids) {
  const std::string nul("a\0b", 3);
  for (const std::string& id : {std::string(), std::string(513, 'x'), nul, std::string("\xff\xfe"),
                                std::string("\xc3"), std::string("\xed\xa0\x80")}) {
    invalid({"id"}, [&] { docs_.upsert(id, {1, 1, 1}); });
    invalid({"id"}, [&] { docs_.get(id); });
    invalid({"id"}, [&] { docs_.erase(id); });
    invalid({"id"}, [&] { docs_.update_metadata(id, {}); });
    invalid(
        {"id"},
        [&] {
          docs_.upsert_chunks(id + "#", std::vector<Chunk>{{.text = "t"}, {.text = std::string(3, '\xff')}});
        },
        id.size() < 500 ? (id.empty() ? 1 : 0) : 0);
  }
  // Everything else is bytes, kept exactly and never part of a path.
  const std::vector<std::string> odd = {
      "../../x", "con", "/etc/passwd", "a\nb", "😀",   "e\xcc\x81", "\xc3\xa9", std::string(512, 'y'),
      " ",       ".",   "%2e%2e",      "a\\b", "'; --"};
  for (std::size_t i = 0; i < odd.size(); ++i)
    docs_.upsert(odd[i], {1, static_cast<float>(i), 1}, {{"i", i}});
  for (std::size_t i = 0; i < odd.size(); ++i) {
    const auto r = docs_.get(odd[i]);
    ASSERT_TRUE(r) << odd[i];
    EXPECT_EQ(r->id, odd[i]);
    EXPECT_EQ(r->metadata, (Metadata{{"i", i}}));
  }
  EXPECT_EQ(docs_.count(), 3 + odd.size());
  for (const auto& entry : std::filesystem::recursive_directory_iterator(scratch_.path())) {
    EXPECT_EQ(entry.path().string().find("passwd"), std::string::npos);
  }
}

TEST_F(BadInput, Row16_Names) {
  const std::vector<std::string> bad = {"",
                                        "../etc",
                                        "a/b",
                                        "a\\b",
                                        ".",
                                        "..",
                                        "%2e%2e%2f",
                                        std::string(300, 'x'),
                                        std::string(65, 'x'),
                                        "-a",
                                        "_a",
                                        "d\xd0\xbe"
                                        "cs" /* Cyrillic o */,
                                        "a b",
                                        std::string("a\0b", 3),
                                        "a\n",
                                        "é"};
  for (const std::string& name : bad) {
    invalid({"collection name", "not allowed"}, [&] { db_.create_collection(name); });
    invalid({"collection name", "not allowed"}, [&] { db_.get_or_create_collection(name); });
    invalid({"collection name"}, [&] { db_.get_collection(name); });
    invalid({"collection name"}, [&] { db_.delete_collection(name); });
    invalid({"vector name"}, [&] { docs_.add_vector(name, {Metric::kDot, 2}); });
  }
  // COM1 is a name like any other: what is on disk are numbers.
  db_.create_collection("COM1");
  db_.create_collection("a-B_9");
  EXPECT_EQ(db_.list_collections(), (std::vector<std::string>{"COM1", "a-B_9", "docs"}));
  for (const auto& entry : std::filesystem::recursive_directory_iterator(scratch_.path()))
    EXPECT_EQ(entry.path().string().find("COM1"), std::string::npos);
  refused(ErrorCode::kAlreadyExists, {"COM1"}, [&] { db_.create_collection("COM1"); });
  refused(ErrorCode::kNotFound, {"nowhere"}, [&] { db_.get_collection("nowhere"); });
  refused(ErrorCode::kNotFound, {"nowhere"}, [&] { db_.delete_collection("nowhere"); });
}

TEST_F(BadInput, Row17_SameIdTwiceInABatch) {
  std::vector<Record> batch;
  for (int i = 0; i < 12; ++i)
    batch.push_back({.id = "r" + std::to_string(i == 9 ? 3 : i), .vector = {1, 1, 1}});
  invalid({"duplicate id", "3 and 9"}, [&] { docs_.batch_upsert(batch); }, 9);
  invalid({"duplicate id", "3 and 9"}, [&] { docs_.batch_insert(batch); }, 9);
  std::vector<Operation> ops(2);
  ops[0].record.id = ops[1].record.id = "a";
  ops[1].kind = Operation::Kind::kErase;
  invalid({"duplicate id", "0 and 1"}, [&] { docs_.batch_execute(ops); }, 1);
}

TEST_F(BadInput, Row18_InsertOfAnExistingId) {
  refused(ErrorCode::kAlreadyExists, {"'a'", "docs"}, [&] { docs_.insert("a", {1, 1, 1}); });
  const std::vector<Record> batch = {{.id = "x", .vector = {1, 1, 1}}, {.id = "b", .vector = {1, 1, 1}}};
  refused(ErrorCode::kAlreadyExists, {"'b'"}, [&] { docs_.batch_insert(batch); }, 1);
  EXPECT_FALSE(docs_.get("x"));
  // An upsert replaces the record whole: vector, words and metadata of the old one find nothing any more.
  docs_.query_text("alpha");
  docs_.upsert({.id = "a", .vector = {0, 1, 1}, .text = "omega", .metadata = {{"m", 1}}});
  EXPECT_TRUE(docs_.query_text("alpha").empty());
  EXPECT_EQ(docs_.query_text("omega")[0].id, "a");
  EXPECT_EQ(docs_.query({1, 0, 0}, 10)[0].score, 0);
  EXPECT_EQ(docs_.count("n = 1"), 0u);
  EXPECT_EQ(docs_.count(), 3u);
}

TEST_F(BadInput, Row19_UnknownId) {
  const std::string before = state();
  EXPECT_EQ(docs_.erase("unknown"), 0u);
  EXPECT_EQ(docs_.erase(std::vector<std::string>{"unknown", "unknown", "nobody"}), 0u);
  EXPECT_EQ(docs_.erase_where("n = 99"), 0u);
  EXPECT_FALSE(docs_.get("unknown"));
  refused(ErrorCode::kNotFound, {"'unknown'", "docs"},
          [&] { docs_.update_metadata("unknown", {{"never_seen", 1}}); });
  EXPECT_EQ(docs_.erase("unknown"), 0u);
  EXPECT_EQ(state(), before);
}

TEST_F(BadInput, Row20_LargeBatches) {
  std::vector<Record> records(10'001);
  for (std::size_t i = 0; i < records.size(); ++i) records[i].id = std::to_string(i);
  refused(ErrorCode::kTooLarge, {"10001", "10000"}, [&] { docs_.batch_upsert(records); });
  refused(ErrorCode::kTooLarge, {"10001", "10000"}, [&] { docs_.batch_insert(records); });
  refused(ErrorCode::kTooLarge, {"10000"}, [&] { docs_.batch_execute(std::vector<Operation>(10'001)); });
  refused(ErrorCode::kTooLarge, {"1000000"}, [&] { docs_.batch_upsert(std::vector<Record>(1'000'000)); });
  refused(ErrorCode::kTooLarge, {},
          [&] { docs_.upsert_chunks("s", std::vector<Chunk>(10'001, Chunk{.text = "t"})); });
  // 70 MB of random text, which does not get smaller.
  std::vector<Record> large(7);
  std::uint64_t x = 1;
  for (std::size_t i = 0; i < large.size(); ++i) {
    large[i].id = std::to_string(i);
    large[i].text.resize(10'000'000);
    for (char& c : large[i].text)
      c = static_cast<char>(' ' + ((x = x * 6364136223846793005ULL + 1442695040888963407ULL) >> 57) % 95);
  }
  std::string message;
  const std::string before = state();
  // Compression may make room for one more or less: what counts is that the commit's limit holds.
  for (int more = 0; more < 6; ++more) large.push_back({.id = concat("m", more), .text = large[0].text});
  EXPECT_EQ(code_of([&] { docs_.batch_upsert(large); }, &message), ErrorCode::kTooLarge);
  EXPECT_NE(message.find(std::to_string(std::size_t{64} << 20)), std::string::npos) << message;
  EXPECT_EQ(state(), before);
}

TEST_F(BadInput, Row21_LargeTextAndMetadata) {
  refused(ErrorCode::kTooLarge, {"text", "100000000", std::to_string(16 << 20)},
          [&] { docs_.upsert({.id = "x", .text = std::string(100'000'000, 'x')}); });
  refused(ErrorCode::kTooLarge, {"metadata", "65536"},
          [&] { docs_.upsert("x", {1, 1, 1}, {{"long", std::string(5'000'000, 'x')}}); });
  Metadata keys;
  for (int i = 0; i < 10'000; ++i) keys["k" + std::to_string(i)] = i;
  refused(ErrorCode::kTooLarge, {"metadata", "256"}, [&] { docs_.upsert("x", {1, 1, 1}, keys); });
  refused(ErrorCode::kTooLarge, {"metadata", "256"}, [&] { docs_.update_metadata("a", keys); });
  refused(ErrorCode::kTooLarge, {"source"},
          [&] { docs_.upsert({.id = "x", .source = std::string(5000, 's')}); });
  invalid({"text", "UTF-8"}, [&] { docs_.upsert({.id = "x", .text = "\xff"}); });
  docs_.upsert({.id = "limit", .text = std::string(std::size_t{16} << 20, 'x')});
  EXPECT_EQ(docs_.get("limit")->text.size(), std::size_t{16} << 20);
}

TEST_F(BadInput, Row22_DeepMetadata) {
  const auto nested = [](std::size_t depth) {
    Metadata m = 1;
    for (std::size_t i = 0; i < depth; ++i) m = Metadata::object({{"k", std::move(m)}});
    return m;
  };
  docs_.upsert("deep", {1, 1, 1}, nested(32));
  EXPECT_EQ(docs_.get("deep")->metadata, nested(32));
  invalid({"depth > 32"}, [&] { docs_.upsert("x", {1, 1, 1}, nested(33)); });
  invalid({"depth > 32"}, [&] { docs_.upsert("x", {1, 1, 1}, nested(1000)); });
  for (std::size_t depth : {33, 1000, 100'000}) {
    invalid({}, [&] {
      Metadata::parse(std::string(depth, '['));
    });  // refused because it does not end, or for its depth
    invalid({"32"}, [&] { Metadata::parse(std::string(depth, '[') + std::string(depth, ']')); });
    std::string objects;
    for (std::size_t i = 0; i < depth; ++i) objects += "{\"a\":";
    invalid({}, [&] { Metadata::parse(objects); });
  }
  const std::string much(10'000'000, '[');
  EXPECT_LT(seconds([&] { EXPECT_EQ(code_of([&] { Metadata::parse(much); }), ErrorCode::kInvalidArgument); }),
            1.0);
}

TEST_F(BadInput, Row23_Json) {
  for (const char* json : {R"({"a":1,"a":2})",
                           R"({"a":{"b":1,"b":2}})",
                           "{} x",
                           "{}{}",
                           "\xef\xbb\xbf{}",
                           R"({"a":NaN})",
                           R"({"a":Infinity})",
                           R"(["\ud800"])",
                           R"(["\udc00\ud800"])",
                           R"({"a":1e999})",
                           R"({"a":-1e999})",
                           R"({"a":9223372036854775808})",
                           R"({"a":-9223372036854775809})",
                           R"({"a":01})",
                           R"({'a':1})",
                           R"({"a":1,})",
                           "",
                           "[1,]",
                           "\"\xff\"",
                           "tru",
                           "{\"a\" 1}",
                           "[1 2]",
                           "\"\n\""}) {
    invalid({}, [&] { Metadata::parse(json); });
  }
  invalid({}, [&] { Metadata::parse("{\"a\":" + std::string(10'000, '9') + "}"); });
  EXPECT_EQ(Metadata::parse(R"({"a":9223372036854775807})")["a"].as_int(),
            std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(Metadata::parse(R"(["\ud83d\ude00"])").at(0).as_string(), "😀");
  EXPECT_TRUE(Metadata::parse("1.0").is_double());
}

TEST_F(BadInput, Row24_ManyKeys) {
  std::string json = "{";
  for (int i = 0; i < 1'000'000; ++i) json += concat(i ? "," : "", "\"k", i, "\":0");
  json += "}";
  // As a record's metadata it is refused by its size or by the 257th key, before the keys are compared with
  // each other.
  const double took =
      seconds([&] { refused(ErrorCode::kTooLarge, {"metadata"}, [&] { parse_metadata(json); }); });
  EXPECT_LT(took, 5.0);
  const std::string small = json.substr(0, 500'000) + "\":0}";
  EXPECT_LT(seconds([&] { refused(ErrorCode::kTooLarge, {"256"}, [&] { parse_metadata(small); }); }), 5.0);
}

}  // namespace
}  // namespace vecstore
