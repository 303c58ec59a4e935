#include "catalog/schema.hpp"

#include <cmath>

#include "base/analyzer_options.hpp"
#include "base/error.hpp"
#include "base/index_options.hpp"
#include "vecstore/metadata.hpp"

namespace vecstore::catalog {
namespace {

constexpr std::size_t kMaxName = 64;
constexpr std::size_t kMaxPath = 256;

bool alphanumeric(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

std::string printable(std::string_view name) {
  std::string out;
  for (char c : name.substr(0, 80)) out += c >= 0x20 && c < 0x7f ? c : '?';
  return out;
}

void check_text_fields(const std::vector<TextField>& fields) {
  if (fields.size() > kMaxTextFields)
    invalid("text_fields: ", fields.size(), " fields; the limit is ", kMaxTextFields);
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const TextField& f = fields[i];
    if (f.path.empty() || f.path.size() > kMaxPath)
      invalid("text_fields[", i, "].path has ", f.path.size(), " bytes; 1 to ", kMaxPath, " are allowed");
    if (!std::isfinite(f.weight) || f.weight <= 0)
      invalid("text_fields[", i, "].weight is ", f.weight, "; it must be finite and above 0");
    check_analyzer_options(concat("text_fields[", i, "].analysis"), f.analysis);
    for (std::size_t j = 0; j < i; ++j) {
      if (fields[j].path == f.path) invalid("text_fields: '", f.path, "' stands there twice");
    }
  }
}

/// Unlike the options of an index these decide what a query finds: what is not understood cannot be passed
/// over.
AnalyzerOptions stored_analysis(std::string_view path, const Metadata& stored) {
  try {
    return read_analyzer_options(concat("analysis of text field '", path, "'"), stored);
  } catch (const Error& e) {
    fail(ErrorCode::kUnsupportedFormat, "schema, written by a later version: ", e.what());
  }
}

}  // namespace

void check_name(std::string_view what, std::string_view name) {
  bool ok = !name.empty() && name.size() <= kMaxName && alphanumeric(name[0]);
  for (char c : name) ok = ok && (alphanumeric(c) || c == '_' || c == '-');
  if (!ok) {
    invalid(what, " '", printable(name), "' is not allowed: 1 to ", kMaxName,
            " characters of A-Z a-z 0-9 _ -, the first a letter or digit");
  }
}

void check_dimension(std::string_view what, std::size_t dimension) {
  if (dimension < 1 || dimension > kMaxDimension)
    invalid(what, " is ", dimension, "; 1 to ", kMaxDimension, " are allowed");
}

const VectorFieldSchema* Schema::find(std::string_view name, ElementType element) const {
  for (const auto& f : vectors) {
    if (f.name == name && f.element == element) return &f;
  }
  return nullptr;
}

VectorFieldSchema* Schema::find(std::string_view name, ElementType element) {
  return const_cast<VectorFieldSchema*>(std::as_const(*this).find(name, element));
}

VectorFieldSchema& Schema::add(std::string name, ElementType element, Metric metric, std::size_t dimension,
                               const IndexOptions& index) {
  vectors.push_back({std::move(name), element, next_number++, metric, dimension, index});
  return vectors.back();
}

Codes Schema::sparse_codes(std::string_view name) const {
  const VectorFieldSchema* field = find(name);
  return index_settings(field ? field->index : IndexOptions{}, 0).sparse_codes;
}

bool Schema::indexes_metadata() const {
  for (const auto& f : text_fields) {
    if (f.path != "text") return true;
  }
  return false;
}

Schema make_schema(const CollectionOptions& options) {
  Schema schema;
  std::size_t dimension = options.dimension;
  if (options.embedder) {
    if (dimension != 0 && dimension != options.embedder.dimension()) {
      invalid("dimension is ", dimension, " but the embedder '", options.embedder.name(),
              "' makes vectors of ", options.embedder.dimension());
    }
    dimension = options.embedder.dimension();
    schema.embedder_name = options.embedder.name();
    schema.embedder_fingerprint = options.embedder.fingerprint();
  }
  if (dimension != 0) check_dimension("dimension", dimension);
  if (options.vectors.size() > kMaxVectorFields)
    invalid("vectors: ", options.vectors.size(), " fields; the limit is ", kMaxVectorFields);
  check_index_options("index.", options.index);
  schema.add("", ElementType::kF32, options.metric, dimension, options.index);
  for (const auto& [name, field] : options.vectors) {
    check_name("vector name", name);
    if (field.dimension != 0) check_dimension(concat("vectors['", name, "'].dimension"), field.dimension);
    check_index_options(concat("vectors['", name, "'].index."), field.index);
    schema.add(name, ElementType::kF32, field.metric, field.dimension, field.index);
  }
  check_text_fields(options.text_fields);
  schema.text_fields = options.text_fields;
  return schema;
}

std::string to_json(const Schema& schema) {
  Metadata vectors = Metadata::array();
  for (const auto& f : schema.vectors) {
    vectors.push_back(Metadata::object({{"name", f.name},
                                        {"element", static_cast<int>(f.element)},
                                        {"number", f.number},
                                        {"metric", std::string(to_string(f.metric))},
                                        {"dimension", f.dimension}}));
    if (f.index != IndexOptions{}) vectors[vectors.size() - 1]["index"] = index_metadata(f.index);
  }
  Metadata texts = Metadata::array();
  for (const auto& f : schema.text_fields) {
    texts.push_back(Metadata::object(
        {{"path", f.path}, {"analyzer", f.analyzer}, {"weight", static_cast<double>(f.weight)}}));
    if (f.analysis != AnalyzerOptions{}) texts[texts.size() - 1]["analysis"] = analyzer_metadata(f.analysis);
  }
  return Metadata::object({{"vectors", vectors},
                           {"next_number", schema.next_number},
                           {"text_fields", texts},
                           {"embedder", Metadata::object({{"name", schema.embedder_name},
                                                          {"fingerprint", schema.embedder_fingerprint}})}})
      .to_json();
}

Schema schema_from_json(std::string_view json) {
  try {
    const Metadata m = Metadata::parse(json);
    Schema schema;
    for (const Metadata& v : m["vectors"].as_array()) {
      schema.vectors.push_back(
          {v["name"].as_string(), static_cast<ElementType>(v["element"].as_int()),
           static_cast<std::uint16_t>(v["number"].as_int()), parse_metric(v["metric"].as_string()),
           static_cast<std::size_t>(v["dimension"].as_int()), read_index_options(v["index"])});
    }
    schema.next_number = static_cast<std::uint16_t>(m["next_number"].as_int());
    for (const Metadata& t : m["text_fields"].as_array()) {
      schema.text_fields.push_back(
          {t["path"].as_string(), t["analyzer"].as_string(), static_cast<float>(t["weight"].as_double())});
      if (const Metadata* analysis = t.find("analysis"))
        schema.text_fields.back().analysis = stored_analysis(schema.text_fields.back().path, *analysis);
    }
    schema.embedder_name = m["embedder"]["name"].as_string();
    schema.embedder_fingerprint = m["embedder"]["fingerprint"].as_string();
    return schema;
  } catch (const Error& e) {
    if (e.code() == ErrorCode::kUnsupportedFormat) throw;
    fail(ErrorCode::kCorruption, "schema: ", e.what());
  }
}

}  // namespace vecstore::catalog
