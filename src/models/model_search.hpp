// Where models are looked for.
#pragma once
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace vecstore::models {

struct FoundModel {
  std::filesystem::path folder;
  std::string name;  ///< As SentenceTransformer::name says.
};

/// The order that SentenceTransformer::load promises. Throws kInvalidArgument for an empty name or one with a
/// zero byte, kNotFound that lists the places tried.
FoundModel find_model(std::string_view name_or_path, std::span<const std::string> search_dirs);

}  // namespace vecstore::models
