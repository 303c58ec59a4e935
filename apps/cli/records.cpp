// vecstore get, scroll, count, erase: records by id or by filter.
#include <algorithm>
#include <cstdio>

#include "base/error.hpp"
#include "cli/session.hpp"
#include "cli/terminal.hpp"

namespace vecstore::cli {
namespace {

void print_record(const Record& record, bool json) {
  if (json) {
    print_json(to_json(record));
    return;
  }
  const bool colour = wants_colour(1);
  std::string out = (colour ? "\x1b[36m" : "") + printable(record.id) + (colour ? "\x1b[0m" : "") + "\n";
  if (!record.source.empty()) {
    out += "  source    " + printable(record.source) + ":" + std::to_string(record.start) + "-" +
           std::to_string(record.end) + "\n";
  }
  if (!record.metadata.empty()) out += "  metadata  " + printable(record.metadata.to_json()) + "\n";
  const auto vector_line = [&](const std::string& name, const Vector& vector) {
    out += "  " + name + "  " + to_json(Record{.vector = vector})["vector"].to_json() + "\n";
  };
  if (!record.vector.empty()) vector_line("vector  ", record.vector);
  for (const auto& [name, vector] : record.vectors) vector_line("vector " + name, vector);
  if (!record.text.empty()) out += "  text      " + beginning_line(record.text, 230) + "\n";
  std::fputs(out.c_str(), stdout);
}

/// By id, which needs no model: the passages of a source are numbered without gaps.
std::uint64_t erase_source(Collection& collection, const std::string& source) {
  constexpr std::size_t kStep = 1000;
  std::vector<std::string> ids;
  for (std::size_t found = kStep; found == kStep;) {
    std::vector<std::string> next;
    for (std::size_t i = 0; i < kStep; ++i) next.push_back(source + "#" + std::to_string(ids.size() + i));
    found = 0;
    for (const Record& record : collection.get(next, GetOptions{.with_vectors = false}))
      found += record.source == source;
    ids.insert(ids.end(), next.begin(), next.begin() + static_cast<std::ptrdiff_t>(found));
  }
  return ids.empty() ? 0 : collection.erase(ids);
}

}  // namespace

int get(const Common& common, const GetCommandOptions& options) {
  VecDatabase db = open_to_read(common);
  const Collection collection = choose_collection(db, common);
  std::string missing;
  for (const std::string& id : options.ids) {
    const auto record = collection.get(id, GetOptions{.with_vectors = options.vectors});
    if (record)
      print_record(*record, common.json);
    else
      missing += (missing.empty() ? "" : ", ") + id;
  }
  if (!missing.empty()) fail(ErrorCode::kNotFound, "no record with the id ", missing);
  return kExitOk;
}

int scroll(const Common& common, const ScrollCommandOptions& options) {
  constexpr std::uint64_t kPage = 1000;
  parse_where(options.where);
  VecDatabase db = open_to_read(common);
  const Collection collection = choose_collection(db, common);
  const std::stop_token stop = stop_on_signals();
  ScrollOptions request;
  request.after = options.after;
  request.where = options.where;
  request.with_vectors = options.vectors;
  std::uint64_t left = options.limit == 0 ? UINT64_MAX : options.limit;
  do {
    check_stop(stop);
    request.limit = std::min(left, kPage);
    const ScrollPage page = collection.scroll(request);
    for (const Record& record : page.records) print_record(record, common.json);
    for (const std::string& warning : page.warnings)
      std::fputs(("vecstore: warning: " + printable(warning) + "\n").c_str(), stderr);
    left -= std::min<std::uint64_t>(left, page.records.size());
    request.after = page.next;
  } while (left > 0 && !request.after.empty());
  return kExitOk;
}

int count(const Common& common, const std::string& where) {
  const std::optional<Filter> filter = parse_where(where);
  VecDatabase db = open_to_read(common);
  const Collection collection = choose_collection(db, common);
  const std::uint64_t n = filter ? collection.count(*filter) : collection.count();
  if (common.json)
    print_json({{"collection", collection.name()}, {"count", n}});
  else
    std::puts(std::to_string(n).c_str());
  return kExitOk;
}

int erase(const Common& common, const EraseOptions& options) {
  const std::optional<Filter> filter = parse_where(options.where);
  if (options.ids.empty() && !filter && options.source.empty())
    throw UsageError("erase: name ids, --where or --source");
  VecDatabase db = open_to_write(common, false);
  Collection collection = choose_collection(db, common);
  std::uint64_t erased = 0;
  for (std::size_t i = 0; i < options.ids.size(); i += 10'000) {
    erased += collection.erase(
        std::span(options.ids).subspan(i, std::min<std::size_t>(10'000, options.ids.size() - i)));
  }
  if (filter) erased += collection.erase_where(*filter);
  if (!options.source.empty()) erased += erase_source(collection, options.source);
  db.close();
  if (common.json)
    print_json({{"erased", erased}});
  else
    std::puts((grouped(erased) + (erased == 1 ? " record erased" : " records erased")).c_str());
  return kExitOk;
}

}  // namespace vecstore::cli
