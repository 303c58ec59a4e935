// Bad queries, filters, deadlines and embedders: rows 10 to 14, 28, 29, 31 to 33 and 62.
#include <chrono>
#include <limits>
#include <thread>

#include "bad_input/fixture.hpp"

namespace vecstore {
namespace {

TEST_F(BadInput, Row10_K) {
  EXPECT_TRUE(docs_.query({1, 0, 0}, 0).empty());
  EXPECT_TRUE(docs_.query_text("words", 0).empty());
  EXPECT_TRUE(docs_.hybrid_query(HybridQuery({1, 0, 0}, "words").k(0)).empty());
  EXPECT_EQ(docs_.query({1, 0, 0}, 10'000).size(), 3u);
  for (std::int64_t k :
       {std::int64_t{-1}, std::int64_t{10'001}, std::int64_t{1} << 31, std::int64_t{1'000'000'000},
        std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::min()}) {
    const std::string number = std::to_string(k);
    invalid({"k is", number, "10000"}, [&] { docs_.query({1, 0, 0}, k); });
    invalid({"k is", number, "10000"}, [&] { docs_.query_text("words", k); });
    invalid({"k is", number, "10000"}, [&] { docs_.hybrid_query(HybridQuery({1, 0, 0}, "words").k(k)); });
    const std::vector<Query> batch = {Query({1, 0, 0}), Query({1, 0, 0}).k(k)};
    invalid({"k is", number}, [&] { docs_.query_batch(batch); }, 1);
  }
}

TEST_F(BadInput, Row11_Effort) {
  // 0 is the collection's, what is below offset + k is raised to it.
  for (std::int64_t ef : {0, 1, 2, 9, 10, 10'000, 65'536}) {
    EXPECT_EQ(docs_.query(Query({1, 0, 0}).ef(ef)).size(), 3u) << ef;
    EXPECT_EQ(docs_.query(Query({1, 0, 0}).k(1).offset(1).ef(ef)).size(), 1u) << ef;
    EXPECT_EQ(docs_.query_text("words", {.ef = ef}).size(), 3u) << ef;
  }
  for (std::int64_t ef :
       {std::int64_t{-1}, std::int64_t{65'537}, std::int64_t{1} << 31, std::int64_t{1} << 32,
        std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::min()}) {
    const std::string number = std::to_string(ef);
    invalid({"ef is", number, "65536"}, [&] { docs_.query(Query({1, 0, 0}).ef(ef)); });
    invalid({"ef is", number, "65536"}, [&] { docs_.query_text("words", {.ef = ef}); });
    invalid({"ef is", number, "65536"}, [&] { docs_.hybrid_query(HybridQuery({1, 0, 0}, "words").ef(ef)); });
    const std::vector<Query> batch = {Query({1, 0, 0}), Query({1, 0, 0}).ef(ef)};
    invalid({"ef is", number}, [&] { docs_.query_batch(batch); }, 1);
  }
  for (float oversampling : {0.0f, 1.0f, 1.5f, 100.0f})
    EXPECT_EQ(docs_.query(Query({1, 0, 0}).oversampling(oversampling)).size(), 3u) << oversampling;
  for (float oversampling : {-1.0f, 0.5f, 100.5f, 1e30f, std::numeric_limits<float>::infinity(),
                             std::numeric_limits<float>::quiet_NaN()}) {
    invalid({"oversampling is", "1 to 100"},
            [&] { docs_.query(Query({1, 0, 0}).oversampling(oversampling)); });
    invalid({"oversampling is", "1 to 100"},
            [&] { docs_.query_text("words", {.oversampling = oversampling}); });
  }
}

// The same numbers as options of a collection.
TEST_F(BadInput, Row11_OptionsOfTheIndex) {
  const auto both = [&](std::initializer_list<std::string_view> words, const IndexOptions& index) {
    invalid(words, [&] { db_.create_collection("new", {.index = index}); });
    invalid(words, [&] { db_.create_collection("new", {.vectors = {{"x", {.index = index}}}}); });
    invalid(words, [&] { docs_.add_vector("new", {.index = index}); });
    invalid(words, [&] { docs_.alter_index(index); });
    invalid(words, [&] { docs_.alter_index("title", index); });
  };
  both({"ef_search is 0", "1 to 65536"}, {.ef_search = 0});
  both({"ef_search is 2147483648", "1 to 65536"}, {.ef_search = 2'147'483'648u});
  both({"ef_construction is 4294967295", "8 to 4096"}, {.ef_construction = 4'294'967'295u});
  both({"m is 0", "2 to 64"}, {.m = 0});
  both({"m is 65", "2 to 64"}, {.m = 65});
  both({"oversampling is", "1.0", "100.0"}, {.oversampling = 0.0f});
  both({"oversampling is", "1.0", "100.0"}, {.oversampling = std::numeric_limits<float>::quiet_NaN()});
  both({"profile"}, {.profile = static_cast<Profile>(0)});
  both({"codes"}, {.codes = static_cast<Codes>(77)});
  both({"m is 16", "f32", "graph"}, {.codes = Codes::kF32, .m = 16});
}

TEST_F(BadInput, Row12_Offset) {
  for (std::int64_t offset : {std::int64_t{-1}, std::int64_t{9'991}, std::int64_t{1'000'000'000'000},
                              std::numeric_limits<std::int64_t>::max()}) {
    invalid({"offset is", std::to_string(offset), "cursor"},
            [&] { docs_.query(Query({1, 0, 0}).offset(offset)); });
    invalid({"offset is", "cursor"}, [&] { docs_.query_text("words", {.offset = offset}); });
    invalid({"offset is", "cursor"},
            [&] { docs_.hybrid_query(HybridQuery({1, 0, 0}, "words").offset(offset)); });
  }
  EXPECT_TRUE(docs_.query(Query({1, 0, 0}).offset(9'990)).empty());
  invalid({"limit is 0"}, [&] { docs_.scroll({.limit = 0}); });
  invalid({"limit is 10001"}, [&] { docs_.scroll({.limit = 10'001}); });
  invalid({"id"}, [&] { docs_.scroll({.after = std::string(600, 'x')}); });
}

TEST_F(BadInput, Row13_NothingToFind) {
  auto empty = db_.create_collection("empty");
  auto known = db_.create_collection("known", {.dimension = 3});
  auto erased = db_.create_collection("erased");
  erased.upsert({.id = "x", .vector = {1, 1, 1}, .text = "words"});
  erased.query_text("words");
  erased.erase("x");
  for (Collection c : {empty, known, erased}) {
    EXPECT_TRUE(c.query({1, 0, 0}).empty()) << c.name();
    EXPECT_TRUE(c.query_text("words").empty()) << c.name();
    EXPECT_TRUE(c.query_text("").empty()) << c.name();
    EXPECT_TRUE(c.hybrid_query(HybridQuery({1, 0, 0}, "words")).empty()) << c.name();
    EXPECT_TRUE(c.hybrid_query(HybridQuery({1, 0, 0}, "words").alpha(0.5f)).empty()) << c.name();
    EXPECT_EQ(c.count(), 0u);
    EXPECT_EQ(c.count("n = 1"), 0u);
    EXPECT_TRUE(c.scroll().records.empty());
    EXPECT_EQ(c.erase_where("n = 1"), 0u);
  }
  EXPECT_TRUE(docs_.query(Query({1, 0, 0}).where("n = 99")).empty());
  EXPECT_TRUE(docs_.hybrid_query(HybridQuery({1, 0, 0}, "words").where("n = 99")).empty());
  EXPECT_TRUE(docs_.query_text("unheard").empty());
  EXPECT_TRUE(docs_.query_text("the \x01\xff !?").empty());
  EXPECT_TRUE(docs_.query(Query({1, 0, 0}).score_threshold(2)).empty());
  usable();
}

TEST_F(BadInput, Row14_ThresholdIsNaN) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  invalid({"score_threshold"}, [&] { docs_.query(Query({1, 0, 0}).score_threshold(nan)); });
  invalid({"score_threshold"}, [&] { docs_.query_text("words", {.score_threshold = nan}); });
  invalid({"score_threshold"},
          [&] { docs_.hybrid_query(HybridQuery({1, 0, 0}, "words").score_threshold(nan)); });
  for (float alpha : {nan, -0.1f, 1.1f}) {
    invalid({"alpha"}, [&] { docs_.hybrid_query(HybridQuery({1, 0, 0}, "words").alpha(alpha)); });
    invalid({"alpha"}, [&] { docs_.query_text("words", {.alpha = alpha}); });
  }
  for (float k : {nan, -1.0f, std::numeric_limits<float>::infinity()}) {
    invalid({"fusion"}, [&] { docs_.hybrid_query(HybridQuery({1, 0, 0}, "words").fusion(Fusion::rrf(k))); });
  }
  for (float weight : {nan, -1.0f, std::numeric_limits<float>::infinity()}) {
    invalid({"weight", "text"},
            [&] { docs_.hybrid_query(HybridQuery({1, 0, 0}, "words").weights({.text = weight})); });
  }
  invalid({"weights", "0"},
          [&] { docs_.hybrid_query(HybridQuery({1, 0, 0}, "words").weights({.vector = 0, .text = 0})); });
  invalid({"alpha", "weights"},
          [&] { docs_.hybrid_query(HybridQuery({1, 0, 0}, "words").alpha(0.5f).weights({.text = 2})); });
  invalid({"autocut", "-1"}, [&] { docs_.query(Query({1, 0, 0}).autocut(-1)); });
  invalid({"fusion 'rff'", "rrf, relative_score"}, [&] { Fusion::named("rff"); });
}

TEST_F(BadInput, Row28_Filters) {
  // An unknown field is missing, and the answer says so.
  const Hits hits = docs_.query(Query({1, 0, 0}).where("foo = 1"));
  EXPECT_TRUE(hits.empty());
  ASSERT_EQ(hits.warnings.size(), 1u);
  EXPECT_NE(hits.warnings[0].find("'foo' not seen"), std::string::npos) << hits.warnings[0];
  EXPECT_EQ(docs_.query(Query({1, 0, 0}).where("foo IS NULL")).size(), 3u);
  // No schema declares the types of metadata yet, so that values of different types are not equal and not
  // ordered: no hit and no error.
  EXPECT_TRUE(docs_.query(Query({1, 0, 0}).where("n > 'x'")).empty());
  EXPECT_EQ(docs_.query(Query({1, 0, 0}).where("NOT n > 'x'")).size(), 3u);
  // A filter that cannot be read is an error that tells the place, never dropped.
  for (const char* filter :
       {"n ~ 1", "n === 1", "n >", "n = 1 AND", "(n = 1", "n = 1)", "n = = 1", "AND n = 1", "n = 'x",
        "n LIKE 1", "n BETWEEN 1", "", " ", "n = null", "n IN (1,", "FROM n = 1", "n = 1; DROP"}) {
    invalid({"filter"}, [&] { docs_.query(Query({1, 0, 0}).where(filter)); });
    invalid({"filter"}, [&] { docs_.erase_where(filter); });
    invalid({"filter"}, [&] { docs_.count(filter); });
  }
  invalid({"$.and[1]", "regexp"}, [&] {
    Filter::from_json(R"({"and":[{"op":"=","path":"n","value":1},{"op":"regexp","path":"n","value":"x"}]})");
  });
  invalid({"$.and[0]", "colour"},
          [&] { Filter::from_json(R"({"and":[{"op":"=","path":"n","value":1,"colour":2}]})"); });
  invalid({"$"}, [&] { Filter::from_json(R"({"and":[{"op":"=","path":"n","value":1}],"or":[]})"); });
  invalid({"$"}, [&] { Filter::from_json("[]"); });
}

TEST_F(BadInput, Row29_LargeFilters) {
  std::string clauses = "n = 0";
  for (int i = 1; i < 100'000; ++i) clauses += concat(" OR n = ", i);
  invalid({"filter", "1024"}, [&] { docs_.query(Query({1, 0, 0}).where(clauses)); });
  Filter built = field("n") == 0;
  invalid({"1024"}, [&] {
    for (int i = 1; i < 2000; ++i) built = built || field("n") == i;
  });
  std::string list = "n IN (0";
  for (int i = 1; i < 1'000'000; ++i) list += concat(",", i);
  invalid({"filter", "65536"}, [&] { docs_.query(Query({1, 0, 0}).where(list + ")")); });
  invalid({"65536"}, [&] { Filter f = field("n").in(std::vector<int>(65'537, 1)); });
  const std::string deep = std::string(1000, '(') + "n = 1" + std::string(1000, ')');
  invalid({"filter", "32"}, [&] { docs_.query(Query({1, 0, 0}).where(deep)); });
  std::string nots;
  for (int i = 0; i < 1000; ++i) nots += "NOT ";
  invalid({"filter", "32"}, [&] { docs_.count(nots + "n = 1"); });
  std::string json = R"({"op":"=","path":"n","value":1})";
  for (int i = 0; i < 1000; ++i) json = R"({"not":)" + json + "}";
  invalid({}, [&] { Filter::from_json(json); });
}

TEST_F(BadInput, Row31_DatesPlacesRanges) {
  invalid({"2026-02-30"}, [&] { docs_.count("d > DATE '2026-02-30'"); });
  invalid({"2026-02-30"}, [&] { date("2026-02-30"); });
  invalid({"91"}, [&] { docs_.count("GEO_RADIUS(place, 91, 0, 100)"); });
  invalid({"91"}, [&] { field("place").geo_radius(91, 0, 100); });
  invalid({"181"}, [&] { field("place").geo_radius(0, 181, 100); });
  invalid({}, [&] { field("place").geo_radius(0, 0, -1); });
  invalid({}, [&] { docs_.count("GEO_BOX(place, 10, 0, -10, 5)"); });
  invalid({}, [&] { docs_.count("n BETWEEN 5 AND 3"); });
  invalid({}, [&] { field("n").between(5, 3); });
  const double nan = std::numeric_limits<double>::quiet_NaN();
  invalid({}, [&] { field("n").between(nan, 3.0); });
  invalid({}, [&] { field("n") > nan; });
  invalid({}, [&] { field("place").geo_radius(nan, 0, 1); });
  invalid({}, [&] { docs_.count("n > 1e999"); });
  invalid({}, [&] { docs_.count("n > 9223372036854775808"); });
}

TEST_F(BadInput, Row32_FilterTextInAValue) {
  const std::string attack = "' OR 1 == 1 OR n = '";
  docs_.upsert({.id = "odd", .vector = {1, 1, 1}, .metadata = {{"name", attack}}});
  for (const Filter& f : {Filter::parse("name = ?", Metadata::array({attack})),
                          Filter::parse("name = :name", {{"name", attack}}), field("name") == attack,
                          Filter::from_value({{"op", "="}, {"path", "name"}, {"value", attack}})}) {
    const Hits hits = docs_.query(Query({1, 0, 0}).where(f));
    ASSERT_EQ(hits.size(), 1u) << f;
    EXPECT_EQ(hits[0].id, "odd");
    // Written as text it is still one value.
    EXPECT_EQ(Filter::parse(f.to_string()), f);
  }
  EXPECT_TRUE(docs_.query(Query({1, 0, 0}).where(field("name") == "\" or 1==1 --")).empty());
  docs_.erase("odd");
  invalid({}, [&] { Filter::parse("name = ?"); });
  invalid({}, [&] { Filter::parse("name = ?", Metadata::array({"a", "b"})); });
}

TEST_F(BadInput, Row33_Deadline) {
  using std::chrono::milliseconds;
  refused(ErrorCode::kDeadline, {}, [&] { docs_.query(Query({1, 0, 0}).deadline(milliseconds(0))); });
  refused(ErrorCode::kDeadline, {}, [&] { docs_.query_text("words", {.deadline = milliseconds(0)}); });
  refused(ErrorCode::kDeadline, {},
          [&] { docs_.hybrid_query(HybridQuery({1, 0, 0}, "words").deadline(milliseconds(0))); });
  refused(ErrorCode::kDeadline, {}, [&] { docs_.query(Query({1, 0, 0}).deadline(milliseconds(-5))); });
  std::stop_source stop;
  stop.request_stop();
  refused(ErrorCode::kCancelled, {}, [&] { docs_.query(Query({1, 0, 0}).stop(stop.get_token())); });
  refused(ErrorCode::kCancelled, {}, [&] { docs_.query_text("words", {.stop = stop.get_token()}); });

  // A search that takes long stops soon after its deadline, and when it is told to.
  auto large = db_.create_collection("large", {.dimension = 8});
  std::vector<Record> batch;
  for (int i = 0; i < 60'000; ++i) {
    batch.push_back({.id = std::to_string(i),
                     .vector = {1, static_cast<float>(i % 7), 0, 0, 0, 0, 0, 1},
                     .metadata = {{"name", std::string(300, 'x')}}});
    if (batch.size() == 10'000) {
      large.batch_upsert(batch);
      batch.clear();
    }
  }
  const std::vector<float> v = {1, 0, 0, 0, 0, 0, 0, 0};
  const Query slow = Query(v)
                         .where(
                             "name LIKE '%x%x%x%x%y' OR name LIKE '%x%z%' OR name CONTAINS "
                             "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxy'")
                         .threads(1);
  large.query(Query(v));
  auto late = std::chrono::steady_clock::duration::max();
  for (int i = 0; i < 10; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(code_of([&] { large.query(Query(slow).deadline(milliseconds(1))); }), ErrorCode::kDeadline);
    late = std::min(late, std::chrono::steady_clock::now() - begin - milliseconds(1));
  }
  EXPECT_LT(std::chrono::duration<double>(late).count(), 0.010);
  late = std::chrono::steady_clock::duration::max();
  for (int i = 0; i < 5; ++i) {
    std::stop_source source;
    std::chrono::steady_clock::time_point stopped;
    std::thread stopper([&] {
      std::this_thread::sleep_for(milliseconds(3));
      stopped = std::chrono::steady_clock::now();
      source.request_stop();
    });
    ErrorCode code = ErrorCode::kIo;
    try {
      for (int n = 0; n < 100; ++n) large.query(Query(slow).stop(source.get_token()));
    } catch (const Error& e) {
      code = e.code();
    }
    const auto end = std::chrono::steady_clock::now();
    stopper.join();
    EXPECT_EQ(code, ErrorCode::kCancelled);
    late = std::min(late, end - stopped);
  }
  EXPECT_LT(std::chrono::duration<double>(late).count(), 0.010);
}

/// Does what it is told.
struct Puppet {
  std::function<void(std::span<float>)> act = [](std::span<float> out) {
    std::fill(out.begin(), out.end(), 1.0f);
  };
  std::shared_ptr<std::size_t> dimension_now = std::make_shared<std::size_t>(3);
  std::string print = "puppet-1";
  std::string name() const { return "puppet"; }
  std::string fingerprint() const { return print; }
  std::size_t dimension() const { return *dimension_now; }
  void embed_batch(std::span<const std::string_view>, std::span<float> out) const { act(out); }
};

TEST_F(BadInput, Row62_Embedder) {
  const std::vector<Chunk> chunks = {{.text = "one"}, {.text = "two"}};
  const auto all_refuse = [&](ErrorCode code, std::initializer_list<std::string_view> words,
                              const Puppet& puppet) {
    const Embedder model = puppet;
    const std::string before = state();
    std::string message;
    EXPECT_EQ(code_of([&] { docs_.upsert_text("x", "text", model); }, &message), code);
    for (std::string_view word : words) EXPECT_NE(message.find(word), std::string::npos) << message;
    EXPECT_EQ(code_of([&] { docs_.upsert_chunks("s", chunks, model); }), code);
    EXPECT_EQ(code_of([&] { docs_.query_text("text", {.embedder = model}); }), code);
    EXPECT_EQ(state(), before);
    EXPECT_FALSE(docs_.get("x"));
    usable();
  };
  all_refuse(ErrorCode::kInvalidArgument, {"puppet", "not finite"},
             {.act = [](std::span<float> out) { out[0] = std::numeric_limits<float>::quiet_NaN(); }});
  all_refuse(ErrorCode::kInvalidArgument, {"puppet", "missing or not finite"},
             {.act = [](std::span<float> out) { out[0] = 1; }});
  all_refuse(ErrorCode::kInvalidArgument, {"zero norm"},
             {.act = [](std::span<float> out) { std::fill(out.begin(), out.end(), 0.0f); }});
  all_refuse(ErrorCode::kIo, {"puppet", "502 <html>"},
             {.act = [](std::span<float>) { throw std::runtime_error("502 <html>"); }});
  all_refuse(ErrorCode::kIo, {"puppet"}, {.act = [](std::span<float>) { throw 5; }});
  all_refuse(ErrorCode::kBusy, {"try later"},
             {.act = [](std::span<float>) { throw Error(ErrorCode::kBusy, "try later"); }});
  Puppet growing;
  growing.act = [d = growing.dimension_now](std::span<float> out) {
    std::fill(out.begin(), out.end(), 1.0f);
    ++*d;
  };
  const Embedder grows = growing;
  invalid({"dimension"}, [&] { docs_.upsert_text("x", "text", grows); });
  invalid({"4", "3"},
          [&] { docs_.upsert_text("x", "text", Puppet{.dimension_now = std::make_shared<std::size_t>(4)}); });
  // An embedder with other vectors than the collection's.
  auto bound = db_.create_collection("bound", {.embedder = Puppet{}});
  invalid({"puppet-2", "puppet-1"}, [&] { bound.upsert_text("x", "text", Puppet{.print = "puppet-2"}); });
  invalid({"puppet-2"}, [&] { bound.query_text("text", {.embedder = Puppet{.print = "puppet-2"}}); });
  // A batch of texts is committed in pieces, each whole: what came before the failure stays, the failing
  // piece is absent.
  auto calls = std::make_shared<int>(0);
  auto pieces = db_.create_collection("pieces", {.embedder = Puppet{.act = [calls](std::span<float> out) {
                                                   if (++*calls == 3) throw std::runtime_error("gone");
                                                   std::fill(out.begin(), out.end(), 1.0f);
                                                 }}});
  const std::vector<std::string> texts(10, "text");
  EXPECT_EQ(code_of([&] { pieces.batch_upsert_texts(texts, {}, {.batch_size = 4}); }), ErrorCode::kIo);
  EXPECT_EQ(pieces.count(), 8u);
  // A model that stalls is the program's; the call ends before its next piece.
  std::stop_source stop;
  auto stalls = db_.create_collection("stalls", {.embedder = Puppet{.act = [&stop](std::span<float> out) {
                                                   stop.request_stop();
                                                   std::fill(out.begin(), out.end(), 1.0f);
                                                 }}});
  EXPECT_EQ(
      code_of([&] { stalls.batch_upsert_texts(texts, {}, {.batch_size = 4, .stop = stop.get_token()}); }),
      ErrorCode::kCancelled);
  EXPECT_EQ(stalls.count() % 4, 0u);
  invalid({"embedder"}, [&] { Embedder(std::shared_ptr<Puppet>()); });
  EXPECT_EQ(code_of([&] { docs_.upsert_text("x", "text"); }), ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace vecstore
