// MATCH in filters by the index of texts: whatever was written, merged, damaged or is read meanwhile, the
// answers are those of a look at each record.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>
#include <thread>

#include "catalog/catalog.hpp"
#include "db/collection_impl.hpp"
#include "io/index_file.hpp"
#include "query/executor.hpp"
#include "query/field_condition.hpp"
#include "query/filter_test_support.hpp"
#include "query/match_terms.hpp"
#include "query/record_filter.hpp"
#include "scratch.hpp"
#include "seed.hpp"
#include "segment/segment_format.hpp"
#include "storage/segment_list.hpp"
#include "storage/store.hpp"
#include "vecstore/vecstore.hpp"

namespace vecstore {
namespace {

namespace fs = std::filesystem;

constexpr const char* kWords[] = {"wing",
                                  "Wings",
                                  "winged",
                                  "the",
                                  "of",
                                  "Über",
                                  "cafe",
                                  "café",
                                  "naïve",
                                  "x-ray",
                                  "3.14",
                                  "don't",
                                  "car",
                                  "auto",
                                  "getUserName",
                                  "user",
                                  "two",
                                  "Words",
                                  "a",
                                  "b",
                                  "東京都",
                                  "京都",
                                  "京",
                                  "検索エンジン",
                                  "snake_case_name",
                                  "layers",
                                  "layer",
                                  "réseau",
                                  "événements",
                                  "word"};
// Paths of metadata that random records have, and others.
constexpr const char* kPaths[] = {"title",   "a",        "tags",  "o.a",   "o.o.a",
                                  "items.a", "odd name", "never", "_text", "info.note"};

class MatchFilterTest : public ::testing::Test {
 protected:
  MatchFilterTest() : rng_(test::seed()) {}
  ~MatchFilterTest() override { close(); }

  void close() {
    shards_.clear();
    collection_.reset();
    background_->stop();
    store_.reset();
  }
  template <class T>
  const T& pick(std::span<const T> of) {
    return of[rng_() % of.size()];
  }

  TextField field(const char* path) {
    static const char* const kAnalyzers[] = {"english", "neutral",    "cjk",   "code",
                                             "ngram",   "edge_ngram", "french"};
    TextField out{.path = path, .analyzer = pick<const char*>(kAnalyzers)};
    out.weight = rng_() % 2 ? 1.0f : 2.5f;
    const bool has_words = !out.analyzer.ends_with("ngram");
    if (has_words && rng_() % 3 == 0) out.analysis.synonyms = {"auto, two", "wing => tail"};
    if (has_words && rng_() % 3 == 0)
      out.analysis.stop_words = std::vector<std::string>{"the", "user", "layer"};
    if (rng_() % 4 == 0) out.analysis.fold_accents = rng_() % 2 == 0;
    if (rng_() % 4 == 0 && (out.analyzer == "english" || out.analyzer == "neutral"))
      out.analysis.cjk_bigrams = true;
    return out;
  }
  /// A new collection; `metadata`: some of its text fields are metadata.
  void create(bool metadata) {
    fields_.clear();
    if (!metadata || rng_() % 4 != 0) fields_.push_back(field("text"));
    if (metadata) {
      for (const char* path : kPaths) {
        if (rng_() % 3 == 0) fields_.push_back(field(path));
      }
      std::shuffle(fields_.begin(), fields_.end(), rng_);
    }
    create(fields_);
  }
  void create(const std::vector<TextField>& fields) {
    fields_ = fields;
    close();
    background_ = std::make_shared<Background>();
    background_->pause();
    directory_ = scratch_ / ("db" + std::to_string(++databases_));
    store_ = storage::Store::open(directory_, {});
    const catalog::Schema schema = catalog::make_schema({.text_fields = fields_});
    store_->write(
        [&](storage::Commit& commit) {
          number_ = catalog::create_collection(commit, catalog::kDefaultNamespace, "c", schema);
        },
        4096);
    ids_ = 0;
    open();
  }
  void open() {
    collection_ = std::make_unique<Collection::Impl>(
        store_, number_, "c", OpenOptions{.checkpoint_rows = 1'000'000, .graph_rows = 1'000'000},
        background_);
  }
  void reopen() {
    shards_.clear();
    collection_.reset();
    store_.reset();
    store_ = storage::Store::open(directory_, {});
    // As opening a database does.
    fs::create_directories(directory_ + "/seg");
    for (const auto& e : fs::directory_iterator(directory_ + "/seg"))
      store_->reserve_segment_numbers(storage::segment_number(e.path().filename().string()));
    open();
  }
  shard::Shard& shard() { return collection_->shard(); }
  /// Another one of the same collection, which knows nothing yet.
  shard::Shard& another(const shard::SegmentOptions& options = {}) {
    shards_.push_back(std::make_shared<shard::Shard>(store_, number_, "c", options, background_));
    return *shards_.back();
  }

  std::string words(std::size_t n) {
    std::string out;
    for (; n > 0; --n) {
      // Some words stand nearly everywhere, some nearly nowhere.
      const std::size_t last = rng_() % std::size(kWords);
      out += rng_() % 50 == 0 ? std::string(260, 'x') : kWords[rng_() % (last + 1)];
      if (n > 1) out += rng_() % 5 == 0 ? ". " : " ";
    }
    return out;
  }
  Metadata metadata() {
    Metadata m = filter_test::random_record(rng_);
    const auto value = [&] {
      if (rng_() % 3 != 0) return Metadata(words(rng_() % 6));
      Metadata array = Metadata::array();
      for (std::size_t n = rng_() % 4; n > 0; --n) {
        if (rng_() % 6 == 0)
          array.push_back(7);
        else if (rng_() % 6 == 0)
          array.push_back(Metadata::parse("[\"wing two\"]"));
        else
          array.push_back(words(rng_() % 4));
      }
      return array;
    };
    for (const char* name : {"title", "a", "tags", "odd name", "_text", "text"}) {
      if (rng_() % 2) m[name] = value();
    }
    if (rng_() % 2) m["info"]["note"] = value();
    if (rng_() % 2) m["o.a"] = value();
    return m;
  }
  Record record(std::size_t id) {
    Record r{.id = "r" + std::to_string(id)};
    r.vector = Vector{static_cast<float>(rng_() % 1000), static_cast<float>(rng_() % 1000), 1.0f};
    if (rng_() % 8 != 0) r.text = words(rng_() % 14);
    r.metadata = metadata();
    return r;
  }
  void insert(std::size_t count) {
    std::vector<Record> records;
    for (std::size_t i = 0; i < count; ++i) records.push_back(record(ids_++));
    execute(records, Operation::Kind::kInsert);
  }
  std::set<std::size_t> some_ids(std::size_t most) {
    std::set<std::size_t> out;
    for (; most > 0; --most) out.insert(rng_() % ids_);
    return out;
  }
  void upsert(std::size_t count) {
    std::vector<Record> records;
    for (const std::size_t id : some_ids(count)) records.push_back(record(id));
    execute(records, Operation::Kind::kUpsert);
  }
  void update(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      Record r{.id = "r" + std::to_string(rng_() % ids_), .metadata = metadata()};
      try {
        execute(std::span(&r, 1), Operation::Kind::kUpdateMetadata);
      } catch (const Error& e) {
        ASSERT_EQ(e.code(), ErrorCode::kNotFound);
      }
    }
  }
  void erase(std::size_t count) {
    std::vector<Record> records;
    for (const std::size_t id : some_ids(count)) records.push_back({.id = "r" + std::to_string(id)});
    execute(records, Operation::Kind::kErase);
  }
  void execute(std::span<const Record> records, Operation::Kind kind) {
    std::vector<db::Write> writes;
    for (const Record& r : records) writes.push_back({kind, &r});
    collection_->execute(writes, true);
  }
  void checkpoint() {
    Context context;
    shard().checkpoint(1, context);
  }
  void merge(bool all) {
    Context context;
    if (all) checkpoint();
    while (shard().merge_step(all, context) && all) {
    }
  }

  FilterNodePtr match() {
    static const char* const kPlaces[] = {
        "_text",   "_text", "_text",     "title",   "a",       "tags",       "o.a",          "o.o.a", "never",
        "items.a", "text",  "info.note", "tags[*]", "\"o.a\"", "items[*].a", "\"odd name\"", "_id"};
    return make_text(FilterOp::kMatch, parse_filter_path(pick<const char*>(kPlaces)), words(rng_() % 4));
  }
  FilterNodePtr node(int depth) {
    switch (rng_() % (depth > 0 ? 9 : 4)) {
      case 0:
      case 1:
      case 2:
        return match();
      case 3:
        return filter_test::random_node(rng_, 0);
      case 4:
        return make_not(node(depth - 1));
      case 5:
        return make_any(parse_filter_path(rng_() % 2 ? "items" : "tags"), node(depth - 1));
      default: {
        std::vector<FilterNodePtr> children;
        for (std::size_t n = 2 + rng_() % 3; n > 0; --n) children.push_back(node(depth - 1));
        return make_group(rng_() % 2 ? FilterOp::kAnd : FilterOp::kOr, children);
      }
    }
  }
  Filter filter() { return Filter(node(static_cast<int>(rng_() % 4))); }

  /// The rows that match, by a look at each record.
  static std::set<std::uint64_t> twin(const shard::ReadView& view, const Filter& filter) {
    std::set<std::uint64_t> out;
    const query::RecordFilter each(view, filter);
    shard::DocumentReader documents(view);
    for (std::uint64_t row = 0; row < view.state().next_row; ++row) {
      if (view.is_live(row)) try {
          if (each.matches(documents.read(row))) out.insert(row);
        } catch (const Error& e) {
          EXPECT_EQ(e.code(), ErrorCode::kCorruption);
        }
    }
    return out;
  }
  /// What the indexes know, and what comes of it.
  void check(shard::Shard& of, const Filter& filter) {
    shard::ReadView view(of);
    Context ctx;
    const bool by_words = query::asks_for_texts(filter, view);
    std::vector<shard::TermFollower*> followers;
    if (by_words) followers.push_back(&of.texts());
    const auto fields = of.fields().read(view, ctx);
    bool done = false;
    shard::search_terms(view, followers, ctx, [&](std::span<const shard::TermsReadPtr> reads) {
      ASSERT_EQ(fields->sequence, view.state().sequence);
      const shard::TermsRead* texts = by_words ? reads.front().get() : nullptr;
      const FieldNode condition =
          query::field_condition(filter.node(), view.field_names(),
                                 texts ? query::match_by_terms(view, *texts) : query::FindMatched());
      EXPECT_TRUE(by_words || !condition.has_found()) << filter;
      EXPECT_TRUE(has_any(*filter.node()) || by_words == condition.has_found()) << filter;
      const RowSet set = shard::matching_rows(*fields, condition, view, {});
      const Cardinality expected = query::estimated_rows(view, filter, *fields, texts);
      const query::MatchingRows matching(view, filter, *fields, ctx, texts);
      const query::ViewRows rows(view, &matching, nullptr);
      const std::set<std::uint64_t> wanted = twin(view, filter);
      for (std::uint64_t row = 0; row < view.state().next_row; ++row) {
        const bool is_match = wanted.contains(row);
        ASSERT_EQ(rows.contains(row), is_match) << filter << ", row " << row;
        ASSERT_TRUE(!is_match || set.maybe.test(row)) << filter << ", row " << row;
        ASSERT_TRUE(is_match || !set.sure.test(row)) << filter << ", row " << row;
        ASSERT_TRUE(!set.sure.test(row) || set.maybe.test(row)) << filter << ", row " << row;
        ASSERT_TRUE(view.is_live(row) || !set.maybe.test(row)) << filter << ", row " << row;
      }
      if (matching.count()) {
        ASSERT_EQ(*matching.count(), wanted.size()) << filter;
      }
      ASSERT_LE(expected.least, wanted.size()) << filter;
      ASSERT_GE(expected.most + matching.degraded(), wanted.size()) << filter;
      ASSERT_LE(static_cast<double>(expected.least), expected.expected) << filter;
      ASSERT_GE(static_cast<double>(expected.most), expected.expected) << filter;
      if (texts && texts->unreadable.empty() && is_own_text(*filter.node())) {
        ASSERT_EQ(matching.evaluated(), 0u) << filter;  // known for certain
      }
      found_ += wanted.size();
      looked_at_ += matching.evaluated();
      done = true;
    });
    ASSERT_TRUE(HasFatalFailure() || done);
    const auto found = query::find_matching_rows(view, filter, ctx);
    if (found->count()) {
      EXPECT_EQ(*found->count(), twin(view, filter).size()) << filter;
    }
  }
  /// A condition on the record's own text alone, of which its index knows everything.
  bool is_own_text(const FilterNode& node) const {
    switch (node.op) {
      case FilterOp::kMatch: {
        // A text field called "_text" is another one.
        const auto first = std::find_if(fields_.begin(), fields_.end(), [](const TextField& f) {
          return f.path == "text" || f.path == "_text";
        });
        return node.path.front().name == "_text" && first != fields_.end() && first->path == "text";
      }
      case FilterOp::kAnd:
      case FilterOp::kOr:
      case FilterOp::kNot:
        return std::all_of(node.children.begin(), node.children.end(),
                           [&](const FilterNodePtr& child) { return is_own_text(*child); });
      default:
        return false;
    }
  }
  static bool has_any(const FilterNode& node) {
    return node.op == FilterOp::kAny ||
           std::any_of(node.children.begin(), node.children.end(),
                       [](const FilterNodePtr& child) { return has_any(*child); });
  }

  void check(shard::Shard& of, int filters) {
    for (int i = 0; i < filters && !HasFatalFailure(); ++i) check(of, filter());
    if (!HasFatalFailure()) check_queries(of, filter());
  }
  /// Searches find what matches, and nothing else.
  void check_queries(shard::Shard& of, const Filter& filter) {
    std::set<std::string> wanted;
    {
      shard::ReadView view(of);
      shard::DocumentReader documents(view);
      for (const std::uint64_t row : twin(view, filter)) wanted.insert(std::string(documents.read(row).id));
    }
    const auto ids = [&](const query::Request& request) {
      shard::ReadView view(of);
      Context ctx;
      std::set<std::string> out;
      const Hits hits = query::execute(request, view, ctx);
      for (const Hit& hit : hits) out.insert(hit.id);
      EXPECT_EQ(out.size(), hits.size());
      return out;
    };
    const Vector vector{1.0f, 2.0f, 3.0f};
    query::Request by_vector;
    by_vector.vector = &vector;
    by_vector.k = 5'000;
    by_vector.where = filter;
    by_vector.explain = rng_() % 2;
    EXPECT_EQ(ids(by_vector), wanted) << filter;
    if (fields_.empty()) return;
    query::Request by_text;
    by_text.text = words(1 + rng_() % 3);
    by_text.k = 5'000;
    std::set<std::string> both;
    for (const std::string& id : ids(by_text)) {
      if (wanted.contains(id)) both.insert(id);
    }
    by_text.where = filter;
    EXPECT_EQ(ids(by_text), both) << filter << ", text " << *by_text.text;
    by_text.vector = &vector;
    by_text.fusion = Fusion::rrf();
    by_text.threads = 1 + rng_() % 2;
    EXPECT_EQ(ids(by_text), wanted) << filter;
  }

  void run_random(int rounds, std::size_t rows) {
    for (int round = 0; round < rounds && !HasFailure(); ++round) {
      create(round % 3 != 0);
      insert(1 + rng_() % rows);
      for (int step = 0; step < 9 && !HasFailure(); ++step) {
        switch (rng_() % 9) {
          case 0:
          case 1:
            insert(1 + rng_() % rows);
            break;
          case 2:
            upsert(1 + rng_() % 40);
            break;
          case 3:
            update(rng_() % 20);
            break;
          case 4:
            erase(1 + rng_() % 60);
            break;
          case 5:
          case 6:
            checkpoint();
            break;
          case 7:
            merge(rng_() % 2);
            break;
          default:
            reopen();
        }
        shard::SegmentOptions small;
        small.tail_rows = 16;
        small.term_bytes = 4'000;
        check(rng_() % 4 == 0 ? another(small) : shard(), 4);
      }
    }
  }

  test::Scratch scratch_;
  std::mt19937_64 rng_;
  int databases_ = 0;
  std::string directory_;
  std::uint32_t number_ = 0;
  std::vector<TextField> fields_;
  std::shared_ptr<storage::Store> store_;
  std::shared_ptr<Background> background_ = std::make_shared<Background>();
  std::unique_ptr<Collection::Impl> collection_;
  std::vector<std::shared_ptr<shard::Shard>> shards_;
  std::size_t ids_ = 0;
  std::uint64_t found_ = 0, looked_at_ = 0;
};

TEST_F(MatchFilterTest, AnswersLikeLookingAtEachRecord) {
  run_random(12, 150);
  std::printf("%llu found, %llu looked at\n", static_cast<unsigned long long>(found_),
              static_cast<unsigned long long>(looked_at_));
  EXPECT_GT(found_, 1'000u);
}

// Frequent words among many rows: bitmaps of documents, with and without gaps between their rows.
TEST_F(MatchFilterTest, ManyRows) {
  create({TextField{.analyzer = "neutral"}, TextField{.path = "title", .analyzer = "neutral"}});
  const auto write = [&](std::size_t count) {
    std::vector<Record> records;
    for (std::size_t i = 0; i < count; ++i) {
      Record r{.id = "r" + std::to_string(ids_++)};
      for (int w = 1; w < 12; ++w) {
        if (rng_() % (std::size_t{1} << w) == 0) r.text += "w" + std::to_string(w) + " ";
        if (rng_() % (std::size_t{1} << w) == 0)
          r.metadata["title"] = r.metadata.get("title").is_null()
                                    ? "w" + std::to_string(w)
                                    : r.metadata["title"].as_string() + " w" + std::to_string(w);
      }
      records.push_back(std::move(r));
    }
    execute(records, Operation::Kind::kInsert);
  };
  const auto check_words = [&] {
    for (int i = 0; i < 12 && !HasFatalFailure(); ++i) {
      std::string text;
      for (std::size_t n = 1 + rng_() % 2; n > 0; --n) text += "w" + std::to_string(1 + rng_() % 12) + " ";
      const FilterNodePtr leaf =
          make_text(FilterOp::kMatch, parse_filter_path(rng_() % 2 ? "_text" : "title"), text);
      check(shard(), Filter(rng_() % 2 ? leaf : make_not(leaf)));
    }
  };
  write(9'000);
  checkpoint();
  check_words();
  write(3'000);
  check_words();
  // Erased rows leave gaps when segments are merged.
  erase(300);
  merge(true);
  check_words();
  write(700);
  checkpoint();
  write(50);
  reopen();
  check_words();
}

TEST_F(MatchFilterTest, WordsOfAnArrayMayBeSpread) {
  create({TextField{.path = "tags", .analyzer = "neutral"}});
  const char* const tags[] = {R"(["red wine", "old house"])", R"(["red house"])", R"("red house")",
                              R"(["red", "house", 7])", R"([["red house"]])"};
  std::vector<Record> records;
  for (const char* t : tags) {
    records.push_back({.id = "r" + std::to_string(records.size())});
    records.back().metadata["tags"] = Metadata::parse(t);
  }
  for (int i = 0; i < 100; ++i)
    records.push_back({.id = "x" + std::to_string(i), .metadata = {{"tags", "old"}}});
  execute(records, Operation::Kind::kInsert);
  checkpoint();
  shard::ReadView view(shard());
  Context ctx;
  const auto rows = [&](const char* filter) {
    const auto found = query::find_matching_rows(view, Filter::parse(filter), ctx);
    std::vector<std::uint64_t> out;
    for (std::uint64_t row = 0; row < 5; ++row) {
      if (found->contains(row)) out.push_back(row);
    }
    return std::pair(out, found->evaluated());
  };
  using Rows = std::vector<std::uint64_t>;
  // Only rows with both words somewhere in an array are looked at.
  EXPECT_EQ(rows("MATCH(tags, 'house red')"), std::pair(Rows({1, 2}), std::uint64_t{3}));
  EXPECT_EQ(rows("MATCH(tags, 'red')"), std::pair(Rows({0, 1, 2, 3}), std::uint64_t{0}));
  EXPECT_EQ(rows("NOT MATCH(tags, 'red house')").first, Rows({0, 3, 4}));
}

TEST_F(MatchFilterTest, EstimatesAreOfTheDictionary) {
  create({TextField{.analyzer = "neutral"}});
  std::vector<Record> records;
  for (int i = 0; i < 1'000; ++i) {
    Record r{.id = "r" + std::to_string(i), .text = "all"};
    if (i % 2 == 0) r.text += " half";
    if (i % 10 < 7) r.text += " many";
    if (i % 100 == 0) r.text += " few";
    records.push_back(std::move(r));
  }
  execute(records, Operation::Kind::kInsert);
  checkpoint();
  shard::ReadView view(shard());
  Context ctx;
  shard::TermFollower* const texts = &shard().texts();
  const auto estimate = [&](const char* filter) {
    Cardinality out;
    const auto fields = shard().fields().read(view, ctx);
    shard::search_terms(view, std::span(&texts, 1), ctx, [&](std::span<const shard::TermsReadPtr> reads) {
      out = query::estimated_rows(view, Filter::parse(filter), *fields, reads[0].get());
    });
    return std::tuple(out.least, std::lround(out.expected), out.most);
  };
  EXPECT_EQ(estimate("MATCH(_text, 'few')"), std::tuple(10u, 10, 10u));
  EXPECT_EQ(estimate("NOT MATCH(_text, 'few')"), std::tuple(990u, 990, 990u));
  EXPECT_EQ(estimate("MATCH(_text, 'half many')"), std::tuple(200u, 350, 500u));
  EXPECT_EQ(estimate("MATCH(_text, 'half few')"), std::tuple(0u, 5, 10u));
  EXPECT_EQ(estimate("MATCH(_text, 'nothing half')"), std::tuple(0u, 0, 0u));
  EXPECT_EQ(estimate("MATCH(_text, 'many') AND NOT MATCH(_text, 'few')"), std::tuple(690u, 693, 700u));
}

class DamagedTexts : public MatchFilterTest {
 protected:
  static std::string bytes_of(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::vector<std::string> files() const {
    std::vector<std::string> out;
    for (const auto& e : fs::directory_iterator(directory_ + "/seg")) {
      if (e.path().extension() == ".vsx") out.push_back(e.path().string());
    }
    std::sort(out.begin(), out.end());
    return out;
  }
};

TEST_F(DamagedTexts, TermsAreMadeAnew) {
  std::uint64_t damages = 0;
  for (int round = 0; round < 8 && !HasFailure(); ++round) {
    create(round % 2 == 0);
    for (int i = 0; i < 3; ++i) {
      insert(100);
      checkpoint();
    }
    insert(20);
    // In the place of the terms, and now and then anywhere.
    const std::string path = files()[rng_() % 3];
    std::string bytes = bytes_of(path);
    std::vector<std::pair<std::size_t, std::size_t>> places;  // begin and size
    {
      const auto file = io::IndexFile::open(path);
      for (const std::uint32_t id : file->section_ids()) {
        if (id < segment::kTermSections || id >= segment::kTermSections + inverted::kPartSections) continue;
        const auto section = file->unchecked(id);
        const std::string wanted(reinterpret_cast<const char*>(section.data()), section.size());
        if (!wanted.empty()) places.emplace_back(bytes.find(wanted), wanted.size());
      }
    }
    if (places.empty()) continue;  // nobody has a text in any field
    for (int n = 0; n < 6; ++n) {
      const auto [begin, size] = places[rng_() % places.size()];
      bytes[begin + rng_() % size] ^= static_cast<char>(1 << rng_() % 8);
    }
    reopen();
    // Opened only now, so that nobody has the file mapped.
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
    check(shard(), 8);
    damages += shard().segments().damages();
    erase(10);
    check(shard(), 4);
    merge(true);
    check(shard(), 4);
  }
  EXPECT_GT(damages, 0u);
}

// A text that cannot be read: its record is left out and counted once, all others are found.
TEST_F(DamagedTexts, TextsThatCannotBeRead) {
  create({TextField{.analyzer = "neutral"}});
  std::vector<Record> records;
  for (int i = 0; i < 200; ++i) {
    records.push_back({.id = "r" + std::to_string(i),
                       .vector = Vector{1.0f, static_cast<float>(i), 0.5f},
                       .text = "common words of record" + std::to_string(1000 + i)});
  }
  execute(records, Operation::Kind::kInsert);
  shards_.clear();
  collection_.reset();
  store_.reset();
  const std::string path = directory_ + "/truth.1/data.mdb";
  std::string bytes = bytes_of(path);
  int found = 0;
  for (const std::string text : {"common words of record1042", "common words of record1077"}) {
    for (std::size_t at = bytes.find(text); at != std::string::npos; at = bytes.find(text, at + 1), ++found)
      bytes[at] ^= 1;
  }
  ASSERT_GE(found, 2);
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  store_ = storage::Store::open(directory_, {});
  open();
  const auto expect = [&](shard::Shard& of, const char* filter, std::size_t hits, std::uint64_t degraded) {
    const Vector vector{1.0f, 2.0f, 3.0f};
    query::Request request;
    request.vector = &vector;
    request.k = 1'000;
    request.where = Filter::parse(filter);
    shard::ReadView view(of);
    Context ctx;
    const Hits answer = query::execute(request, view, ctx);
    EXPECT_EQ(answer.size(), hits) << filter;
    EXPECT_EQ(answer.degraded, degraded) << filter;
  };
  for (int i = 0; i < 2; ++i) {
    expect(shard(), "MATCH(_text, 'common')", 198, 2);
    expect(shard(), "NOT MATCH(_text, 'record1010')", 197, 2);
    expect(shard(), "MATCH(_text, 'record1042')", 0, 2);
    expect(another(), "MATCH(_text, 'common') AND NOT MATCH(_text, 'record1001')", 197, 2);
    checkpoint();
  }
}

// For the thread sanitizer, too: many look for words while others write and merge.
TEST_F(MatchFilterTest, ManyReadWhileOthersWriteAndMerge) {
  create({TextField{.analyzer = "neutral"}, TextField{.path = "title", .analyzer = "neutral"}});
  insert(200);
  checkpoint();
  std::vector<Filter> filters;
  for (int i = 0; i < 20; ++i) filters.push_back(filter());
  std::atomic<bool> done{false};
  std::vector<std::thread> readers;
  for (std::size_t t = 0; t < 3; ++t) {
    readers.emplace_back([&, t] {
      for (std::size_t i = t; !done; ++i) {
        const Filter& filter = filters[i % filters.size()];
        shard::ReadView view(shard());
        Context ctx;
        const auto found = query::find_matching_rows(view, filter, ctx);
        std::set<std::uint64_t> rows;
        for (std::uint64_t row = 0; row < view.state().next_row; ++row) {
          if (found->contains(row)) rows.insert(row);
        }
        EXPECT_EQ(rows, twin(view, filter)) << filter;
      }
    });
  }
  for (int i = 0; i < 16; ++i) {
    insert(30);
    upsert(10);
    erase(10);
    if (i % 4 == 3) checkpoint();
    if (i % 8 == 7) merge(true);
  }
  done = true;
  for (std::thread& t : readers) t.join();
  check(shard(), 4);
}

}  // namespace
}  // namespace vecstore
