// Segment files that are damaged or lie.
#pragma once
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "bad_input/fixture.hpp"
#include "io/index_file.hpp"

namespace vecstore {

namespace fs = std::filesystem;

using Bytes = std::vector<std::byte>;

inline void set32(Bytes& bytes, std::size_t place, std::uint32_t value) {
  std::memcpy(bytes.data() + 4 * place, &value, sizeof value);
}
inline std::uint32_t get32(const Bytes& bytes, std::size_t place) {
  std::uint32_t value = 0;
  std::memcpy(&value, bytes.data() + 4 * place, sizeof value);
  return value;
}

inline std::string newest(const std::string& database) {
  std::map<unsigned long, std::string> found;
  for (const auto& entry : fs::directory_iterator(database + "/seg")) {
    if (entry.path().extension() == ".vsx") found[std::stoul(entry.path().stem())] = entry.path();
  }
  return found.rbegin()->second;
}
inline std::vector<std::string> put_aside(const std::string& database) {
  std::vector<std::string> out;
  for (const auto& entry : fs::directory_iterator(database + "/seg")) {
    const std::string name = entry.path().filename();
    const std::size_t mark = name.find(".vsx.bad-");
    if (mark == std::string::npos) continue;
    EXPECT_EQ(name.find_first_not_of("0123456789", mark + 9), std::string::npos) << name;
    out.push_back(name);
  }
  return out;
}

inline void flip(const std::string& path, std::size_t at) {
  std::string bytes = read_file(path);
  ASSERT_LT(at, bytes.size());
  bytes[at] = static_cast<char>(bytes[at] ^ 4);
  write_file(path, bytes);
}
/// Where a section begins in a file.
inline std::size_t place(const std::string& path, std::uint32_t section) {
  const auto file = io::IndexFile::open(path);
  const auto bytes = file->read(section);
  const std::string_view wanted(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return read_file(path).find(wanted);
}
/// Writes a segment file again, with right checksums, after `change` had one of its sections.
inline void lie(const std::string& path, std::uint32_t section, const std::function<void(Bytes&)>& change) {
  const auto size = fs::file_size(path);
  const auto file = io::IndexFile::open(path);
  std::map<std::pair<std::size_t, std::size_t>, std::uint32_t> order;  // as they lie in the file
  for (std::uint32_t id : file->section_ids()) {
    const auto bytes = file->unchecked(id);
    order.emplace(std::pair(reinterpret_cast<std::size_t>(bytes.data()), bytes.size()), id);
  }
  const fs::path target(path);
  {
    io::IndexFileWriter writer(target.parent_path(), target.filename(), file->info(), 33);
    for (const auto& [place, id] : order) {
      const auto bytes = file->read(id);
      Bytes copy(bytes.begin(), bytes.end());
      if (id == section) change(copy);
      writer.add(id, copy);
    }
    writer.finish();
  }
  ASSERT_EQ(fs::file_size(path), size) << "the length would give it away";
}

}  // namespace vecstore
