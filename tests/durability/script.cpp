#include "durability/script.hpp"

#include <algorithm>
#include <random>
#include <stdexcept>

namespace vecstore::durability {
namespace {

constexpr int kDimension = 4;

class Maker {
 public:
  explicit Maker(unsigned seed) : random_(seed) {}

  std::uint32_t below(std::uint32_t n) { return random_() % n; }
  std::string text(std::size_t bytes) {
    std::string out;
    while (out.size() < bytes) out += static_cast<char>(below(6) ? 'a' + below(26) : ' ');
    return out;
  }
  Item item(std::string id, std::size_t text_bytes) {
    Item out{std::move(id), {}, text(text_bytes), static_cast<std::int64_t>(random_())};
    for (int i = 0; i < kDimension; ++i) out.vector.push_back(1.0f + static_cast<float>(below(1000)));
    return out;
  }

 private:
  std::mt19937 random_;
};

std::string id(std::uint32_t n) { return "record-" + std::to_string(n); }

void add(Script& script, int database, Step step) {
  script.steps.push_back(std::move(step));
  script.database.push_back(database);
}

Script singles(Maker make, int commits) {
  Script s{.name = "singles"};
  add(s, 0, {Step::Kind::kCreate});
  // New ids and replaced ones.
  for (int i = 0; i < commits; ++i)
    add(s, 0, {Step::Kind::kUpsert, {make.item(id(make.below(30)), 20 + make.below(200))}});
  return s;
}

Script batches(Maker make, int commits) {
  Script s{.name = "batches"};
  add(s, 0, {Step::Kind::kCreate});
  for (int i = 0; i < commits; ++i) {
    Step step{Step::Kind::kBatch};
    const auto first = 60 * make.below(5);  // overlaps with earlier batches in part
    for (std::uint32_t k = 0; k < 100; ++k)
      step.items.push_back(make.item(id(first + k), 10 + make.below(60)));
    add(s, 0, std::move(step));
  }
  return s;
}

Script changes(Maker make, int commits) {
  Script s{.name = "changes"};
  add(s, 0, {Step::Kind::kCreate});
  std::vector<std::string> live;
  for (int i = 0; i < commits; ++i) {
    Step step;
    const auto what = i < 3 ? 0 : make.below(8);
    const auto any = [&] { return live[make.below(static_cast<std::uint32_t>(live.size()))]; };
    if (what < 3 || live.empty()) {
      step = {Step::Kind::kBatch};
      for (int k = 0; k < 5; ++k)
        step.items.push_back(make.item(id(static_cast<std::uint32_t>(10 * i + k)), 20 + make.below(3000)));
    } else if (what == 3 || what == 4) {
      step = {Step::Kind::kErase, {Item{any(), {}, {}, 0}}};
    } else if (what == 5 || what == 6) {
      step = {Step::Kind::kUpdateMetadata, {make.item(any(), 0)}};
    } else {
      step = {Step::Kind::kMixed,
              {make.item(any(), 5000), make.item(id(static_cast<std::uint32_t>(10 * i)), 100)}};
      step.erased = {any()};
      std::erase_if(step.erased,
                    [&](const std::string& e) { return e == step.items[0].id || e == step.items[1].id; });
    }
    for (const Item& item : step.items) {
      if (step.kind == Step::Kind::kErase)
        std::erase(live, item.id);
      else if (std::find(live.begin(), live.end(), item.id) == live.end())
        live.push_back(item.id);
    }
    for (const std::string& e : step.erased) std::erase(live, e);
    add(s, 0, std::move(step));
  }
  return s;
}

Script growth(Maker make, int commits) {
  Script s{.name = "growth", .map_size = 256 * 1024};
  add(s, 0, {Step::Kind::kCreate});
  for (int i = 0; i < commits; ++i)
    add(s, 0, {Step::Kind::kUpsert, {make.item(id(static_cast<std::uint32_t>(i)), 60'000)}});
  return s;
}

Script creation(Maker make, int commits) {
  Script s{.name = "creation", .after_crash = true};
  constexpr int kCommitsEach = 4;
  for (int d = 0; d * kCommitsEach < commits; ++d) {
    add(s, d, {Step::Kind::kCreate});
    for (int i = 0; i < kCommitsEach; ++i)
      add(s, d, {Step::Kind::kUpsert, {make.item(id(make.below(3)), 50)}});
  }
  return s;
}

// Every eighth step is a compaction: at rest, with a commit that the last step of the switch brings over,
// with one so large that it is brought over before. At the end two come one after the other.
Script compaction(Maker make, int commits) {
  Script s{.name = "compaction"};
  int number = 0;
  const auto compact = [&] {
    Step step{Step::Kind::kCompact};
    for (int i = number % 3 == 0 ? 0 : number % 3 == 1 ? 1 : 300; i > 0; --i)
      step.items.push_back(make.item("busy-" + std::to_string(i), 30));
    ++number;
    add(s, 0, std::move(step));
  };
  for (Step& step : changes(make, commits - commits / 8).steps) {
    add(s, 0, std::move(step));
    if (s.steps.size() % 8 == 0) compact();
  }
  compact();
  compact();
  return s;
}

// Enough rows for checkpoints between the steps, and every ninth a merge; before every other of these the
// options of the index change, so that everything is built anew.
Script segments(Maker make, int commits) {
  Script s{.name = "segments", .checkpoint_rows = 60};
  int number = 0;
  add(s, 0, {Step::Kind::kCreate});
  for (int i = 0; i < commits; ++i) {
    if (i % 18 == 7) {
      static const char* const kOptions[] = {
          R"({"profile":"small"})", R"({"profile":"fast","m":8})", R"({"profile":"balanced","codes":"int8"})",
          R"({"profile":"balanced"})", R"({"profile":"balanced","codes":"f32"})"};
      add(s, 0, {Step::Kind::kAlter, {Item{kOptions[i / 18 % 5], {}, {}, 0}}});
      continue;
    }
    if (i % 9 == 8) {
      add(s, 0, {Step::Kind::kOptimize});
      continue;
    }
    Step step{Step::Kind::kBatch};
    for (int j = 0; j < 25; ++j)
      step.items.push_back(make.item(id(static_cast<std::uint32_t>(number++ % 400)), 30));
    add(s, 0, std::move(step));
  }
  return s;
}

void apply(const Step& step, Content& content) {
  switch (step.kind) {
    case Step::Kind::kCreate:
    case Step::Kind::kOptimize:
      break;
    case Step::Kind::kAlter:
      content["/index"] = step.items.front().id;
      if (content["/index"] == R"({"profile":"balanced"})") content.erase("/index");
      break;
    case Step::Kind::kErase:
      content.erase(step.items.front().id);
      break;
    case Step::Kind::kUpdateMetadata: {
      // Everything before the metadata stays.
      std::string& old = content.at(step.items.front().id);
      const std::string fresh = describe(step.items.front());
      old = old.substr(0, old.rfind('{')) + fresh.substr(fresh.rfind('{'));
      break;
    }
    case Step::Kind::kUpsert:
    case Step::Kind::kBatch:
    case Step::Kind::kMixed:
    case Step::Kind::kCompact:
      for (const Item& item : step.items) content[item.id] = describe(item);
      for (const std::string& e : step.erased) content.erase(e);
  }
}

}  // namespace

int Script::commits() const {
  return static_cast<int>(
      std::count_if(steps.begin(), steps.end(), [](const Step& s) { return s.kind != Step::Kind::kCreate; }));
}

std::string describe(const Item& item) {
  std::string out;
  for (float x : item.vector) out += std::to_string(static_cast<int>(x)) + " ";
  return out + "|" + item.text + "|{" + std::to_string(item.number) + "}";
}

Model::Model(const Script& script)
    : states_(static_cast<std::size_t>(script.databases())), first_(states_.size()) {
  for (std::size_t i = 0; i < script.steps.size(); ++i) {
    auto& states = states_[static_cast<std::size_t>(script.database[i])];
    if (states.empty()) {
      first_[static_cast<std::size_t>(script.database[i])] = i;
      states.emplace_back();
    }
    states.push_back(states.back());
    apply(script.steps[i], states.back());
  }
}

const Content& Model::after(std::size_t steps, int database) const {
  const auto d = static_cast<std::size_t>(database);
  const std::size_t own = steps > first_[d] ? steps - first_[d] : 0;
  return states_[d][std::min(own, states_[d].size() - 1)];
}

Script scenario(const std::string& name, unsigned seed, int commits) {
  const Maker make(seed);
  if (name == "singles") return singles(make, commits);
  if (name == "batches") return batches(make, commits);
  if (name == "changes") return changes(make, commits);
  if (name == "growth") return growth(make, commits);
  if (name == "compaction") return compaction(make, commits);
  if (name == "segments") return segments(make, commits);
  if (name == "creation") return creation(make, commits);
  throw std::invalid_argument(name);
}

std::vector<Script> scenarios(unsigned seed, int commits) {
  std::vector<Script> out;
  for (const char* name : kScenarios) out.push_back(scenario(name, seed, commits));
  return out;
}

}  // namespace vecstore::durability
