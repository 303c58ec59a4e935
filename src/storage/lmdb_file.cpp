#include "storage/lmdb_file.hpp"

#include <unistd.h>

#include <optional>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "io/file.hpp"

namespace vecstore::storage {
namespace {

constexpr std::uint32_t kMagic = 0xBEEFC0DE;
constexpr std::uint32_t kSwappedMagic = 0xDEC0EFBE;
constexpr std::uint32_t kDataVersion = 1;
constexpr std::uint64_t kNoPage = ~std::uint64_t{0};
constexpr std::uint16_t kMetaFlag = 0x08;

// A meta page as a 64-bit LMDB 0.9 lays it out: page header (16 bytes), then magic, version, fixed address, map size, the
// two tables' descriptors (48 bytes each; the first carries the page size), last page, transaction.
std::optional<MetaPage> read_meta(const char* page, std::uint64_t file_size, std::uint32_t page_size) {
  if (!(load<std::uint16_t>(page + 10) & kMetaFlag)) return std::nullopt;
  const char* m = page + 16;
  if (load<std::uint32_t>(m) != kMagic || load<std::uint32_t>(m + 4) != kDataVersion) return std::nullopt;
  MetaPage out;
  out.map_size = load<std::uint64_t>(m + 16);
  out.page_size = load<std::uint32_t>(m + 24);
  out.free_root = load<std::uint64_t>(m + 24 + 40);
  out.main_root = load<std::uint64_t>(m + 72 + 40);
  out.last_page = load<std::uint64_t>(m + 120);
  out.txn = load<std::uint64_t>(m + 128);
  if (out.page_size != page_size) return std::nullopt;
  const auto inside = [&](std::uint64_t root) { return root == kNoPage || (root >= 2 && root <= out.last_page); };
  if (!inside(out.free_root) || !inside(out.main_root)) return std::nullopt;
  if (out.last_page < 1 || out.last_page > (file_size / page_size) || (out.last_page + 1) * page_size > file_size) return std::nullopt;
  return out;
}

}  // namespace

MetaPage check_data_file(const std::string& path) {
  const io::File file = io::File::open(path, io::OpenMode::kRead);
  const std::uint64_t size = file.size();
  const auto page_size = static_cast<std::uint32_t>(::sysconf(_SC_PAGESIZE));
  if (size < 2 * std::uint64_t{page_size}) {
    fail(ErrorCode::kCorruption, "'", path, "' has ", size, " bytes; a store has at least ", 2 * page_size);
  }
  std::vector<char> head(2 * page_size);
  file.pread({reinterpret_cast<std::byte*>(head.data()), head.size()}, 0);
  const auto magic = load<std::uint32_t>(head.data() + 16);
  if (magic == kSwappedMagic) fail(ErrorCode::kUnsupportedFormat, "'", path, "' was written with the other byte order");
  if (magic == kMagic) {
    const auto version = load<std::uint32_t>(head.data() + 20);
    if (version != kDataVersion) {
      fail(ErrorCode::kUnsupportedFormat, "'", path, "' has LMDB data format ", version, ", this version reads ", kDataVersion);
    }
    const auto stored = load<std::uint32_t>(head.data() + 40);
    if (stored != page_size && stored >= 512 && stored <= 65536 && (stored & (stored - 1)) == 0) {
      fail(ErrorCode::kUnsupportedFormat, "'", path, "' has pages of ", stored, " bytes, this machine ", page_size);
    }
  }
  const auto first = read_meta(head.data(), size, page_size);
  const auto second = read_meta(head.data() + page_size, size, page_size);
  if (!first && !second) fail(ErrorCode::kCorruption, "'", path, "': neither meta page is valid for a file of ", size, " bytes");
  // LMDB takes the newer of the two without asking whether the file is long enough; a damaged one must not be taken.
  if (!first || !second) {
    fail(ErrorCode::kCorruption, "'", path, "': meta page ", first ? 1 : 0, " is damaged, or the file of ", size, " bytes was truncated");
  }
  return first->txn >= second->txn ? *first : *second;
}

}  // namespace vecstore::storage
