#include "storage/lmdb_file.hpp"

#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace vecstore::storage {
namespace {

constexpr std::uint32_t kMagic = 0xBEEFC0DE;
constexpr std::uint32_t kSwappedMagic = 0xDEC0EFBE;
constexpr std::uint32_t kDataVersion = 1;
constexpr std::uint16_t kMetaFlag = 0x08;
constexpr std::size_t kMetaBytes = 16 + 136;
constexpr std::size_t kNarrowMagicAt = 12;  // where 32-bit builds of LMDB have it
constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 47;
constexpr std::uint64_t kMostMissing = 4 * std::uint64_t{kMaxCommitBytes};  // what leaked pages may come to
constexpr int kTries = 8;

// The parts that LMDB writes once. A commit rewrites what follows them, 120 bytes within one sector.
void check_fixed(const char* page, const std::string& path, int number, std::uint32_t page_size) {
  const auto magic = load<std::uint32_t>(page + 16);
  if (magic == kSwappedMagic)
    fail(ErrorCode::kUnsupportedFormat, "'", path, "' was written with the other byte order");
  if (load<std::uint32_t>(page + kNarrowMagicAt) == kMagic) {
    fail(ErrorCode::kUnsupportedFormat, "'", path, "' was written by a 32-bit program, this one has 64 bits");
  }
  if (magic != kMagic || !(load<std::uint16_t>(page + 10) & kMetaFlag)) {
    fail(ErrorCode::kCorruption, "'", path, "': meta page ", number, " does not begin like one");
  }
  const auto version = load<std::uint32_t>(page + 20);
  if (version != kDataVersion) {
    fail(ErrorCode::kUnsupportedFormat, "'", path, "' has LMDB data format ", version,
         ", this version reads ", kDataVersion);
  }
  const auto stored = load<std::uint32_t>(page + 40);
  if (stored == page_size) return;
  if (number == 0 && stored >= 512 && stored <= 65536 && (stored & (stored - 1)) == 0) {
    fail(ErrorCode::kUnsupportedFormat, "'", path, "' has pages of ", stored, " bytes, this machine ",
         page_size);
  }
  fail(ErrorCode::kCorruption, "'", path, "': meta page ", number, " says that pages have ", stored,
       " bytes");
}

// A meta page as a 64-bit LMDB 0.9 lays it out: page header (16 bytes), then magic, version, fixed address,
// map size, the two trees' descriptors (48 bytes each; the first carries the page size), last page,
// transaction.
std::optional<MetaPage> read_meta(const char* page, std::uint64_t number, std::uint32_t page_size) {
  const char* m = page + 16;
  MetaPage out;
  out.map_size = load<std::uint64_t>(m + 16);
  out.free = load<TreeRecord>(m + 24);
  out.main = load<TreeRecord>(m + 72);
  out.last_page = load<std::uint64_t>(m + 120);
  out.txn = load<std::uint64_t>(m + 128);
  out.page_size = out.free.pad;
  const auto inside = [&](const TreeRecord& tree) {
    return tree.root == kNoPage ? tree.depth == 0
                                : tree.root >= kMetaPages && tree.root <= out.last_page && tree.depth > 0;
  };
  if (load<std::uint64_t>(page) != number) return std::nullopt;
  if (out.last_page < kMetaPages - 1 || out.last_page >= kMostBytes / page_size) return std::nullopt;
  if (!inside(out.free) || !inside(out.main)) return std::nullopt;
  // Transaction n writes page n % 2, and LMDB looks for it there; a new file has 0 on both.
  if (out.txn != 0 && out.txn % kMetaPages != number) return std::nullopt;
  return out;
}

std::vector<char> read_head(const PageFile& file) {
  std::vector<char> head(kMetaPages * kMetaBytes);
  for (std::size_t i = 0; i < kMetaPages; ++i) {
    if (!file.read(i, 0, std::span(head).subspan(i * kMetaBytes, kMetaBytes))) return {};
  }
  return head;
}

// The transaction that wrote the free list: its last key, down the right edge. nullopt when it is empty, or
// damaged on the way.
std::optional<std::uint64_t> free_list_writer(const PageFile& file, const MetaPage& meta) {
  std::vector<char> bytes(file.page_size());
  std::uint64_t page = meta.free.root;
  for (std::size_t left = meta.free.depth; left > 0; --left) {
    PageView view;
    if (page == kNoPage || !file.read(page, 0, bytes) || view.parse({bytes.data(), bytes.size()}, page))
      break;
    if (view.leaf() != (left == 1)) break;
    const PageNode last = view.node(view.count() - 1);
    if (view.leaf()) {
      if (last.key.size() == sizeof(std::uint64_t)) return load<std::uint64_t>(last.key.data());
      break;
    }
    page = last.child;
  }
  return std::nullopt;
}

// LMDB allocates pages at the end of the file and may free them before anything was written there: the file
// then ends before the last page. That is sound only if all that is missing is free. When the free list does
// not say so, the trees are asked what they need: a list that leaks pages loses space, not data.
bool missing_pages_are_free(const PageFile& file, const MetaPage& meta) {
  bool sound = true;
  const auto report = [&](std::string_view, const std::string&) { sound = false; };
  PageWalk walk(file, meta, report);
  walk.walk_free();
  const std::uint64_t missing = meta.last_page + 1 - file.bytes() / meta.page_size;
  if (sound && walk.free_past_end() == missing) return true;
  if (missing > kMostMissing / meta.page_size) return false;
  sound = true;
  PageWalk data(file, meta, report);
  data.walk_data({});
  return sound && data.largest_used() < file.bytes() / meta.page_size;
}

// What is checked of the page that a commit does not touch while this runs.
MetaPage check_newest(const PageFile& file, const std::string& path) {
  const MetaPages metas = read_meta_pages(file, path);
  const auto& newest = metas.pages[metas.newest];
  const std::uint64_t bytes =
      file.bytes();  // after the meta page: a file that grows meanwhile is long enough
  if (const std::string wrong = meta_txn_damage(file, metas); !wrong.empty()) {
    fail(ErrorCode::kCorruption, "'", path, "': ", wrong);
  }
  if (!newest)
    fail(ErrorCode::kCorruption, "'", path, "': the newer meta page, ", metas.newest, ", is damaged");
  if ((newest->last_page + 1) * newest->page_size > bytes && !missing_pages_are_free(file, *newest)) {
    fail(ErrorCode::kCorruption, "'", path, "' was truncated: it has ", bytes, " bytes, its last page is ",
         newest->last_page);
  }
  std::vector<char> page(file.page_size());
  for (const TreeRecord* tree : {&newest->free, &newest->main}) {
    if (tree->root == kNoPage) continue;
    PageView view;
    const char* wrong = file.read(tree->root, 0, page) ? view.parse({page.data(), page.size()}, tree->root)
                                                       : "cannot be read";
    if (wrong)
      fail(ErrorCode::kCorruption, "'", path, "': page ", tree->root, ", the root of a tree, ", wrong);
  }
  return *newest;
}

}  // namespace

MetaPages read_meta_pages(const PageFile& file, const std::string& path) {
  const std::vector<char> head = read_head(file);
  if (head.empty() || file.bytes() < kMetaPages * file.page_size()) {
    fail(ErrorCode::kCorruption, "'", path, "' has ", file.bytes(), " bytes; a store has at least ",
         kMetaPages * file.page_size());
  }
  MetaPages out;
  for (std::size_t i = 0; i < kMetaPages; ++i) {
    const char* page = head.data() + i * kMetaBytes;
    check_fixed(page, path, static_cast<int>(i), file.page_size());
    out.pages[i] = read_meta(page, i, file.page_size());
    out.txns[i] = load<std::uint64_t>(page + 16 + 128);
  }
  // As LMDB decides. Power that fails while a meta page is written leaves its transaction number, which is
  // written last, as it was: the torn page is the older one, and what it says does not matter.
  out.newest = out.txns[0] < out.txns[1];
  return out;
}

std::string meta_txn_damage(const PageFile& file, const MetaPages& metas) {
  const std::size_t older = 1 - metas.newest;
  const std::uint64_t newest = metas.txns[metas.newest];
  if (newest == 0) return {};
  if (metas.txns[older] + 1 == newest) {
    // The older one of two may have been raised past the newer one by a single bit.
    const auto& page = metas.pages[metas.newest];
    const auto wrote = page && newest > 1 ? free_list_writer(file, *page) : std::nullopt;
    if (!wrote || *wrote == newest) return {};
    return concat("meta page ", metas.newest, " names transaction ", newest,
                  ", its free list was written by ", *wrote);
  }
  if (metas.txns[older] % kMetaPages != older) {
    return concat("meta page ", older, " names transaction ", metas.txns[older]);
  }
  for (const std::size_t i : {metas.newest, older}) {
    if (!metas.pages[i]) continue;
    PageWalk walk(file, *metas.pages[i], [](std::string_view, const std::string&) {});
    walk.walk_free();
    const auto wrote = walk.newest_free();
    // Without syncs of meta pages the older one may be much older, its pages used again: it must not be
    // newer, that is all.
    if (wrote && (i == older ? *wrote > newest : *wrote != newest)) {
      return concat("meta page ", i, " names transaction ", metas.txns[i], ", its free list was written by ",
                    *wrote);
    }
  }
  return {};
}

MetaPage check_data_file(const std::string& path) {
  const PageFile file(path);
  for (int left = kTries;; --left) {
    const std::vector<char> before = read_head(file);
    try {
      return check_newest(file, path);
    } catch (const Error&) {
      // Another process may have committed while this one read: only what stands still is damaged.
      if (left == 0 || before == read_head(file)) throw;
    }
  }
}

}  // namespace vecstore::storage
