// vecstore query: the best passages for a text, with their places.
#include <cstdio>

#include "cli/session.hpp"
#include "cli/terminal.hpp"

namespace vecstore::cli {
namespace {

constexpr std::size_t kSnippetChars = 230;

/// Places are bytes of the hit's text.
Metadata snippet_json(const std::string& text, const Snippet& snippet) {
  Metadata::Array highlights;
  for (const TextRange& range : snippet.highlights) {
    highlights.push_back(
        Metadata{{"start", range.start_byte},
                 {"end", range.end_byte},
                 {"text", text.substr(range.start_byte, range.end_byte - range.start_byte)}});
  }
  const TextRange& range = snippet.range;
  Metadata out = {{"start", range.start_byte},
                  {"end", range.end_byte},
                  {"text", text.substr(range.start_byte, range.end_byte - range.start_byte)}};
  out["highlights"] = Metadata(std::move(highlights));
  out["score"] = json_number(snippet.score);
  return out;
}

Metadata hit_json(const Hit& hit) {
  Metadata out;
  out["id"] = Metadata(hit.id);
  out["score"] = json_number(hit.score);
  if (hit.distance) out["distance"] = json_number(*hit.distance);
  if (!hit.source.empty()) {
    out["source"] = Metadata(hit.source);
    out["part"] = Metadata(hit.part);
    out["start"] = Metadata(hit.start);
    out["end"] = Metadata(hit.end);
    if (const Metadata& heading = hit.metadata["heading"]; heading.is_string()) out["heading"] = heading;
  }
  out["text"] = Metadata(hit.text);
  if (!hit.snippets.empty()) {
    Metadata::Array snippets;
    for (const Snippet& snippet : hit.snippets) snippets.push_back(snippet_json(hit.text, snippet));
    out["snippets"] = Metadata(std::move(snippets));
  }
  out["metadata"] = hit.metadata;
  if (!hit.parts.empty()) {
    Metadata::Array parts;
    for (const HitPart& part : hit.parts) {
      Metadata entry = {{"name", part.name}, {"rank", part.rank}};
      entry["score"] = json_number(part.score);
      parts.push_back(std::move(entry));
    }
    out["parts"] = Metadata(std::move(parts));
  }
  return out;
}

void print_hit(const Hit& hit, std::size_t rank, bool full_text) {
  const bool colour = wants_colour(1);
  const auto paint = [&](const char* code, const std::string& text) {
    return colour ? std::string(code) + text + "\x1b[0m" : text;
  };
  std::string place = hit.id;
  if (!hit.source.empty())
    place = hit.source + ":" + std::to_string(hit.start) + "-" + std::to_string(hit.end);
  std::string line =
      std::to_string(rank) + ". " + paint("\x1b[36m", printable(place)) + "  " + fixed(hit.score, 4);
  if (const Metadata& heading = hit.metadata["heading"]; heading.is_string())
    line += "  " + paint("\x1b[2m", printable(heading.as_string()));
  line += "\n";
  if (full_text) {
    line += printable(hit.text) + "\n";
  } else if (!hit.snippets.empty()) {
    for (const Snippet& snippet : hit.snippets)
      line +=
          "   " + snippet_line(hit.text, snippet, colour ? "\x1b[1m" : "", colour ? "\x1b[0m" : "") + "\n";
  } else if (!hit.text.empty()) {
    line += "   " + beginning_line(hit.text, kSnippetChars) + "\n";
  } else if (!hit.metadata.empty()) {
    line += "   " + beginning_line(hit.metadata.to_json(), kSnippetChars) + "\n";
  }
  std::fputs(line.c_str(), stdout);
}

}  // namespace

int query(const Common& common, const QueryCommandOptions& options) {
  TextQueryOptions request;
  request.where = parse_where(options.where);
  VecDatabase db = open_to_read(common);
  const Collection collection = choose_collection(db, common);
  const CollectionInfo info = collection.info();
  request.k = options.k;
  request.offset = options.offset;
  request.mode = choose_mode(options.mode, info);
  set_fusion(options.fusion, request);
  request.syntax = parse_syntax(options.syntax);
  if (request.mode != Mode::kDense)
    request.highlight = SnippetOptions{.max_chars = kSnippetChars, .max_snippets = options.snippets};
  request.explain = options.explain;
  request.stop = stop_on_signals();
  if (request.mode != Mode::kText) request.embedder = query_model(options.model, common, info);
  std::string text;
  for (const std::string& word : options.words) text += (text.empty() ? "" : " ") + word;
  const Hits hits = collection.query_text(text, request);

  if (common.json) {
    Metadata out;
    out["mode"] = Metadata(to_string(request.mode));
    Metadata::Array list;
    for (const Hit& hit : hits) list.push_back(hit_json(hit));
    out["hits"] = Metadata(std::move(list));
    out["warnings"] = Metadata(hits.warnings);
    if (hits.degraded > 0) out["degraded"] = Metadata(hits.degraded);
    out["sequence"] = Metadata(hits.sequence);
    if (hits.plan) out["plan"] = to_json(*hits.plan);
    print_json(out);
    return kExitOk;
  }
  for (std::size_t i = 0; i < hits.size(); ++i) {
    print_hit(hits[i], static_cast<std::size_t>(options.offset) + i + 1, options.full_text);
  }
  if (hits.empty()) std::puts("nothing found");
  if (hits.plan) std::fputs(("\n" + hits.plan->to_string()).c_str(), stdout);
  for (const std::string& warning : hits.warnings)
    std::fputs(("vecstore: warning: " + printable(warning) + "\n").c_str(), stderr);
  if (hits.degraded > 0) {
    std::fputs(("vecstore: warning: " + std::to_string(hits.degraded) +
                " damaged records were left out; see vecstore verify\n")
                   .c_str(),
               stderr);
  }
  return kExitOk;
}

}  // namespace vecstore::cli
