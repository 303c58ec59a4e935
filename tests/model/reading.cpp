#include "model/reading.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bit>
#include <cstring>

#include "base/error.hpp"

extern char** environ;

namespace vecstore::model {
namespace {

void add(std::string& out, const Vector& v) {
  for (float x : v.dense()) out += concat(std::bit_cast<std::uint32_t>(x), ",");
  if (!v.sparse()) return;
  for (std::size_t i = 0; i < v.sparse()->indices.size(); ++i) {
    out += concat(v.sparse()->indices[i], ":", std::bit_cast<std::uint32_t>(v.sparse()->values[i]), ",");
  }
}

void add(std::string& out, const Hit& h) {
  out += concat(h.id, " ", std::bit_cast<std::uint32_t>(h.score), " ",
                h.distance ? std::bit_cast<std::uint32_t>(*h.distance) : 0, " ", h.metadata.to_json(), " ",
                h.text, " ", h.source, " ", h.start, " ", h.end, " ", h.part, " ");
  add(out, h.vector);
  out += "\n";
}

void add(std::string& out, const Record& r) {
  out +=
      concat(r.id, " ", r.text, " ", r.metadata.to_json(), " ", r.source, " ", r.start, " ", r.end, " ",
             r.part, " ", r.sequence, " ", r.expires_at ? r.expires_at->time_since_epoch().count() : 0, " ");
  add(out, r.vector);
  for (const auto& [name, v] : r.vectors) {
    out += concat(" ", name, " ");
    add(out, v);
  }
  out += "\n";
}

Answer answer(VecDatabase& db, Kind kind, const Spec& s) {
  Answer a;
  const Collection c = db.get_collection(s.collection);
  switch (kind) {
    case Kind::kGet:
      for (const std::string& id : s.ids) {
        if (auto record = c.get(id, {.with_vectors = s.with_vectors}))
          a.records.push_back(std::move(*record));
      }
      break;
    case Kind::kGetMany:
      a.records = c.get(s.ids, {.with_vectors = s.with_vectors});
      break;
    case Kind::kScroll: {
      ScrollOptions o{.limit = s.limit, .where = s.filter.text, .with_vectors = s.with_vectors};
      do {
        ScrollPage page = c.scroll(o);
        o.after = page.next;
        a.pages.push_back(page.records.size());
        for (Record& r : page.records) a.records.push_back(std::move(r));
      } while (!o.after.empty());
      break;
    }
    case Kind::kCount:
      a.count = s.filter.text.empty() ? c.count() : c.count(s.filter.text);
      break;
    case Kind::kChanges:
      a.changes = c.changes({.since = s.since, .limit = s.limit});
      break;
    case Kind::kInfo: {
      const CollectionInfo info = c.info();
      const CollectionStats stats = c.stats();
      a.names = db.list_collections();
      for (const auto& [name, field] : info.vectors)
        a.names.push_back(concat(name, " ", to_string(field.metric), " ", field.dimension));
      a.names.push_back(concat(to_string(info.metric), " ", info.dimension, " ", info.embedder_name, " ",
                               info.embedder_fingerprint));
      a.names.push_back(concat("digest ", stats.digest, " ", stats.live_bytes));
      a.count = stats.count;
      break;
    }
    case Kind::kDense:
      a.hits.push_back(c.query(dense_query(s)));
      break;
    case Kind::kText:
      a.hits.push_back(c.query_text(s.text, text_options(s, Mode::kText)));
      break;
    case Kind::kHybrid:
      a.hits.push_back(c.hybrid_query(hybrid_query(s)));
      break;
    case Kind::kSparse:
      a.hits.push_back(c.query(sparse_query(s)));
      break;
    case Kind::kSparseHybrid:
      a.hits.push_back(c.hybrid_query(sparse_hybrid_query(s)));
      break;
    case Kind::kQueryText:
      a.hits.push_back(c.query_text(s.text, text_options(s, s.mode)));
      break;
    case Kind::kQueryBatch: {
      const std::vector<Query> queries = {dense_query(s), dense_query(s).k(3), dense_query(s).offset(0)};
      a.hits = c.query_batch(queries);
      break;
    }
    default:
      break;
  }
  return a;
}

bool read_all(int fd, void* data, std::size_t size) {
  char* at = static_cast<char*>(data);
  while (size > 0) {
    const ssize_t n = ::read(fd, at, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += n;
    size -= static_cast<std::size_t>(n);
  }
  return true;
}

bool write_all(int fd, const void* data, std::size_t size) {
  const char* at = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t n = ::write(fd, at, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += n;
    size -= static_cast<std::size_t>(n);
  }
  return true;
}

}  // namespace

// So that what a graph finds can be told from brute force.
constexpr std::int64_t kEveryRow = 10'000;

Query dense_query(const Spec& s) {
  Query q{Vector(s.vector)};
  q.k(s.k).offset(s.offset).using_vector(s.vector_name).with_vectors(s.with_vectors).ef(kEveryRow);
  q.with_text(!s.bare).with_metadata(!s.bare);
  if (!s.filter.text.empty()) q.where(s.filter.text);
  if (s.threshold) q.score_threshold(*s.threshold);
  return q;
}

Query sparse_query(const Spec& s) {
  Query q{Vector(s.sparse)};
  q.k(s.k).offset(s.offset).using_vector(s.vector_name).with_vectors(s.with_vectors);
  q.with_text(!s.bare).with_metadata(!s.bare);
  if (!s.filter.text.empty()) q.where(s.filter.text);
  if (s.threshold) q.score_threshold(*s.threshold);
  return q;
}

namespace {

HybridQuery fused(const Spec& s, HybridQuery q) {
  q.k(s.k).offset(s.offset).using_vector(s.vector_name).with_vectors(s.with_vectors).ef(kEveryRow);
  q.with_text(!s.bare).with_metadata(!s.bare);
  if (!s.default_fusion) q.fusion(s.fusion);
  if (!s.filter.text.empty()) q.where(s.filter.text);
  if (s.threshold) q.score_threshold(*s.threshold);
  return q;
}

}  // namespace

HybridQuery hybrid_query(const Spec& s) { return fused(s, HybridQuery(Vector(s.vector), s.text)); }

HybridQuery sparse_hybrid_query(const Spec& s) { return fused(s, HybridQuery(Vector(s.vector), s.sparse)); }

TextQueryOptions text_options(const Spec& s, Mode mode) {
  TextQueryOptions o{
      .k = s.k, .offset = s.offset, .mode = mode, .score_threshold = s.threshold, .ef = kEveryRow};
  if (!s.filter.text.empty()) o.where = Filter::parse(s.filter.text);
  if (!s.default_fusion && s.fusion.alpha()) o.alpha = s.fusion.alpha();
  o.with_text = o.with_metadata = !s.bare;
  if (s.slot == 3) o.embedder = TinyEmbedder();
  o.explain = mode != Mode::kDense;  // says which statistics it used
  return o;
}

Answer read(VecDatabase& db, Kind kind, const Spec& spec) {
  try {
    return answer(db, kind, spec);
  } catch (const Error& e) {
    Answer a;
    a.error = e.code();
    a.message = e.what();
    return a;
  }
}

std::string Answer::text() const {
  if (error) return concat("error ", to_string(*error));
  std::string out = concat("count ", count, "\n");
  for (const Hits& list : hits) {
    out += concat("hits ", list.size(), " sequence ", list.sequence, " degraded ", list.degraded, "\n");
    for (const Hit& h : list) add(out, h);
  }
  for (const Record& r : records) add(out, r);
  for (std::size_t n : pages) out += concat("page ", n, "\n");
  for (const Change& c : changes)
    out += concat(c.sequence, " ", static_cast<int>(c.operation), " ", c.id, " ", c.row, "\n");
  for (const std::string& n : names) out += n + "\n";
  return out;
}

Reader::Reader(const std::string& directory) {
  int in[2];
  int out[2];
  if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0) throw Mismatch{"pipe2 failed"};
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, in[0], 0);
  ::posix_spawn_file_actions_adddup2(&actions, out[1], 1);
  std::string program = "/proc/self/exe";
  std::string option = "--reader";
  std::string dir = directory;
  char* argv[] = {program.data(), option.data(), dir.data(), nullptr};
  const int rc = ::posix_spawn(&pid_, program.c_str(), &actions, nullptr, argv, environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(in[0]);
  ::close(out[1]);
  to_ = in[1];
  from_ = out[0];
  if (rc != 0) throw Mismatch{concat("the reading process cannot be started: ", std::strerror(rc))};
  ::signal(SIGPIPE, SIG_IGN);
}

Reader::~Reader() {
  ::close(to_);
  ::close(from_);
  int status = 0;
  if (pid_ > 0) ::waitpid(pid_, &status, 0);
}

std::string Reader::ask(const Op& op) {
  std::uint32_t size = 0;
  std::string text;
  if (write_all(to_, &op, sizeof op) && read_all(from_, &size, sizeof size)) {
    text.resize(size);
    if (read_all(from_, text.data(), size)) return text;
  }
  throw Mismatch{"the reading process has ended"};
}

int Reader::serve(const char* directory) {
  std::optional<VecDatabase> db;
  for (Op op; read_all(0, &op, sizeof op);) {
    std::string text;
    try {
      if (!db) db = VecDatabase::open(directory, {.read_only = true});
      text = read(*db, op.kind, make_spec(op, Setting{})).text();
    } catch (const std::exception& e) {
      text = concat("the reading process failed: ", e.what());
    }
    const auto size = static_cast<std::uint32_t>(text.size());
    if (!write_all(1, &size, sizeof size) || !write_all(1, text.data(), size)) return 1;
  }
  return 0;
}

}  // namespace vecstore::model
