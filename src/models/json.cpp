#include "models/json.hpp"

#include <simdjson.h>

#include <fstream>

#include "base/error.hpp"

namespace vecstore::models {

namespace dom = simdjson::dom;

struct Json::Impl {
  dom::element element;
};

Json::Json() = default;
Json::~Json() = default;
Json::Json(const Json& other) : impl_(other.impl_ ? std::make_unique<Impl>(*other.impl_) : nullptr) {}
Json::Json(const Impl& impl) : impl_(std::make_unique<Impl>(impl)) {}

bool Json::exists() const { return impl_ != nullptr; }
bool Json::is_object() const { return impl_ && impl_->element.is_object(); }
bool Json::is_array() const { return impl_ && impl_->element.is_array(); }
bool Json::is_null() const { return impl_ && impl_->element.is_null(); }

Json Json::get(std::string_view key) const {
  dom::object object;
  dom::element found;
  if (!impl_ || impl_->element.get(object) != simdjson::SUCCESS) return {};
  if (object.at_key(key).get(found) != simdjson::SUCCESS) return {};
  return Json(Impl{found});
}

std::optional<std::string> Json::as_string() const {
  std::string_view value;
  if (!impl_ || impl_->element.get(value) != simdjson::SUCCESS) return std::nullopt;
  return std::string(value);
}

std::optional<std::uint64_t> Json::as_unsigned() const {
  std::uint64_t value = 0;
  if (!impl_ || impl_->element.get(value) != simdjson::SUCCESS) return std::nullopt;
  return value;
}

std::optional<double> Json::as_number() const {
  double value = 0;
  if (!impl_ || impl_->element.get(value) != simdjson::SUCCESS) return std::nullopt;
  return value;
}

std::optional<bool> Json::as_bool() const {
  bool value = false;
  if (!impl_ || impl_->element.get(value) != simdjson::SUCCESS) return std::nullopt;
  return value;
}

void Json::each(const std::function<void(const Json&)>& f) const {
  dom::array array;
  if (!impl_ || impl_->element.get(array) != simdjson::SUCCESS) return;
  for (const dom::element item : array) f(Json(Impl{item}));
}

void Json::each_member(const std::function<void(std::string_view, const Json&)>& f) const {
  dom::object object;
  if (!impl_ || impl_->element.get(object) != simdjson::SUCCESS) return;
  for (const dom::key_value_pair member : object) f(member.key, Json(Impl{member.value}));
}

struct JsonDocument::Impl {
  dom::parser parser;  // Elements point into it: it stays where it is.
  std::unique_ptr<Json> root;
};

JsonDocument::JsonDocument(std::string text, const std::string& where) : impl_(std::make_unique<Impl>()) {
  dom::element element;
  const simdjson::error_code error = impl_->parser.parse(text).get(element);
  if (error != simdjson::SUCCESS) {
    fail(ErrorCode::kCorruption, where, ": not valid JSON: ", simdjson::error_message(error));
  }
  impl_->root.reset(new Json(Json::Impl{element}));
}

JsonDocument::~JsonDocument() = default;
JsonDocument::JsonDocument(JsonDocument&&) noexcept = default;
const Json& JsonDocument::root() const { return *impl_->root; }

JsonDocument JsonDocument::read(const std::filesystem::path& file) {
  constexpr std::uint64_t kLimit = 256u << 20;
  std::error_code error;
  const std::uint64_t size = std::filesystem::file_size(file, error);
  std::ifstream stream(file, std::ios::binary);
  if (error || !stream) fail(ErrorCode::kNotFound, file.string(), ": cannot be read");
  if (size > kLimit)
    fail(ErrorCode::kTooLarge, file.string(), ": ", size, " bytes exceed the limit of ", kLimit);
  std::string text(static_cast<std::size_t>(size), '\0');
  if (!stream.read(text.data(), static_cast<std::streamsize>(size)))
    fail(ErrorCode::kIo, file.string(), ": cannot be read");
  return JsonDocument(std::move(text), file.string());
}

std::optional<JsonDocument> JsonDocument::read_if_there(const std::filesystem::path& file) {
  std::error_code error;
  if (!std::filesystem::exists(file, error)) return std::nullopt;
  return read(file);
}

}  // namespace vecstore::models
