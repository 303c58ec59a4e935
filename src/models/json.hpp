// Reading a model's JSON files: a thin face on the parser that gives nothing where something is missing.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace vecstore::models {

/// A value inside a JsonDocument, or nothing. Valid while the document lives.
class Json {
 public:
  Json();
  ~Json();
  Json(const Json&);
  Json& operator=(const Json&) = delete;

  bool exists() const;
  bool is_object() const;
  bool is_array() const;
  bool is_null() const;
  /// The member of an object; nothing if there is none or this is no object.
  Json get(std::string_view key) const;
  std::optional<std::string> as_string() const;
  std::optional<std::uint64_t> as_unsigned() const;
  std::optional<double> as_number() const;
  std::optional<bool> as_bool() const;
  /// Calls for each element of an array; not at all for anything else.
  void each(const std::function<void(const Json&)>& f) const;
  void each_member(const std::function<void(std::string_view key, const Json&)>& f) const;

 private:
  friend class JsonDocument;
  struct Impl;
  explicit Json(const Impl& impl);
  std::unique_ptr<Impl> impl_;
};

class JsonDocument {
 public:
  /// Throws kCorruption with `where` and the reason.
  JsonDocument(std::string text, const std::string& where);
  /// Reads a file of at most 256 MiB; throws kNotFound, kTooLarge, kCorruption.
  static JsonDocument read(const std::filesystem::path& file);
  /// The same, but nothing if the file does not exist.
  static std::optional<JsonDocument> read_if_there(const std::filesystem::path& file);
  ~JsonDocument();
  JsonDocument(JsonDocument&&) noexcept;
  JsonDocument& operator=(JsonDocument&&) = delete;

  const Json& root() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace vecstore::models
