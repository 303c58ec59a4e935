#include "cli/json_rows.hpp"

#include "base/error.hpp"

namespace vecstore::cli {
namespace {

std::string take_string(Metadata& object, std::string_view key) {
  const Metadata* value = object.find(key);
  if (value == nullptr || value->is_null()) return {};
  if (!value->is_string()) invalid("\"", key, "\" is no string");
  return value->as_string();
}

}  // namespace

Record record_from_json(std::string_view line, bool title_apart) {
  Metadata object = Metadata::parse(line);
  if (!object.is_object()) invalid("not a JSON object");
  Record record;
  const Metadata* id = object.find("_id");
  if (id == nullptr) invalid("the key \"_id\" is missing");
  if (id->is_int())
    record.id = std::to_string(id->as_int());
  else if (id->is_string())
    record.id = id->as_string();
  else
    invalid("\"_id\" is neither a string nor an integer");
  const std::string title = title_apart ? std::string() : take_string(object, "title");
  const std::string text = take_string(object, "text");
  record.text = title;
  if (!title.empty() && !text.empty()) record.text += ' ';
  record.text += text;
  object.erase("_id");
  if (!title_apart) object.erase("title");
  object.erase("text");
  record.metadata = std::move(object);
  return record;
}

bool JsonRows::next(Record& record) {
  std::string_view line;
  do {
    if (!lines_.next(line)) return false;
  } while (line.find_first_not_of(" \t\r") == std::string_view::npos);
  ++rows_;
  try {
    record = record_from_json(line, title_apart_);
  } catch (const Error& error) {
    fail(error.code(), path(), ":", line_number(), ": ", error.what());
  }
  return true;
}

}  // namespace vecstore::cli
