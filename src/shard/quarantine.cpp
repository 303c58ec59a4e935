#include "shard/quarantine.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/os_file.hpp"
#include "storage/segment_list.hpp"

namespace vecstore::shard {
namespace {

constexpr std::string_view kMark = ".vsx.bad-";

/// When the file was put aside; -1: it is none of these.
std::int64_t time_of(std::string_view file_name) {
  const std::size_t mark = file_name.find(kMark);
  if (mark == std::string_view::npos) return -1;
  const char* end = file_name.data() + file_name.size();
  std::int64_t time = -1;
  const auto [stop, error] = std::from_chars(file_name.data() + mark + kMark.size(), end, time);
  return error == std::errc() && stop == end ? time : -1;
}

}  // namespace

bool is_quarantined(std::string_view file_name) { return time_of(file_name) >= 0; }

void quarantine(const std::string& database, std::uint64_t number) noexcept {
  try {
    const std::string path = storage::segment_path(database, number);
    if (!os::exists(path)) return;
    os::rename_file(path, concat(storage::segment_directory(database), "/", number, kMark,
                                 std::max<std::int64_t>(0, Clock::system().wall_ms())));
    trim_quarantine(database, kMostQuarantined);
  } catch (...) {
    // The segment is not used whatever its name is.
  }
}

std::size_t trim_quarantine(const std::string& database, std::size_t keep) noexcept {
  std::size_t removed = 0;
  try {
    const std::string directory = storage::segment_directory(database);
    std::vector<std::pair<std::int64_t, std::string>> files;
    for (std::string& name : os::list_directory(directory)) {
      if (is_quarantined(name)) files.emplace_back(time_of(name), directory + "/" + name);
    }
    std::sort(files.rbegin(), files.rend());
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i < files.size(); ++i) {
      std::error_code ignored;
      const auto size = std::filesystem::file_size(files[i].second, ignored);
      bytes += ignored ? 0 : size;
      if (i < keep && (i == 0 || bytes <= kMostQuarantinedBytes)) continue;
      removed += os::remove_file(files[i].second);
    }
  } catch (...) {
    // Tried again with the next damaged file.
  }
  return removed;
}

}  // namespace vecstore::shard
