#include "models/model_search.hpp"

#include <cstdlib>
#include <vector>

#include "base/error.hpp"
#include "vecstore/models.hpp"

namespace vecstore {
namespace models {
namespace {

namespace fs = std::filesystem;

std::string_view environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view() : value;
}

// A folder counts as a model if it has one of the files that every model has.
bool holds_model(const fs::path& folder) {
  std::error_code error;
  return fs::is_regular_file(folder / "config.json", error) ||
         fs::is_regular_file(folder / "modules.json", error);
}

std::vector<fs::path> model_dirs(std::span<const std::string> search_dirs) {
  std::vector<fs::path> dirs;
  std::string_view list = environment("VECSTORE_MODELS");
  while (!list.empty()) {
    const std::string_view dir = list.substr(0, list.find(':'));
    if (!dir.empty()) dirs.emplace_back(dir);
    list.remove_prefix(std::min(list.size(), dir.size() + 1));
  }
  dirs.insert(dirs.end(), search_dirs.begin(), search_dirs.end());
#ifdef VECSTORE_INSTALL_PREFIX
  dirs.emplace_back(fs::path(VECSTORE_INSTALL_PREFIX) / "share/vecstore/models");
#endif
  if (const std::string_view cache = environment("XDG_CACHE_HOME"); !cache.empty()) {
    dirs.emplace_back(fs::path(cache) / "vecstore/models");
  } else if (const std::string_view home = environment("HOME"); !home.empty()) {
    dirs.emplace_back(fs::path(home) / ".cache/vecstore/models");
  }
  return dirs;
}

}  // namespace

FoundModel find_model(std::string_view name, std::span<const std::string> search_dirs) {
  if (name.empty()) invalid("model: the name is empty");
  if (name.find('\0') != std::string_view::npos) invalid("model: the name has a zero byte");
  const fs::path path(name);
  std::error_code error;
  if (holds_model(path)) return {path, fs::weakly_canonical(path, error).string()};
  std::string tried = fs::absolute(path, error).string();
  if (name.find('/') == std::string_view::npos && name != "." && name != "..") {
    for (const fs::path& dir : model_dirs(search_dirs)) {
      if (holds_model(dir / path)) return {dir / path, std::string(name)};
      tried += ", " + (dir / path).string();
    }
  }
  fail(ErrorCode::kNotFound, "model \"", name, "\": no folder with a config.json or modules.json at ", tried);
}

}  // namespace models

Embedder load_embedder(std::string_view name, std::span<const std::string> search_dirs) {
  LoadOptions options;
  options.search_dirs.assign(search_dirs.begin(), search_dirs.end());
  try {
    return SentenceTransformer::load(name, options);
  } catch (const Error& e) {
    const std::string last = std::filesystem::path(name).filename().string();
    if (e.code() != ErrorCode::kNotFound || last.empty() || last == name) throw;
    try {
      return SentenceTransformer::load(last, options);
    } catch (const Error& second) {
      if (second.code() != ErrorCode::kNotFound) throw;
      fail(ErrorCode::kNotFound, e.what(), "; ", second.what());
    }
  }
}

}  // namespace vecstore
