// Random values: records, vectors, texts, metadata, filters with their meaning.
#include <array>
#include <cmath>
#include <limits>
#include <set>

#include "base/error.hpp"
#include "model/spec.hpp"

namespace vecstore::model {
namespace {

constexpr std::array<const char*, 24> kWords = {
    "fox",  "foxes", "running", "runs", "river", "Rivers", "the",   "of", "stone", "stones", "light", "Licht",
    "über", "café",  "naïve",   "data", "index", "search", "query", "42", "e0502", "x",      "東京",  "mat"};

double number(const Metadata& m) { return m.as_double(); }

Condition leaf(Rng& rng) {
  const auto meta = [](const Doc& d) -> const Metadata& { return d.record.metadata; };
  switch (rng.below(18)) {
    case 0:
      return {"n = 3", [=](const Doc& d) { return meta(d)["n"].is_number() && number(meta(d)["n"]) == 3; }};
    case 1:
      return {"n >= 4", [=](const Doc& d) { return meta(d)["n"].is_number() && number(meta(d)["n"]) >= 4; }};
    case 2:
      return {"n BETWEEN 2 AND 6", [=](const Doc& d) {
                const Metadata& n = meta(d)["n"];
                return n.is_number() && number(n) >= 2 && number(n) <= 6;
              }};
    case 3:
      return {"n IN (1, 3, 5)", [=](const Doc& d) {
                const Metadata& n = meta(d)["n"];
                return n.is_number() && (number(n) == 1 || number(n) == 3 || number(n) == 5);
              }};
    case 4:
      return {"n NOT IN (1, 3)", [=](const Doc& d) {
                const Metadata& n = meta(d)["n"];
                return n.is_number() && number(n) != 1 && number(n) != 3;
              }};
    case 5:
      return {"tag = 'b'", [=](const Doc& d) { return meta(d)["tag"] == Metadata("b"); }};
    case 6:
      return {"tag != 'b'",
              [=](const Doc& d) { return meta(d)["tag"].is_string() && meta(d)["tag"].as_string() != "b"; }};
    case 7:
    case 8:
      return {rng.chance(50) ? "tags CONTAINS 'x'" : "tags = 'x'", [=](const Doc& d) {
                const Metadata& tags = meta(d)["tags"];
                if (!tags.is_array()) return false;
                for (const Metadata& t : tags.as_array()) {
                  if (t == Metadata("x")) return true;
                }
                return false;
              }};
    case 9:
      return {"flag = true", [=](const Doc& d) { return meta(d)["flag"] == Metadata(true); }};
    case 10:
      return {"x.y < 0.5", [=](const Doc& d) {
                return meta(d).get("x.y").is_number() && number(meta(d).get("x.y")) < 0.5;
              }};
    case 11:
      return {"n IS NULL", [=](const Doc& d) { return meta(d)["n"].is_null(); }};
    case 12:
      return {"EXISTS(n)", [=](const Doc& d) { return meta(d).contains("n"); }};
    case 13:
      return {"big > 9007199254740992", [=](const Doc& d) {
                return meta(d)["big"].is_int() && meta(d)["big"].as_int() > 9007199254740992;
              }};
    case 14:
      return {"_source = 's1'", [](const Doc& d) { return d.record.source == "s1"; }};
    case 15:
      return {"tag LIKE 'd%'", [=](const Doc& d) {
                return meta(d)["tag"].is_string() && meta(d)["tag"].as_string().starts_with("d");
              }};
    case 16:
      return {"_text CONTAINS 'fox'",
              [](const Doc& d) { return d.record.text.find("fox") != std::string::npos; }};
    default:
      return {"unheard_of = 1", [](const Doc&) { return false; }};
  }
}

Condition tree(Rng& rng, int depth) {
  const std::uint64_t form = depth == 0 ? 0 : rng.below(6);
  if (form < 3) return leaf(rng);
  const Condition a = tree(rng, depth - 1);
  if (form == 3) return {"NOT (" + a.text + ")", [a](const Doc& d) { return !a.holds(d); }};
  const Condition b = tree(rng, depth - 1);
  if (form == 4)
    return {"(" + a.text + ") AND (" + b.text + ")",
            [a, b](const Doc& d) { return a.holds(d) && b.holds(d); }};
  return {"(" + a.text + ") OR (" + b.text + ")", [a, b](const Doc& d) { return a.holds(d) || b.holds(d); }};
}

}  // namespace

Condition random_condition(Rng& rng, const Setting& setting) {
  Condition c;
  if (rng.chance(45)) c = tree(rng, 2);
  if (setting.prefix.empty()) return c;
  const std::string own = "_id STARTSWITH '" + setting.prefix + "'";
  const auto mine = [prefix = setting.prefix](const Doc& d) { return d.record.id.starts_with(prefix); };
  if (c.text.empty()) return {own, mine};
  return {own + " AND (" + c.text + ")", [mine, c](const Doc& d) { return mine(d) && c.holds(d); }};
}

std::string random_text(Rng& rng, std::size_t most) {
  std::string out;
  for (std::size_t n = rng.below(most + 1); n > 0; --n) {
    if (!out.empty()) out += rng.chance(80) ? " " : ", ";
    // Rank-weighted, so that some words are common and some rare.
    out += kWords[rng.below(rng.below(kWords.size()) + 1)];
  }
  return out;
}

Metadata random_metadata(Rng& rng) {
  Metadata m;
  switch (rng.below(6)) {
    case 0:
      break;
    case 1:
      m["n"] = nullptr;
      break;
    case 2:
      m["n"] = static_cast<double>(rng.below(20)) / 2;
      break;
    default:
      m["n"] = rng.below(10);
  }
  if (rng.chance(70)) m["tag"] = rng.pick<const char*>({"a", "b", "c", "dé"});
  if (rng.chance(50)) {
    Metadata tags = Metadata::array();
    for (const char* t : {"x", "y", "zz"}) {
      if (rng.chance(40)) tags.push_back(t);
    }
    m["tags"] = tags;
  }
  if (rng.chance(30)) m["flag"] = rng.chance(50);
  if (rng.chance(30)) m["x"] = Metadata{{"y", rng.real()}};
  if (rng.chance(20))
    m["big"] = std::numeric_limits<std::int64_t>::max() - static_cast<std::int64_t>(rng.below(3));
  if (rng.chance(10)) m["big"] = 9007199254740992 + static_cast<std::int64_t>(rng.below(2));
  if (rng.chance(40)) m["title"] = random_text(rng, 3);
  if (rng.chance(10)) m["title"] = Metadata::array({"fox", random_text(rng, 2), 7});
  if (rng.chance(5)) m["k" + std::to_string(rng.below(30))] = 1;
  return m;
}

std::vector<float> random_vector(Rng& rng, Metric metric, std::size_t dimension) {
  std::vector<float> v(dimension);
  const std::uint64_t form = rng.below(100);
  for (float& x : v) {
    if (form < 50) {
      x = static_cast<float>(static_cast<int>(rng.below(5)) -
                             2);  // few values: equal vectors and equal scores are common
    } else {
      x = static_cast<float>(rng.real() * 2 - 1);
      if (form >= 92) x *= form < 95 ? 1e3f : form < 98 ? 1e-3f : form == 98 ? 1e-18f : 1e15f;
    }
  }
  if (form < 3) v[rng.below(dimension)] = -0.0f;
  bool zero = true;
  for (float x : v) zero = zero && x == 0;
  if (zero && metric == Metric::kCosine) v[rng.below(dimension)] = 1;
  return v;
}

Sparse random_sparse(Rng& rng) {
  Sparse out;
  std::set<std::uint32_t> used;
  const bool wild = rng.chance(15);
  for (std::size_t n = rng.below(8); n > 0; --n) {
    const auto index =
        static_cast<std::uint32_t>(rng.chance(5) ? 0xffffffffu : rng.below(rng.chance(50) ? 6 : 60));
    if (!used.insert(index).second) continue;
    out.indices.push_back(index);
    out.values.push_back(static_cast<float>(1 + rng.below(12)) / 4);
    if (wild && rng.chance(50)) out.values.back() = rng.pick({-0.5f, -0.0f, 0.0f, -2.0f, 1e-20f, 1e16f});
  }
  return out;
}

Record random_record(Rng& rng, std::uint8_t slot, const Setting& setting) {
  Record r;
  const std::uint64_t n = rng.below(setting.ids);
  r.id = setting.prefix + "k" + std::to_string(n);
  if (n % 40 == 7) r.id += "/ü-" + std::string(n % 80 == 7 ? 470 : 30, 'i') + std::to_string(n % 3);
  if (n % 50 == 9) r.id = setting.prefix + "s1#" + std::to_string(n / 50);
  const CollectionOptions options = collection_options(slot, setting, true);
  if (rng.chance(88)) r.vector = Vector(random_vector(rng, options.metric, options.dimension));
  if (rng.chance(40)) {
    Sparse sparse = random_sparse(rng);
    r.vector = Vector::hybrid(r.vector.dense(), std::move(sparse.indices), std::move(sparse.values));
  }
  for (const auto& [name, field] : options.vectors) {
    if (rng.chance(50)) r.vectors[name] = Vector(random_vector(rng, field.metric, field.dimension));
    if (rng.chance(15)) {
      Sparse sparse = random_sparse(rng);
      r.vectors[name] =
          Vector::hybrid(r.vectors[name].dense(), std::move(sparse.indices), std::move(sparse.values));
    }
  }
  if (rng.chance(80)) r.text = random_text(rng, rng.chance(3) ? 400 : 12);
  r.metadata = random_metadata(rng);
  if (rng.chance(10)) {
    r.source = rng.pick<const char*>({"s1", "s2"});
    r.start = rng.below(100);
    r.end = r.start + rng.below(100);
    r.part = static_cast<std::uint32_t>(rng.below(9));
  }
  if (rng.chance(4)) r.ttl = std::chrono::hours(1 + rng.below(1000));
  return r;
}

void TinyEmbedder::embed_batch(std::span<const std::string_view> texts, std::span<float> out) const {
  for (std::size_t i = 0; i < texts.size(); ++i) {
    float* v = out.data() + i * dimension();
    std::fill(v, v + dimension(), 0.25f);
    for (char c : texts[i]) v[static_cast<unsigned char>(c) % dimension()] += 1.0f;
  }
}

}  // namespace vecstore::model
