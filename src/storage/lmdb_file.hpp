// The data file seen without the engine: what can be checked before LMDB maps it, since LMDB trusts what it maps.
#pragma once
#include <cstdint>
#include <string>

namespace vecstore::storage {

/// One of the two meta pages, as far as it is sane.
struct MetaPage {
  std::uint64_t txn = 0;
  std::uint64_t last_page = 0;
  std::uint32_t page_size = 0;
  std::uint64_t map_size = 0;
  std::uint64_t main_root = 0;
  std::uint64_t free_root = 0;
};

/// Reads the newer sane meta page. Throws kCorruption (empty, truncated, zeroed or random file), kUnsupportedFormat
/// (another byte order, word size, page size or LMDB data format). Changes nothing.
MetaPage check_data_file(const std::string& path);

}  // namespace vecstore::storage
