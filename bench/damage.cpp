// Damage of segments with texts and sparse vectors: bench_damage copies a store, damages the parts of its
// segment files in random ways, opens it and asks. Whatever is wrong with a file, hits and scores are those
// of the sound store, bit by bit, and in the end the store is sound again. Prints one JSON line; exit code 1
// when something was wrong.
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "io/index_file.hpp"
#include "segment/segment_format.hpp"
#include "vecstore/vecstore.hpp"

using namespace vecstore;

namespace {

namespace fs = std::filesystem;

constexpr const char* kHelp =
    "bench_damage [--runs R (1000)] [--rows N (6000)] [--queries Q (40)] [--seed S (1)] [--dir D]\n"
    "  D: an empty folder, removed at the end (default: below /dev/shm or the temporary folder)\n";

std::map<std::string, std::string> given(int argc, char** argv) {
  std::map<std::string, std::string> out;
  for (int i = 1; i < argc; i += 2) {
    if (i + 1 == argc || std::strncmp(argv[i], "--", 2) != 0) throw std::runtime_error(kHelp);
    out[argv[i] + 2] = argv[i + 1];
  }
  return out;
}

using Random = std::mt19937_64;

// A few words are in most texts, most are in few.
std::string word(Random& random) {
  const double r = std::uniform_real_distribution<double>(0, 1)(random);
  return "w" + std::to_string(static_cast<int>(3'000 * r * r * r));
}

Sparse sparse(Random& random, std::size_t most) {
  std::map<std::uint32_t, float> values;
  for (std::size_t n = 1 + random() % most; n > 0; --n) {
    const double r = std::uniform_real_distribution<double>(0, 1)(random);
    values[static_cast<std::uint32_t>(2'000 * r * r)] =
        std::uniform_real_distribution<float>(0.1f, 3)(random);
  }
  // Some stand apart from the inverted index.
  if (random() % 20 == 0) values.begin()->second = -1;
  Sparse out;
  for (const auto& [i, v] : values) out.indices.push_back(i), out.values.push_back(v);
  return out;
}

void fill(Collection& c, std::size_t rows, Random& random) {
  for (std::size_t first = 0; first < rows; first += 500) {
    std::vector<Record> batch;
    for (std::size_t i = first; i < std::min(rows, first + 500); ++i) {
      Record r{.id = "r" + std::to_string(i)};
      for (std::size_t n = 5 + random() % 60; n > 0; --n) r.text += word(random) + " ";
      const Sparse s = sparse(random, 30);
      r.vector = Vector::sparse(s.indices, s.values);
      batch.push_back(std::move(r));
    }
    c.batch_upsert(batch);
  }
}

/// A question of a random kind, always the same one for a seed.
struct Question {
  std::string text;  // empty: by sparse vector
  Sparse sparse;
};

std::vector<Question> questions(std::size_t count, Random& random) {
  std::vector<Question> out(count);
  for (std::size_t i = 0; i < count; ++i) {
    std::string& text = out[i].text;
    const auto next = [&] { return word(random); };
    switch (i % 6) {
      case 0:
        text = next() + " " + next() + " " + next();
        break;
      case 1:
        text = "\"" + next() + " " + next() + "\"~3";
        break;
      case 2:
        text = next().substr(0, 3) + "*";
        break;
      case 3:
        text = next() + "~1 +" + next();
        break;
      case 4:
        text = "+" + next() + " +" + next() + " -" + next();
        break;
      default:
        out[i].sparse = sparse(random, 12);
    }
  }
  return out;
}

using Answer = std::vector<std::pair<std::string, float>>;

Answer ask(const Collection& c, const Question& q, std::uint64_t& degraded) {
  const Hits hits = q.text.empty()
                        ? c.query(Query(Vector::sparse(q.sparse.indices, q.sparse.values)).k(20))
                        : c.query_text(q.text, {.k = 20, .mode = Mode::kText, .syntax = TextSyntax::kQuery});
  degraded += hits.degraded;
  Answer out;
  for (const Hit& h : hits) out.emplace_back(h.id, h.score);
  return out;
}

std::vector<fs::path> files(const std::string& store) {
  std::vector<fs::path> out;
  for (const auto& e : fs::directory_iterator(store + "/seg")) {
    if (e.path().extension() == ".vsx") out.push_back(e.path());
  }
  std::sort(out.begin(), out.end());
  return out;
}

/// Where the sections of texts and sparse vectors lie in the file, read from the sound one.
std::vector<std::pair<std::size_t, std::size_t>> places(const fs::path& path) {
  const auto file = io::IndexFile::open(path.string());
  std::vector<std::pair<std::size_t, std::size_t>> out;
  const std::byte* begin = file->unchecked(segment::kMetaSection).data();
  std::ifstream in(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(in)), {});
  const std::string_view meta(reinterpret_cast<const char*>(begin),
                              file->unchecked(segment::kMetaSection).size());
  const std::size_t at = bytes.find(meta);
  for (const std::uint32_t id : file->section_ids()) {
    const auto section = file->unchecked(id);
    if (id >= segment::kTermSections && !section.empty())
      out.emplace_back(static_cast<std::size_t>(static_cast<std::ptrdiff_t>(at) + (section.data() - begin)),
                       section.size());
  }
  return out;
}

constexpr const char* kKinds[] = {"flips", "cut", "zeroed", "swapped", "noise"};

std::size_t damage(const fs::path& path, Random& random) {
  const auto sections = places(path);
  const auto [at, size] = sections[random() % sections.size()];
  const std::size_t kind = random() % std::size(kKinds);
  if (kind == 1) {
    fs::resize_file(path, at + random() % size);
    return kind;
  }
  std::string bytes;
  {
    std::ifstream in(path, std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(in), {});
  }
  constexpr std::size_t kLargest = 4'096;
  const std::size_t length = 1 + random() % std::min(size, kLargest);
  const std::size_t first = at + random() % (size - length + 1);
  switch (kind) {
    case 0:
      for (std::size_t n = 1 + random() % 4; n > 0; --n)
        bytes[at + random() % size] ^= static_cast<char>(1 << random() % 8);
      break;
    case 2:
      std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(first), length, '\0');
      break;
    case 3: {
      // With bytes of another section.
      const auto [other_at, other_size] = sections[random() % sections.size()];
      const std::size_t n = std::min(length, other_size);
      const std::size_t other = other_at + random() % (other_size - n + 1);
      std::string copy = bytes.substr(first, n);
      bytes.replace(first, n, bytes.substr(other, n));
      bytes.replace(other, n, copy);
      break;
    }
    default:
      for (std::size_t i = first; i < first + length; ++i) bytes[i] = static_cast<char>(random());
  }
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  return kind;
}

int run(const std::map<std::string, std::string>& options) {
  const auto number = [&](const char* name, std::size_t otherwise) {
    const auto at = options.find(name);
    return at == options.end() ? otherwise : std::stoull(at->second);
  };
  const std::size_t runs = number("runs", 1'000), rows = number("rows", 6'000), seed = number("seed", 1);
  std::string dir;
  if (const auto at = options.find("dir"); at != options.end()) {
    dir = at->second;
    fs::create_directories(dir);
  } else {
    dir = (fs::is_directory("/dev/shm") ? std::string("/dev/shm") : fs::temp_directory_path().string()) +
          "/vecstore-damage-XXXXXX";
    if (!mkdtemp(dir.data())) throw std::runtime_error("no folder for the stores");
  }
  const std::string good = dir + "/good", used = dir + "/used";
  const OpenOptions open{
      .threads = 1, .background_threads = 1, .checkpoint_rows = std::max<std::size_t>(100, rows / 5)};
  Random random(seed);
  const auto asked = questions(number("queries", 40), random);
  std::vector<Answer> expected;
  std::uint64_t degraded = 0;
  {
    auto db = VecDatabase::open(good, open);
    db.pause_background();
    auto c = db.create_collection("c", {.text_fields = {TextField{.analyzer = "neutral"}}});
    fill(c, rows, random);
    for (const Question& q : asked) expected.push_back(ask(c, q, degraded));
  }
  const std::size_t segments = files(good).size();
  std::size_t wrong = 0, failed = 0, met = 0, harmless = 0, unseen = 0, sound = 0;
  std::map<std::string, std::size_t> kinds;
  for (std::size_t r = 0; r < runs; ++r) {
    fs::remove_all(used);
    fs::copy(good, used, fs::copy_options::recursive);
    const auto all = files(used);
    for (std::size_t n = random() % 4 == 0 ? 2 : 1; n > 0; --n) {
      // The same file twice may be cut twice.
      const fs::path& victim = all[(r + n * 3) % all.size()];
      ++kinds[kKinds[damage(victim, random)]];
    }
    try {
      auto db = VecDatabase::open(used, open);
      db.pause_background();
      auto c = db.get_collection("c");
      for (std::size_t i = 0; i < asked.size(); ++i) wrong += ask(c, asked[i], degraded) != expected[i];
      const bool was_met = c.stats().segment_damages > 0;
      met += was_met;
      // What nobody asked for is met when segments are merged, else it lies between sections.
      const bool seen = !db.verify().ok();
      c.optimize();
      if (!was_met) ++(c.stats().segment_damages > 0 || !seen ? harmless : unseen);
      for (std::size_t i = 0; i < asked.size(); ++i) wrong += ask(c, asked[i], degraded) != expected[i];
      sound += db.verify().ok();
    } catch (const std::exception& e) {
      std::fprintf(stderr, "run %zu: %s\n", r, e.what());
      ++failed;
    }
  }
  fs::remove_all(dir);
  std::printf(
      "{\"figure\": \"damage of terms\", \"seed\": %zu, \"runs\": %zu, \"segments\": %zu, \"rows\": %zu, "
      "\"wrong_answers\": %zu, \"failed\": %zu, \"degraded\": %llu, \"met_by_queries\": %zu, "
      "\"met_by_merges_or_nowhere\": %zu, \"stayed\": %zu, \"sound_in_the_end\": %zu",
      seed, runs, segments, rows, wrong, failed, static_cast<unsigned long long>(degraded), met, harmless,
      unseen, sound);
  for (const auto& [kind, count] : kinds) std::printf(", \"%s\": %zu", kind.c_str(), count);
  std::printf("}\n");
  return wrong == 0 && failed == 0 && degraded == 0 && unseen == 0 && sound == runs ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(given(argc, argv));
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 2;
  }
}
