// The whole public API against a plain model, under random operations.
//
//   VECSTORE_TEST_SEED=n       other operations (printed with every failure)
//   VECSTORE_MODEL_OPS=n  how many; the default is what a quick run takes, continuous integration asks for
//   200,000
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <iostream>
#include <thread>

#include "base/error.hpp"
#include "model/runner.hpp"
#include "model/shrink.hpp"
#include "scratch.hpp"
#include "seed.hpp"

namespace vecstore::model {
namespace {

constexpr std::size_t kEpisode = 4000;  // operations on one directory

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text && *text ? std::strtoull(text, nullptr, 10) : otherwise;
}

std::uint64_t seed() {
  static const std::uint64_t seed = test::seed();
  return seed;
}

struct Failure {
  std::size_t at = 0;
  std::string what;
};

std::optional<Failure> run(const std::vector<Op>& ops, const Setting& setting) {
  const test::Scratch scratch;
  std::size_t at = 0;
  try {
    Runner runner(scratch / "db", setting,
                  {.durability = Durability::kRelaxed,
                   .map_size = std::uint64_t{1} << 20,
                   .threads = 1,
                   .checkpoint_rows = 100,
                   .graph_rows = 60});
    for (; at < ops.size(); ++at) runner.step(ops[at]);
    runner.check_everything(ops.size());
  } catch (const Mismatch& m) {
    return Failure{at, m.what};
  } catch (const std::exception& e) {
    return Failure{at, concat("unexpected: ", e.what())};
  }
  return std::nullopt;
}

void report(const std::vector<Op>& ops, const Failure& failure, const Setting& setting,
            std::uint64_t episode_seed) {
  std::vector<Op> list(ops.begin(),
                       ops.begin() + static_cast<std::ptrdiff_t>(std::min(failure.at + 1, ops.size())));
  std::cout << "seed " << episode_seed << ", operation " << failure.at << ": " << failure.what
            << "\nshrinking..." << std::endl;
  list = shrink<Op>(
      std::move(list), [&](const std::vector<Op>& part) { return run(part, setting).has_value(); },
      std::chrono::steady_clock::now() +
          std::chrono::seconds(from_environment("VECSTORE_MODEL_SHRINK_SECONDS", 60)));
  std::string text;
  for (std::size_t i = 0; i < list.size() && i < 60; ++i)
    text += concat(i, " ", describe(list[i], setting), "\n");
  const auto again = run(list, setting);
  ADD_FAILURE() << "VECSTORE_TEST_SEED=" << episode_seed << ": " << failure.what << "\n"
                << list.size() << " operations that show it:\n"
                << text
                << (again ? concat("operation ", again->at, ": ", again->what)
                          : "which does not fail every time");
}

TEST(ModelTest, RandomOperations) {
  const std::size_t total = from_environment("VECSTORE_MODEL_OPS", 8000);
  std::cout << "VECSTORE_MODEL_OPS=" << total << std::endl;
  const Setting setting;
  for (std::size_t done = 0, episode = 0; done < total; ++episode) {
    const std::uint64_t episode_seed = seed() + episode;
    const std::vector<Op> ops = make_ops(episode_seed, std::min(kEpisode, total - done), false);
    done += ops.size();
    if (const auto failure = run(ops, setting)) {
      report(ops, *failure, setting, episode_seed);
      return;
    }
  }
}

// Enough records that queries go over 8-bit codes first and read full vectors for what those leave.
class ManyRecords : public ::testing::TestWithParam<std::uint8_t> {};

TEST_P(ManyRecords, QueriesAreExact) {
  const std::uint8_t slot = GetParam();
  const Setting setting{.ids = 26'000, .dimension = slot == 3 ? std::size_t{0} : 16};
  const test::Scratch scratch;
  Rng rng(seed() + slot);
  std::size_t step = 0;
  try {
    // No graphs: their answers are nearly exact only.
    Runner runner(scratch / "db", setting,
                  {.durability = Durability::kRelaxed, .threads = 2, .graph_rows = 1'000'000});
    runner.step({Kind::kCreate, slot, 0});
    Collection c = runner.db().get_collection(collection_name(slot));
    CollectionModel& model = runner.model().collections.at(collection_name(slot));
    std::vector<Record> batch;
    for (std::size_t i = 0; i < 25'000; ++i) {
      Record r = random_record(rng, slot, setting);
      r.id = concat("k", i);
      if (r.vector.dense().empty()) r.vector = Vector(random_vector(rng, Metric::kCosine, setting.dimension));
      batch.push_back(std::move(r));
      if (batch.size() < 5000) continue;
      runner.model().sequence = c.batch_upsert(batch);
      for (Record& b : batch) model.put(std::move(b), runner.model().sequence);
      batch.clear();
    }
    for (; step < from_environment("VECSTORE_MODEL_MANY_OPS", 60); ++step) {
      const Kind kind = rng.pick({Kind::kDense, Kind::kDense, Kind::kDense, Kind::kUpsert, Kind::kErase,
                                  Kind::kBatchUpsert, Kind::kUpdate});
      runner.step({kind, slot, rng()});
    }
    runner.step({Kind::kEraseWhere, slot, rng()});
    runner.step({Kind::kDense, slot, rng()});
    runner.step({Kind::kCompact, slot, 0});
    for (int i = 0; i < 3; ++i) runner.step({rng.pick({Kind::kDense, Kind::kUpsert}), slot, rng()});
    runner.step({Kind::kReopen, slot, 0});
    for (int i = 0; i < 3; ++i) runner.step({Kind::kDense, slot, rng()});
    const Query query(random_vector(rng, Metric::kCosine, setting.dimension));
    const auto plan = runner.db().get_collection(collection_name(slot)).query(Query(query).explain()).plan;
    EXPECT_NE(plan->to_string().find("segments"), std::string::npos) << plan->to_string();
    runner.step({Kind::kVerify, slot, 0});
  } catch (const Mismatch& m) {
    FAIL() << "VECSTORE_TEST_SEED=" << seed() << ", step " << step << ": " << m.what;
  }
}

INSTANTIATE_TEST_SUITE_P(Metrics, ManyRecords,
                         ::testing::Values(std::uint8_t{0}, std::uint8_t{1}, std::uint8_t{2}),
                         [](const auto& p) {
                           return std::string(to_string(collection_options(p.param, {}).metric));
                         });

// Threads share collections, each with ids of its own: what concerns these ids is compared at every step, the
// rest at the end.
TEST(ModelTest, Threads) {
  constexpr int kThreads = 4;
  const std::size_t total = from_environment("VECSTORE_MODEL_THREAD_OPS", 4000);
  std::cout << "VECSTORE_MODEL_THREAD_OPS=" << total << std::endl;
  const test::Scratch scratch;
  const Setting whole;
  const OpenOptions options{.durability = Durability::kRelaxed,
                            .map_size = std::uint64_t{1} << 20,
                            .threads = 2,
                            .checkpoint_rows = 100,
                            .graph_rows = 60};
  auto db = VecDatabase::open(scratch / "db", options);
  DatabaseModel empty;
  for (std::uint8_t slot = 0; slot < kSlots; ++slot) {
    const CollectionOptions o = collection_options(slot, whole, true);
    db.create_collection(collection_name(slot), o);
    CollectionModel& c = empty.collections[collection_name(slot)];
    c.fields = o.vectors;
    c.fields[""] = {o.metric, o.dimension};
    c.text_fields = o.text_fields;
    if (o.embedder) c.fingerprint = o.embedder.fingerprint();
  }
  std::vector<DatabaseModel> models(kThreads);
  std::vector<std::string> failures(kThreads);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::size_t at = 0;
      try {
        const Setting own{.prefix = concat("t", t, "-"), .ids = 60};
        const std::vector<Op> ops = make_ops(seed() + static_cast<std::uint64_t>(t), total / kThreads, true);
        Runner runner(db, own, empty);
        for (; at < ops.size(); ++at) {
          try {
            runner.step(ops[at]);
          } catch (const Mismatch& m) {
            failures[t] = concat("operation ", at, " ", describe(ops[at], own), ": ", m.what);
            return;
          }
        }
        models[t] = std::move(runner.model());
      } catch (const std::exception& e) {
        failures[t] = concat("operation ", at, ": unexpected: ", e.what());
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (const std::string& f : failures) ASSERT_EQ(f, "") << "VECSTORE_TEST_SEED=" << seed();

  // All of it together, from the database as it is after closing.
  DatabaseModel all = empty;
  for (const DatabaseModel& m : models) {
    for (const auto& [name, c] : m.collections) {
      for (const auto& [id, doc] : c.docs) all.collections[name].docs.emplace(id, doc);
    }
  }
  db.close();
  const std::uint64_t sequence = [&] {
    auto again = VecDatabase::open(scratch / "db", options);
    for (auto& [name, c] : all.collections) c.sequence = again.get_collection(name).stats().sequence;
    // Each thread's changes are in the log in its order.
    for (const auto& [name, c] : all.collections) {
      std::map<std::string, Change::Operation> last;
      for (const Change& change : again.get_collection(name).changes({.since = 0, .limit = 100'000'000}))
        last[change.id] = change.operation;
      std::size_t live = 0;
      for (const auto& [id, operation] : last) live += operation != Change::Operation::kErase;
      EXPECT_EQ(live, c.docs.size()) << name;
    }
    return again.stats().sequence;
  }();
  all.sequence = sequence;
  try {
    Runner runner(scratch / "db", whole, options);
    runner.model() = all;
    for (std::uint8_t slot = 0; slot < kSlots; ++slot) {
      Rng rng(seed() + slot);
      for (int i = 0; i < 20; ++i) {
        for (Kind kind : {Kind::kScroll, Kind::kCount, Kind::kDense, Kind::kText, Kind::kHybrid})
          runner.step({kind, slot, rng()});
      }
    }
    runner.step({Kind::kVerify, 0, 0});
  } catch (const Mismatch& m) {
    FAIL() << "VECSTORE_TEST_SEED=" << seed() << ": " << m.what;
  }
}

// The shrinking itself: a list fails when it holds 3 and later 7.
TEST(ModelTest, ShrinkingLeavesWhatMatters) {
  std::vector<int> list;
  for (int i = 0; i < 500; ++i) list.push_back(i % 10);
  const auto fails = [](const std::vector<int>& l) {
    const auto three = std::find(l.begin(), l.end(), 3);
    return std::find(three, l.end(), 7) != l.end();
  };
  EXPECT_EQ(shrink<int>(list, fails, std::chrono::steady_clock::now() + std::chrono::minutes(1)),
            (std::vector<int>{3, 7}));
}

}  // namespace
}  // namespace vecstore::model

int main(int argc, char** argv) {
  if (argc == 3 && std::strcmp(argv[1], "--reader") == 0) return vecstore::model::Reader::serve(argv[2]);
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
