// vecstore collections, create, alter, drop, stats, compact, optimize, verify, extract.
#include <cstdio>

#include "base/error.hpp"
#include "cli/document.hpp"
#include "cli/session.hpp"
#include "cli/terminal.hpp"

namespace vecstore::cli {
namespace {

Metadata describe(const Collection& collection) {
  const CollectionInfo info = collection.info();
  Metadata out;
  out["name"] = Metadata(info.name);
  out["count"] = Metadata(collection.count());
  out["metric"] = Metadata(to_string(info.metric));
  out["dimension"] = Metadata(info.dimension);
  out["index"] = Metadata::parse(to_json(info.index));
  out["embedder"] = info.embedder_name.empty() ? Metadata(nullptr) : Metadata(info.embedder_name);
  Metadata::Array fields;
  for (const TextField& field : info.text_fields) {
    Metadata entry = {{"path", field.path}, {"analyzer", field.analyzer}};
    entry["weight"] = json_number(field.weight);
    if (field.analysis != AnalyzerOptions{}) entry["analysis"] = Metadata::parse(to_json(field.analysis));
    fields.push_back(std::move(entry));
  }
  out["text_fields"] = Metadata(std::move(fields));
  Metadata vectors;
  for (const auto& [name, field] : info.vectors) {
    vectors[name] = Metadata{{"metric", to_string(field.metric)}, {"dimension", field.dimension}};
    vectors[name]["index"] = Metadata::parse(to_json(field.index));
  }
  if (!vectors.empty()) out["vectors"] = std::move(vectors);
  return out;
}

IndexOptions index_options(const IndexArguments& given) {
  IndexOptions out;
  if (!given.json.empty()) out = parse_index_options(given.json);
  if (given.profile) out.profile = parse_profile(*given.profile);
  if (given.codes) out.codes = parse_codes(*given.codes);
  if (given.m) out.m = given.m;
  if (given.ef_construction) out.ef_construction = given.ef_construction;
  if (given.ef_search) out.ef_search = given.ef_search;
  if (given.oversampling) out.oversampling = given.oversampling;
  if (given.sparse_codes) out.sparse_codes = parse_codes(*given.sparse_codes);
  return out;
}

/// What is wanted of a vector field's index, and how far it is.
Metadata describe(const std::string& vector, const IndexStats& index) {
  const IndexSettings& s = index.settings;
  Metadata out = {{"vector", vector}, {"profile", to_string(s.profile)}, {"codes", to_string(s.codes)}};
  if (s.has_graph()) {
    out["m"] = Metadata(s.m);
    out["ef_construction"] = Metadata(s.ef_construction);
    out["ef_search"] = Metadata(s.ef_search);
    out["oversampling"] = json_number(s.oversampling);
  }
  out["sparse_codes"] = Metadata(to_string(s.sparse_codes));
  out["graph_rows"] = Metadata(index.graph_rows);
  out["scanned_rows"] = Metadata(index.scanned_rows);
  out["sparse_rows"] = Metadata(index.sparse_rows);
  out["outdated_rows"] = Metadata(index.outdated_rows);
  return out;
}

std::string index_line(const Metadata& index) {
  const auto number = [&](const char* name) { return static_cast<std::uint64_t>(index[name].as_int()); };
  std::string line = "  " + (index["vector"].as_string().empty() ? "index" : index["vector"].as_string()) +
                     ": " + index["profile"].as_string() + ", codes " + index["codes"].as_string();
  if (index.contains("m")) {
    line += ", m " + grouped(number("m")) + ", ef_construction " + grouped(number("ef_construction")) +
            ", ef_search " + grouped(number("ef_search"));
  }
  line += "; " + grouped(number("graph_rows")) + " rows in graphs, " + grouped(number("scanned_rows")) +
          " in scanned codes";
  if (number("sparse_rows") > 0)
    line += ", " + grouped(number("sparse_rows")) + " with sparse codes " + index["sparse_codes"].as_string();
  if (number("outdated_rows") > 0) line += ", " + grouped(number("outdated_rows")) + " to be built anew";
  return line + "\n";
}

}  // namespace

int collections(const Common& common) {
  const VecDatabase db = open_to_read(common);
  Metadata::Array list;
  for (const std::string& name : db.list_collections()) {
    Metadata entry = describe(db.get_collection(name));
    if (!common.json) {
      std::string line = name + std::string(name.size() < 20 ? 20 - name.size() : 1, ' ') +
                         grouped(static_cast<std::uint64_t>(entry["count"].as_int())) + " records";
      if (entry["dimension"].as_int() > 0)
        line += ", " + entry["metric"].as_string() + " " + std::to_string(entry["dimension"].as_int());
      if (entry["embedder"].is_string()) line += ", " + printable(entry["embedder"].as_string());
      std::puts(line.c_str());
    }
    list.push_back(std::move(entry));
  }
  if (common.json) print_json({{"collections", Metadata(std::move(list))}});
  return kExitOk;
}

int create(const Common& common, const CreateOptions& options) {
  CollectionOptions request;
  if (options.metric) request.metric = parse_metric(*options.metric);
  request.dimension = options.dimension.value_or(0);
  request.index = index_options(options.index);
  if (auto fields = text_fields(options.text)) request.text_fields = std::move(*fields);
  request.embedder = load_model(options.model, common);
  VecDatabase db = open_to_write(common, true);
  const Collection collection = db.create_collection(options.name, request);
  if (common.json)
    print_json(describe(collection));
  else
    std::puts(("collection " + options.name + " created").c_str());
  db.close();
  return kExitOk;
}

int alter(const Common& common, const AlterOptions& options) {
  const IndexOptions index = index_options(options.index);
  VecDatabase db = open_to_write(common, false);
  Collection collection = db.get_collection(options.name);
  collection.alter_index(options.vector, index);
  if (common.json)
    print_json(describe(options.vector, collection.stats().indexes.at(options.vector)));
  else
    std::fputs(index_line(describe(options.vector, collection.stats().indexes.at(options.vector))).c_str(),
               stdout);
  db.close();
  return kExitOk;
}

int drop(const Common& common, const std::string& name) {
  VecDatabase db = open_to_write(common, false);
  const std::uint64_t count = db.get_collection(name).count();
  db.delete_collection(name);
  db.close();
  if (common.json)
    print_json({{"dropped", name}, {"count", count}});
  else
    std::puts(("collection " + name + " dropped, " + grouped(count) + " records").c_str());
  return kExitOk;
}

int stats(const Common& common) {
  const VecDatabase db = open_to_read(common);
  const DatabaseStats all = db.stats();
  Metadata out = {{"collections", all.collections}, {"records", all.records},
                  {"file_bytes", all.file_bytes},   {"free_bytes", all.free_bytes},
                  {"sequence", all.sequence},       {"generation", all.generation}};
  Metadata::Array each;
  for (const std::string& name : db.list_collections()) {
    if (!common.collection.empty() && name != common.collection) continue;
    const CollectionStats one = db.get_collection(name).stats();
    Metadata entry = {{"name", name},
                      {"count", one.count},
                      {"stored_rows", one.stored_rows},
                      {"live_bytes", one.live_bytes},
                      {"segments", one.segments},
                      {"segment_bytes", one.segment_bytes},
                      {"rows_outside", one.rows_outside},
                      {"sequence", one.sequence}};
    // All 64 bits, which a JSON number does not promise.
    char digest[17];
    std::snprintf(digest, sizeof digest, "%016llx", static_cast<unsigned long long>(one.digest));
    entry["digest"] = Metadata(static_cast<const char*>(digest));
    entry["segment_damages"] = Metadata(one.segment_damages);
    Metadata::Array indexes;
    for (const auto& [vector, index] : one.indexes) indexes.push_back(describe(vector, index));
    entry["indexes"] = Metadata(std::move(indexes));
    each.push_back(std::move(entry));
  }
  if (!common.collection.empty() && each.empty())
    fail(ErrorCode::kNotFound, "no collection ", common.collection);
  if (common.json) {
    out["each"] = Metadata(std::move(each));
    print_json(out);
    return kExitOk;
  }
  std::string text = grouped(all.records) + " records in " + grouped(all.collections) +
                     (all.collections == 1 ? " collection" : " collections") + "\n";
  text += "file        " + bytes_text(all.file_bytes) + ", of which " + bytes_text(all.free_bytes) +
          " are free for new writes\n";
  text += "sequence    " + grouped(all.sequence) + "\ngeneration  " + grouped(all.generation) + "\n";
  for (const Metadata& entry : each) {
    text += entry["name"].as_string() + ": " + grouped(static_cast<std::uint64_t>(entry["count"].as_int())) +
            " records, " + bytes_text(static_cast<std::uint64_t>(entry["live_bytes"].as_int())) +
            " of data, " + grouped(static_cast<std::uint64_t>(entry["stored_rows"].as_int())) +
            " rows stored, digest " + entry["digest"].as_string() + "\n";
    for (const Metadata& index : entry["indexes"].as_array()) text += index_line(index);
  }
  std::fputs(text.c_str(), stdout);
  return kExitOk;
}

int compact(const Common& common) {
  const std::stop_token stop = stop_on_signals();
  VecDatabase db = open_to_write(common, false);
  const CompactResult result = db.compact({.stop = stop});
  db.close();
  if (common.json) {
    print_json({{"bytes_before", result.bytes_before},
                {"bytes_after", result.bytes_after},
                {"generation", result.generation}});
  } else {
    std::puts((bytes_text(result.bytes_before) + " became " + bytes_text(result.bytes_after)).c_str());
  }
  return kExitOk;
}

int optimize(const Common& common) {
  const std::stop_token stop = stop_on_signals();
  VecDatabase db = open_to_write(common, false);
  Metadata::Array each;
  for (const std::string& name : db.list_collections()) {
    if (!common.collection.empty() && name != common.collection) continue;
    Collection collection = db.get_collection(name);
    collection.optimize(stop);
    const CollectionStats stats = collection.stats();
    each.push_back(
        Metadata{{"name", name}, {"segments", stats.segments}, {"segment_bytes", stats.segment_bytes}});
    if (!common.json)
      std::puts((name + ": " + bytes_text(stats.segment_bytes) + " of index for " + grouped(stats.count) +
                 " records")
                    .c_str());
  }
  if (!common.collection.empty() && each.empty())
    fail(ErrorCode::kNotFound, "no collection ", common.collection);
  db.close();
  if (common.json) print_json({{"each", Metadata(std::move(each))}});
  return kExitOk;
}

int verify(const Common& common) {
  VerifyReport report;
  try {
    report = open_to_read(common).verify();
  } catch (const Error& error) {
    // So damaged that it does not open: that is what verify is asked for.
    if (error.code() != ErrorCode::kCorruption) throw;
    report.damages.push_back({"open", "", "", error.what()});
  }
  if (common.json) {
    Metadata::Array damages;
    for (const Damage& damage : report.damages) {
      damages.push_back(Metadata{{"kind", damage.kind},
                                 {"collection", damage.collection},
                                 {"id", damage.id},
                                 {"detail", damage.detail}});
    }
    Metadata out = {{"ok", report.ok()}, {"records", report.records}, {"pages", report.pages}};
    out["damages"] = Metadata(std::move(damages));
    print_json(out);
  } else {
    for (const Damage& damage : report.damages) {
      std::string line = damage.kind + ":";
      if (!damage.collection.empty()) line += " collection " + damage.collection;
      if (!damage.id.empty()) line += " record " + damage.id;
      std::puts(printable(line + " " + damage.detail).c_str());
    }
    const std::string summary =
        grouped(report.records) + " records and " + grouped(report.pages) + " pages read: ";
    std::puts((summary + (report.ok() ? "no damage"
                                      : grouped(report.damages.size()) +
                                            (report.damages.size() == 1 ? " damage" : " damages")))
                  .c_str());
  }
  return report.ok() ? kExitOk : kExitDamage;
}

int extract_file(const Common& common, const std::string& path) {
  const Document document = read_document(path);
  if (!common.json) {
    std::fwrite(document.text.data(), 1, document.text.size(), stdout);
    return kExitOk;
  }
  Metadata::Array headings;
  for (const Heading& heading : document.headings) {
    headings.push_back(
        Metadata{{"offset", heading.offset}, {"level", heading.level}, {"text", heading.text}});
  }
  Metadata out = {{"file", path}, {"kind", to_string(document.kind)}, {"title", document.title}};
  out["headings"] = Metadata(std::move(headings));
  out["text"] = Metadata(document.text);
  print_json(out);
  return kExitOk;
}

}  // namespace vecstore::cli
