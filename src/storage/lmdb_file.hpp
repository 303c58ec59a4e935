// The data file seen without the engine: what can be checked before LMDB maps it, since LMDB trusts what it
// maps.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "storage/lmdb_pages.hpp"

namespace vecstore::storage {

/// The two meta pages as they stand in the file; nullopt for one whose numbers contradict each other.
/// `newest` is the one that LMDB takes. kCorruption when the parts of a meta page that are written once are
/// damaged, kUnsupportedFormat for another byte order, word size, page size or LMDB data format.
struct MetaPages {
  std::array<std::optional<MetaPage>, kMetaPages> pages;
  std::array<std::uint64_t, kMetaPages> txns{};
  std::size_t newest = 0;
};
MetaPages read_meta_pages(const PageFile& file, const std::string& path);

/// What is wrong with the transaction numbers; empty when nothing is. One that was damaged makes LMDB take
/// the page before the last, and the last commit would be gone without a trace but this one: each page leads
/// to a free list that its own transaction wrote. Where the numbers follow each other only the newest page is
/// asked, at the cost of one path down its free list; a page torn by a power failure is sound.
std::string meta_txn_damage(const PageFile& file, const MetaPages& metas);

/// Checks what LMDB would trust before it maps the file, and returns the newer meta page. Throws kCorruption
/// (empty, truncated, zeroed or random file), and what read_meta_pages throws. Cost: a handful of pages;
/// where the file is shorter than its meta page says, also the free list. A commit may run meanwhile. Changes
/// nothing.
MetaPage check_data_file(const std::string& path);

}  // namespace vecstore::storage
