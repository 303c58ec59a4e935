#include "model/model.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "text/analyzer.hpp"

namespace vecstore::model {
namespace {

std::vector<std::string> terms_of(const std::string& analyzer, const std::string& text) {
  return text::Analyzer(analyzer).terms(text);
}

std::vector<std::string> texts_of(const Record& r, const std::string& path) {
  std::vector<std::string> out;
  if (path == "text") {
    if (!r.text.empty()) out.push_back(r.text);
    return out;
  }
  const Metadata& value = r.metadata.get(path);
  if (value.is_string()) out.push_back(value.as_string());
  if (value.is_array()) {
    for (const Metadata& m : value.as_array()) {
      if (m.is_string()) out.push_back(m.as_string());
    }
  }
  return out;
}

double norm(const std::vector<float>& v) {
  double sum = 0;
  for (float x : v) sum += static_cast<double>(x) * x;
  return std::sqrt(sum);
}

std::uint64_t hash_floats(const std::vector<float>& v) {
  return hash64({reinterpret_cast<const char*>(v.data()), v.size() * sizeof(float)}) | 1;
}

}  // namespace

Vector canonical(const Vector& vector) {
  std::vector<float> dense = vector.dense();
  for (float& x : dense) x += 0.0f;
  if (!vector.sparse()) return Vector(std::move(dense));
  const Sparse& s = *vector.sparse();
  std::map<std::uint32_t, float> sorted;
  for (std::size_t i = 0; i < s.indices.size(); ++i) sorted[s.indices[i]] = s.values[i] + 0.0f;
  std::vector<std::uint32_t> indices;
  std::vector<float> values;
  for (const auto& [index, value] : sorted) indices.push_back(index), values.push_back(value);
  return Vector::hybrid(std::move(dense), std::move(indices), std::move(values));
}

void CollectionModel::index(Doc& doc) const {
  doc.terms.clear();
  doc.field_terms.assign(text_fields.size(), {});
  doc.length = 0;
  doc.has_text = false;
  for (std::size_t f = 0; f < text_fields.size(); ++f) {
    const TextField& field = text_fields[f];
    for (const std::string& text : texts_of(doc.record, field.path)) {
      doc.has_text = true;
      for (const std::string& term : terms_of(field.analyzer, text)) {
        doc.terms[term] += field.weight;
        doc.field_terms[f][term] += field.weight;
        doc.length += field.weight;
      }
    }
  }
}

void CollectionModel::put(Record record, SequenceNumber at) {
  record.vector = canonical(record.vector);
  for (auto it = record.vectors.begin(); it != record.vectors.end();) {
    it->second = canonical(it->second);
    it = it->second.empty() ? record.vectors.erase(it) : std::next(it);
  }
  record.sequence = at;
  if (record.ttl) record.expires_at = std::chrono::system_clock::now() + *record.ttl;
  record.ttl.reset();
  const auto learn = [this](const std::string& name, const Vector& v) {
    if (!v.dense().empty()) fields[name].dimension = v.dense().size();
  };
  learn("", record.vector);
  for (const auto& [name, v] : record.vectors) learn(name, v);
  Doc doc{std::move(record), {}, {}, 0, false};
  index(doc);
  changes.push_back({at, Change::Operation::kUpsert, doc.record.id, 0});
  sequence = at;
  std::string id = doc.record.id;
  docs.insert_or_assign(std::move(id), std::move(doc));
}

void CollectionModel::erase(const std::string& id, SequenceNumber at) {
  if (docs.erase(id) == 0) return;
  changes.push_back({at, Change::Operation::kErase, id, 0});
  sequence = at;
}

void CollectionModel::update(const std::string& id, Metadata metadata, SequenceNumber at) {
  Doc& doc = docs.at(id);
  doc.record.metadata = std::move(metadata);
  doc.record.sequence = at;
  index(doc);
  const bool rewritten =
      std::any_of(text_fields.begin(), text_fields.end(), [](const auto& f) { return f.path != "text"; });
  changes.push_back({at, rewritten ? Change::Operation::kUpsert : Change::Operation::kUpdateMetadata, id, 0});
  sequence = at;
}

std::vector<Candidate> score_vectors(const CollectionModel& c, const std::string& name,
                                     const std::vector<float>& query, const Condition& filter) {
  std::vector<Candidate> out;
  const Metric metric = c.fields.at(name).metric;
  const double query_norm = norm(query);
  // Products below float's normal range are flushed to zero.
  const double subnormal = 2.4e-38 * static_cast<double>(query.size());
  for (const auto& [id, doc] : c.docs) {
    const Vector* v = &doc.record.vector;
    if (!name.empty()) {
      const auto found = doc.record.vectors.find(name);
      if (found == doc.record.vectors.end()) continue;
      v = &found->second;
    }
    if (v->dense().empty() || !filter.holds(doc)) continue;
    const double doc_norm = norm(v->dense());
    double dot = 0;
    double square = 0;
    for (std::size_t i = 0; i < query.size(); ++i) {
      const double a = query[i];
      const double b = v->dense()[i];
      dot += a * b;
      square += (a - b) * (a - b);
    }
    Candidate candidate{id, 0, 0, hash_floats(v->dense())};
    switch (metric) {
      case Metric::kCosine:
        candidate.score = dot / (query_norm * doc_norm);
        candidate.tolerance = 3e-6;
        break;
      case Metric::kDot:
        candidate.score = dot;
        candidate.tolerance = 2e-6 * query_norm * doc_norm + subnormal;
        break;
      case Metric::kEuclidean:
        candidate.score = -std::sqrt(square);
        candidate.tolerance = 2e-6 * std::max(query_norm, doc_norm) + std::sqrt(square + subnormal) -
                              std::sqrt(std::max(0.0, square - subnormal));
        break;
    }
    out.push_back(std::move(candidate));
  }
  return out;
}

std::vector<Candidate> score_sparse(const CollectionModel& c, const std::string& name, const Sparse& query,
                                    const Condition& filter) {
  std::vector<Candidate> out;
  for (const auto& [id, doc] : c.docs) {
    const auto found = doc.record.vectors.find(name);
    if (!name.empty() && found == doc.record.vectors.end()) continue;
    const Vector& v = name.empty() ? doc.record.vector : found->second;
    if (!v.sparse() || !filter.holds(doc)) continue;
    const Sparse& s = *v.sparse();
    Candidate candidate{id, 0, 0, 0};
    bool common = false;
    for (std::size_t i = 0; i < query.indices.size(); ++i) {
      const auto at = std::lower_bound(s.indices.begin(), s.indices.end(), query.indices[i]);
      if (at == s.indices.end() || *at != query.indices[i]) continue;
      common = true;
      const double product = static_cast<double>(query.values[i]) *
                             static_cast<double>(s.values[static_cast<std::size_t>(at - s.indices.begin())]);
      candidate.score += product;
      candidate.tolerance += 1e-6 * std::abs(product) + 2e-38;
    }
    if (common) out.push_back(std::move(candidate));
  }
  return out;
}

namespace {

// What the terms' node of a plan says.
struct Statistics {
  double documents = 0;
  double length = 0;
  std::map<std::string, double> df;
};

Statistics read_statistics(const PlanNode& node) {
  Statistics out;
  for (const auto& [name, value] : node.properties) {
    if (name == "documents") out.documents = std::stod(value);
    if (name == "length of all") out.length = std::stod(value);
    if (name != "words") continue;
    std::istringstream words(value);
    for (std::string word; words >> word;) {
      const std::size_t colon = word.rfind(':');
      out.df[word.substr(0, colon)] = std::stod(word.substr(colon + 1));
    }
  }
  for (const PlanNode& child : node.children) {
    if (out.documents == 0) out = read_statistics(child);
  }
  return out;
}

}  // namespace

std::vector<Candidate> score_text(const CollectionModel& c, const std::string& query, const Condition& filter,
                                  const std::optional<PlanNode>& plan) {
  constexpr double kK1 = 1.2;
  constexpr double kB = 0.75;
  // A word counts as often as it is written. A further analyzer adds its fields to the forms that it shares
  // with those before it, and its own forms, which are searched for in its fields.
  constexpr std::size_t kAll = 1000;
  std::map<std::string, double> times;
  std::map<std::string, std::vector<std::size_t>> fields_of;
  std::set<std::string> analyzers;
  for (const TextField& first : c.text_fields) {
    if (!analyzers.insert(first.analyzer).second) continue;
    const std::map<std::string, double> before = times;
    std::set<std::string> forms;
    for (const std::string& term : terms_of(first.analyzer, query)) {
      forms.insert(term);
      if (!before.contains(term)) times[term] += 1;
    }
    for (const std::string& term : forms) {
      for (std::size_t f = 0; f < c.text_fields.size(); ++f) {
        if (c.text_fields[f].analyzer == first.analyzer) fields_of[term].push_back(f);
      }
    }
  }
  std::map<std::pair<std::string, std::size_t>, double> leaves;  // term and field -> how often
  for (const auto& [term, fields] : fields_of) {
    if (fields.size() == c.text_fields.size()) {
      leaves[{term, kAll}] = times[term];
    } else {
      for (std::size_t f : fields) leaves[{term, f}] = times[term];
    }
  }
  double documents = 0;
  double total = 0;
  std::map<std::string, double> df;
  for (const auto& [id, doc] : c.docs) {
    documents += doc.has_text;
    total += doc.length;
    for (const auto& [term, tf] : doc.terms) df[term] += 1;
  }
  if (plan && plan->to_string().find("documents=") != std::string::npos) {
    // Retired documents count until their segment is made anew.
    const Statistics used = read_statistics(*plan);
    if (used.documents < documents) throw Mismatch{concat("statistics of ", used.documents, " documents")};
    for (const auto& [term, count] : used.df) {
      const bool as_many = count == df[term];
      if (count < df[term] || (used.documents == documents && !as_many))
        throw Mismatch{concat("'", term, "' is in ", df[term], " documents, not ", count)};
      df[term] = count;
    }
    if (used.documents == documents && std::abs(used.length - total) > 1e-6 * (1 + total))
      throw Mismatch{concat("all documents have a length of ", total, ", not ", used.length)};
    documents = used.documents;
    total = used.length;
  }
  std::vector<Candidate> out;
  for (const auto& [id, doc] : c.docs) {
    double score = 0;
    bool any = false;
    std::uint64_t tie = mix64(static_cast<std::uint64_t>(std::llround(doc.length * 1024)));
    for (const auto& [leaf, count] : leaves) {
      const auto& [word, field] = leaf;
      const auto& terms = field == kAll ? doc.terms : doc.field_terms[field];
      const auto found = terms.find(word);
      const double tf = found == terms.end() ? 0 : found->second;
      tie = mix64(tie ^ static_cast<std::uint64_t>(std::llround(tf * 1024)));
      if (tf == 0) continue;
      any = true;
      const double idf = std::log(1 + (documents - df[word] + 0.5) / (df[word] + 0.5));
      score += count * idf * tf / (tf + kK1 * (1 - kB + kB * doc.length / (total / documents)));
    }
    if (any && filter.holds(doc)) out.push_back({id, score, 2e-6 * score + 1e-9, tie | 1});
  }
  return out;
}

std::vector<Candidate> fuse(const Fusion& fusion, const Hits& vectors, const Hits& texts) {
  struct Parts {
    std::size_t rank[2] = {0, 0};
    double score[2] = {0, 0};
  };
  std::map<std::string, Parts> found;
  double least[2];
  double largest[2];
  for (int l = 0; l < 2; ++l) {
    const Hits& list = l == 0 ? vectors : texts;
    least[l] = std::numeric_limits<double>::infinity();
    largest[l] = -least[l];
    for (std::size_t i = 0; i < list.size(); ++i) {
      Parts& p = found[list[i].id];
      p.rank[l] = i + 1;
      p.score[l] = static_cast<double>(list[i].score);
      least[l] = std::min(least[l], p.score[l]);
      largest[l] = std::max(largest[l], p.score[l]);
    }
  }
  std::vector<Candidate> out;
  for (const auto& [id, p] : found) {
    Candidate c{id, 0, 3e-7, 0};
    for (int l = 0; l < 2; ++l) {
      if (p.rank[l] == 0) continue;
      if (fusion.kind() == Fusion::Kind::kReciprocalRank) {
        c.score += 1.0 / (static_cast<double>(fusion.rank_constant()) + static_cast<double>(p.rank[l]));
      } else {
        const double alpha = static_cast<double>(*fusion.alpha());
        const double weight = l == 0 ? alpha : 1.0 - alpha;
        c.score += weight * (largest[l] > least[l] ? (p.score[l] - least[l]) / (largest[l] - least[l]) : 1.0);
      }
    }
    if (fusion.kind() == Fusion::Kind::kReciprocalRank) {
      // Fused scores of deep ranks lie closer together than the tolerance of sums, but they are exact: same
      // ranks, same score.
      c.tolerance = 1e-9;
      c.tie = mix64(std::min(p.rank[0], p.rank[1]) * 1'000'003 + std::max(p.rank[0], p.rank[1])) | 1;
    }
    out.push_back(std::move(c));
  }
  return out;
}

void check_hits(const std::vector<Candidate>& candidates, const Hits& hits, std::size_t k, std::size_t offset,
                std::optional<float> threshold) {
  std::size_t certain = 0;
  std::size_t possible = 0;
  std::map<std::string_view, const Candidate*> by_id;
  for (const Candidate& c : candidates) {
    by_id[c.id] = &c;
    certain += !threshold || c.score - c.tolerance >= static_cast<double>(*threshold);
    possible += !threshold || c.score + c.tolerance >= static_cast<double>(*threshold);
  }
  const auto page = [&](std::size_t n) { return std::min(k, n - std::min(n, offset)); };
  if (hits.size() < page(certain) || hits.size() > page(possible)) {
    throw Mismatch{concat(hits.size(), " hits, expected ", page(certain), " to ", page(possible), " (k ", k,
                          ", offset ", offset, ", candidates ", candidates.size(), ")")};
  }
  std::set<std::string_view> seen;
  for (std::size_t i = 0; i < hits.size(); ++i) {
    const Hit& hit = hits[i];
    const auto found = by_id.find(hit.id);
    if (found == by_id.end()) throw Mismatch{concat("hit ", i, " '", hit.id, "' must not be found")};
    if (!seen.insert(found->first).second) throw Mismatch{concat("hit '", hit.id, "' comes twice")};
    const Candidate& c = *found->second;
    const double half_ulp = std::abs(c.score) * 0x1p-23;
    if (!(std::abs(static_cast<double>(hit.score) - c.score) <= c.tolerance + half_ulp)) {
      std::ostringstream text;  // small numbers as well
      text << "hit " << i << " '" << hit.id << "': score " << hit.score << ", expected " << c.score
           << " within " << c.tolerance;
      throw Mismatch{text.str()};
    }
    if (threshold && hit.score < *threshold)
      throw Mismatch{concat("hit '", hit.id, "' scores ", hit.score, " below the threshold ", *threshold)};
    if (i > 0 &&
        (hits[i - 1].score < hit.score || (hits[i - 1].score == hit.score && hits[i - 1].id >= hit.id))) {
      throw Mismatch{concat("hits ", i - 1, " and ", i, " are in the wrong order: '", hits[i - 1].id, "' ",
                            hits[i - 1].score, ", '", hit.id, "' ", hit.score)};
    }
    std::size_t before = 0;
    std::size_t maybe_before = 0;
    for (const Candidate& other : candidates) {
      if (&other == &c) continue;
      if (c.tie != 0 && other.tie == c.tie) {
        before += other.id < c.id;
        maybe_before += other.id < c.id;
        continue;
      }
      const double room = c.tolerance + other.tolerance + half_ulp;
      before += other.score > c.score + room;
      maybe_before += other.score >= c.score - room;
    }
    if (before > offset + i || maybe_before < offset + i) {
      throw Mismatch{concat("hit ", i, " '", hit.id, "' (", hit.score, ") has rank ", offset + i, ", but ",
                            before, " to ", maybe_before, " records come before it")};
    }
  }
}

void check_record(const Record& r, const Doc& doc, bool with_vectors) {
  const Record& e = doc.record;
  const auto differs = [&](std::string_view what) {
    throw Mismatch{concat("record '", e.id, "': ", what, " differs")};
  };
  if (r.id != e.id) differs("id");
  if (r.text != e.text) differs("text");
  if (r.metadata != e.metadata) differs("metadata");
  if (r.source != e.source || r.start != e.start || r.end != e.end || r.part != e.part) differs("place");
  if (e.sequence != 0 && r.sequence != e.sequence)
    differs(concat("sequence ", r.sequence, " (expected ", e.sequence, ")"));
  if (r.expires_at.has_value() != e.expires_at.has_value()) differs("expires_at");
  if (r.expires_at && std::chrono::abs(*r.expires_at - *e.expires_at) > std::chrono::minutes(5))
    differs("expires_at");
  if (with_vectors && r.vector != e.vector) differs("vector");
  if (with_vectors && r.vectors != e.vectors) differs("vectors");
  if (!with_vectors && (!r.vector.empty() || !r.vectors.empty())) differs("with_vectors = false");
}

}  // namespace vecstore::model
