// The pages of LMDB's data file (0.9, 64-bit), read without the engine, which trusts what it maps. Here
// nothing is trusted: every number is checked before use, and every page is used once. docs/format.md draws
// the pages.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/os_file.hpp"
#include "storage/format.hpp"

namespace vecstore::storage {

inline constexpr std::uint64_t kNoPage = ~std::uint64_t{0};
inline constexpr std::size_t kMetaPages = 2;

/// The descriptor of one tree, as LMDB stores it.
struct TreeRecord {
  std::uint32_t pad = 0;  ///< Of the free list: the page size.
  std::uint16_t flags = 0;
  std::uint16_t depth = 0;
  std::uint64_t branch_pages = 0;
  std::uint64_t leaf_pages = 0;
  std::uint64_t overflow_pages = 0;
  std::uint64_t entries = 0;
  std::uint64_t root = kNoPage;

  bool operator==(const TreeRecord&) const = default;
};
static_assert(sizeof(TreeRecord) == 48);

/// One of the two meta pages.
struct MetaPage {
  std::uint64_t txn = 0;
  std::uint64_t last_page = 0;
  std::uint64_t map_size = 0;
  std::uint32_t page_size = 0;
  TreeRecord free;
  TreeRecord main;

  bool operator==(const MetaPage&) const = default;
};

/// The file, read page by page with pread: a bad sector or a file that shrinks is an answer, not a signal.
class PageFile {
 public:
  /// Pages have the machine's size, as LMDB's. Throws what File::open throws.
  explicit PageFile(const std::string& path);
  std::uint32_t page_size() const { return page_size_; }
  /// Bytes in the file, as of now.
  std::uint64_t bytes() const { return file_.size(); }
  /// Reads from `offset` within a page on; false when the file ends before, or the device cannot read it.
  bool read(std::uint64_t page, std::uint64_t offset, std::span<char> out) const;

 private:
  os::File file_;
  std::uint32_t page_size_;
};

/// One entry of a branch or leaf page.
struct PageNode {
  std::string_view key;
  std::string_view data;    ///< Leaf: the value, or eight bytes with the number of its overflow page.
  std::uint64_t child = 0;  ///< Branch: page number.
  std::uint64_t size = 0;   ///< Leaf: bytes of the value.
  bool overflow = false;
  bool subtree = false;  ///< The value is a TreeRecord.
};

/// A branch or leaf page whose every entry lies inside it and apart from the others.
class PageView {
 public:
  /// nullptr, or what is wrong; then the view must not be used. `bytes` is one page.
  const char* parse(std::string_view bytes, std::uint64_t number);
  bool leaf() const { return leaf_; }
  std::uint32_t count() const { return count_; }
  PageNode node(std::uint32_t i) const;

 private:
  std::string_view bytes_;
  bool leaf_ = false;
  std::uint32_t count_ = 0;
  std::vector<std::uint64_t> taken_;  // two-byte units that entries use
};

/// Walks every page that one meta page leads to, once, and reports what is wrong with their structure.
class PageWalk {
 public:
  using Report = std::function<void(std::string_view kind, std::string detail)>;
  PageWalk(const PageFile& file, const MetaPage& meta, Report report);

  /// The trees of the data: main keyspace first, then those that it names. `on_key` may be empty.
  void walk_data(const std::function<void(Keyspace, std::string_view key)>& on_key);
  /// The free list; afterwards `free_past_end` is known.
  void walk_free();
  /// After both: every page must be either used or free.
  void check_accounts();

  const TreeRecord& tree(Keyspace keyspace) const { return trees_[static_cast<std::size_t>(keyspace)]; }
  /// The last page that a tree of the data or the free list itself needs.
  std::uint64_t largest_used() const { return largest_used_; }
  /// True for pages that were come across, as used or as free.
  bool taken(std::uint64_t page) const {
    return page / 64 < taken_.size() && (taken_[page / 64] >> (page % 64) & 1);
  }
  /// How many pages that the file does not reach are listed as free.
  std::uint64_t free_past_end() const { return past_end_.size(); }
  /// The newest transaction in the free list: the one that wrote it. nullopt when the list is empty.
  std::optional<std::uint64_t> newest_free() const { return newest_free_; }
  std::uint64_t pages_read() const { return pages_read_; }
  /// True for an edge that must not be followed: it leads to a damaged or a used page. `parent` is a page or
  /// kNoPage - tree.
  bool bad_edge(std::uint64_t parent, std::uint32_t index) const {
    return !bad_edges_.empty() && bad_edges_.contains({parent, index});
  }
  static std::uint64_t root_edge(Keyspace keyspace) { return kNoPage - static_cast<std::uint64_t>(keyspace); }

 private:
  struct Tree;
  struct Level;
  void walk_tree(Tree& tree, const TreeRecord& record);
  bool descend(Tree& tree, std::uint64_t page, std::size_t depth, std::string_view low,
               std::string_view high);
  bool check_order(const Tree& tree, const PageView& view, std::string_view low, std::string_view high) const;
  void visit_leaf(Tree& tree, const PageView& view, std::uint64_t page);
  bool take_overflow(Tree& tree, const PageNode& node);
  void add_free_pages(std::uint64_t txn, std::string_view list);
  void add_subtree(const PageNode& node);
  bool take(std::uint64_t page, std::uint64_t count);
  bool damaged(std::string_view detail, std::uint64_t page);

  const PageFile& file_;
  MetaPage meta_;
  Report report_;
  std::uint64_t file_pages_;
  std::vector<std::uint64_t> taken_;
  std::set<std::uint64_t> past_end_;
  std::set<std::pair<std::uint64_t, std::uint32_t>> bad_edges_;
  std::array<TreeRecord, kKeyspaces> trees_;
  std::array<bool, kKeyspaces> named_{};
  std::vector<Level> levels_;
  std::uint64_t taken_count_ = 0;
  std::uint64_t largest_used_ = 0;
  std::uint64_t pages_read_ = 0;
  std::optional<std::uint64_t> newest_free_;
  bool structure_bad_ = false;

 public:
  ~PageWalk();
  PageWalk(const PageWalk&) = delete;
  PageWalk& operator=(const PageWalk&) = delete;
};

/// Walks the entries of one keyspace in order, on the pages that a PageWalk found sound. Views die with the
/// next move.
class TreeCursor {
 public:
  TreeCursor(const PageFile& file, const PageWalk& walk, Keyspace keyspace);
  /// To the first entry with a key >= `key`; false at the end.
  bool seek(std::string_view key);
  bool next();
  std::string_view key() const { return key_; }
  /// nullopt when its pages were reported as damaged.
  std::optional<std::string_view> value();

 private:
  struct Step {
    std::vector<char> bytes;
    PageView view;
    std::uint64_t page = 0;
    std::uint32_t at = 0;
  };
  bool enter(std::uint64_t parent, std::uint32_t index, std::uint64_t page);
  bool settle();

  const PageFile& file_;
  const PageWalk& walk_;
  TreeRecord tree_;
  std::uint64_t root_edge_;
  std::vector<Step> steps_;  // as many as the tree is deep; `depth_` of them are in use
  std::size_t depth_ = 0;
  std::string_view key_;
  std::string value_;
};

}  // namespace vecstore::storage
