#include "storage/lmdb_pages.hpp"

#include <unistd.h>

#include <algorithm>

#include "base/bytes.hpp"

namespace vecstore::storage {
namespace {

constexpr std::size_t kPageHeader = 16;
constexpr std::size_t kNodeHeader = 8;
constexpr std::size_t kLongestKey = 511;
constexpr std::size_t kDeepest = 32;  // LMDB's cursors are no deeper
constexpr std::uint64_t kLongestValue = 4 * std::uint64_t{kMaxCommitBytes};
constexpr std::size_t kMostBadEdges = 100'000;

constexpr std::uint16_t kBranchPage = 0x01;
constexpr std::uint16_t kLeafPage = 0x02;
constexpr std::uint16_t kOverflowPage = 0x04;
constexpr std::uint16_t kBigData = 0x01;
constexpr std::uint16_t kSubData = 0x02;
constexpr std::uint16_t kIntegerKey = 0x08;

constexpr std::string_view kTreeNames[kKeyspaces] = {"", "vec", "doc", "ids", "aux", "log"};

std::size_t even(std::size_t n) { return (n + 1) & ~std::size_t{1}; }

std::uint64_t overflow_pages(std::uint64_t size, std::uint64_t page_size) {
  return (kPageHeader - 1 + size) / page_size + 1;
}

}  // namespace

PageFile::PageFile(const std::string& path)
    : file_(os::File::open(path, os::OpenMode::kRead)),
      page_size_(static_cast<std::uint32_t>(::sysconf(_SC_PAGESIZE))) {}

bool PageFile::read(std::uint64_t page, std::uint64_t offset, std::span<char> out) const {
  if (page > (std::uint64_t{1} << 62) / page_size_) return false;
  try {
    const std::span<std::byte> bytes(reinterpret_cast<std::byte*>(out.data()), out.size());
    return file_.pread_some(bytes, page * page_size_ + offset) == out.size();
  } catch (const Error&) {
    return false;
  }
}

const char* PageView::parse(std::string_view bytes, std::uint64_t number) {
  bytes_ = bytes;
  const std::size_t size = bytes.size();
  if (load<std::uint64_t>(bytes.data()) != number) return "carries another number";
  const auto flags = load<std::uint16_t>(bytes.data() + 10);
  if (flags != kBranchPage && flags != kLeafPage) return "is neither branch nor leaf";
  leaf_ = flags == kLeafPage;
  const std::size_t lower = load<std::uint16_t>(bytes.data() + 12);
  const std::size_t upper = load<std::uint16_t>(bytes.data() + 14);
  if (lower < kPageHeader + 2 || lower % 2 || lower > upper || upper > size) return "has its bounds wrong";
  count_ = static_cast<std::uint32_t>((lower - kPageHeader) / 2);
  taken_.assign((size / 2 + 63) / 64, 0);
  std::size_t sum = 0;
  for (std::uint32_t i = 0; i < count_; ++i) {
    const std::size_t at = load<std::uint16_t>(bytes.data() + kPageHeader + 2 * i);
    if (at < upper || at % 2 || at + kNodeHeader > size) return "has an entry outside its bounds";
    const char* p = bytes.data() + at;
    const auto node_flags = load<std::uint16_t>(p + 4);
    const std::size_t key = load<std::uint16_t>(p + 6);
    if (key > kLongestKey) return "has a key that is too long";
    std::uint64_t length = kNodeHeader + key;
    if (leaf_) {
      if (node_flags > kSubData) return "has an entry of unknown kind";
      if (key == 0) return "has an empty key";
      const auto data = load<std::uint32_t>(p);
      length += node_flags == kBigData ? sizeof(std::uint64_t) : data;
      if (node_flags == kSubData && data != sizeof(TreeRecord)) return "has a tree record of the wrong size";
    }
    if (at + length > size) return "has an entry outside its bounds";
    length = even(length);
    sum += length;
    for (std::size_t unit = at / 2; unit < (at + length) / 2; ++unit) {
      std::uint64_t& word = taken_[unit / 64];
      const std::uint64_t bit = std::uint64_t{1} << (unit % 64);
      if (word & bit) return "has entries over each other";
      word |= bit;
    }
  }
  if (sum != size - upper) return "has bytes between its entries";
  return nullptr;
}

PageNode PageView::node(std::uint32_t i) const {
  const char* p = bytes_.data() + load<std::uint16_t>(bytes_.data() + kPageHeader + 2 * i);
  const auto flags = load<std::uint16_t>(p + 4);
  const std::size_t key = load<std::uint16_t>(p + 6);
  PageNode out;
  out.key = {p + kNodeHeader, key};
  if (!leaf_) {
    out.child = load<std::uint32_t>(p) | static_cast<std::uint64_t>(flags) << 32;
    return out;
  }
  out.size = load<std::uint32_t>(p);
  out.overflow = flags == kBigData;
  out.subtree = flags == kSubData;
  out.data = {p + kNodeHeader + key, out.overflow ? sizeof(std::uint64_t) : out.size};
  return out;
}

/// What differs between the trees while they are walked.
struct PageWalk::Tree {
  std::string_view name;
  std::uint64_t root_edge = 0;
  bool integers = false;  // the free list's keys are native numbers
  std::function<void(const PageNode&)> on_node;
  std::size_t depth = 0;
  TreeRecord counted;
};

struct PageWalk::Level {
  std::vector<char> bytes;
  PageView view;
};

PageWalk::PageWalk(const PageFile& file, const MetaPage& meta, Report report)
    : file_(file), meta_(meta), report_(std::move(report)), file_pages_(file.bytes() / file.page_size()) {
  const std::uint64_t pages = std::min(file_pages_, meta.last_page + 1);
  taken_.resize((pages + 63) / 64);
  take(0, kMetaPages);
  largest_used_ = kMetaPages - 1;
}

PageWalk::~PageWalk() = default;

bool PageWalk::damaged(std::string_view detail, std::uint64_t page) {
  structure_bad_ = true;
  report_("page", concat("page ", page, " ", detail));
  return false;
}

// False when one of the pages is outside of the file or has been taken before.
bool PageWalk::take(std::uint64_t page, std::uint64_t count) {
  const std::uint64_t end = std::min(file_pages_, meta_.last_page + 1);
  if (page >= end || count > end - page) return false;
  for (std::uint64_t p = page; p < page + count; ++p) {
    if (taken_[p / 64] >> (p % 64) & 1) return false;
  }
  for (std::uint64_t p = page; p < page + count; ++p) taken_[p / 64] |= std::uint64_t{1} << (p % 64);
  taken_count_ += count;
  return true;
}

void PageWalk::walk_tree(Tree& tree, const TreeRecord& record) {
  const auto wrong = [&](std::string_view what) {
    structure_bad_ = true;
    report_("tree", concat("tree '", tree.name, "': ", what));
  };
  tree.counted = TreeRecord{};
  if (record.flags != (tree.integers ? kIntegerKey : 0)) wrong("its flags are wrong");
  if (!tree.integers && record.pad != 0) wrong("its padding is not zero");
  tree.depth = record.depth;
  if (record.root == kNoPage) {
    if (record.depth != 0) wrong("it has a depth but no root");
  } else if (record.depth == 0 || record.depth > kDeepest) {
    wrong(concat("its depth is ", record.depth));
    bad_edges_.insert({tree.root_edge, 0});
  } else {
    if (levels_.size() < tree.depth) levels_.resize(tree.depth);
    if (!descend(tree, record.root, 0, {}, {})) bad_edges_.insert({tree.root_edge, 0});
  }
  const TreeRecord& c = tree.counted;
  if (c.branch_pages != record.branch_pages || c.leaf_pages != record.leaf_pages ||
      c.overflow_pages != record.overflow_pages || c.entries != record.entries) {
    wrong(concat("it has ", c.entries, " entries on ", c.branch_pages, " branch, ", c.leaf_pages,
                 " leaf and ", c.overflow_pages, " overflow pages; its record says ", record.entries, ", ",
                 record.branch_pages, ", ", record.leaf_pages, " and ", record.overflow_pages));
  }
}

// Keys ascend, and lie in [low, high) where the branch above says so: then every key is found by a search.
bool PageWalk::check_order(const Tree& tree, const PageView& view, std::string_view low,
                           std::string_view high) const {
  const auto number = [](std::string_view key) {
    return key.size() == 8 ? load<std::uint64_t>(key.data()) : 0;
  };
  const auto less = [&](std::string_view a, std::string_view b) {
    return tree.integers ? number(a) < number(b) : a < b;
  };
  const std::uint32_t first = view.leaf() ? 0 : 1;  // the first key of a branch stands for "everything below"
  for (std::uint32_t i = first; i < view.count(); ++i) {
    const std::string_view key = view.node(i).key;
    if (tree.integers && key.size() != 8) return false;
    if (i > first && !less(view.node(i - 1).key, key)) return false;
    if (!low.empty() && less(key, low)) return false;
    if (!high.empty() && !less(key, high)) return false;
  }
  return true;
}

bool PageWalk::descend(Tree& tree, std::uint64_t page, std::size_t depth, std::string_view low,
                       std::string_view high) {
  largest_used_ = std::max(largest_used_, page);
  if (!take(page, 1)) return damaged("is used twice or lies outside of the file", page);
  Level& level = levels_[depth];
  level.bytes.resize(file_.page_size());
  ++pages_read_;
  if (!file_.read(page, 0, level.bytes)) return damaged("cannot be read", page);
  if (const char* wrong = level.view.parse({level.bytes.data(), level.bytes.size()}, page))
    return damaged(wrong, page);
  if (level.view.leaf() != (depth + 1 == tree.depth)) return damaged("stands at the wrong depth", page);
  if (!check_order(tree, level.view, low, high)) return damaged("has keys out of order", page);
  if (level.view.leaf()) {
    ++tree.counted.leaf_pages;
    visit_leaf(tree, level.view, page);
    return true;
  }
  ++tree.counted.branch_pages;
  const std::uint32_t count = level.view.count();
  for (std::uint32_t i = 0; i < count; ++i) {
    const PageNode node = levels_[depth].view.node(i);
    const std::string_view from = i == 0 ? low : node.key;
    const std::string_view to = i + 1 < count ? levels_[depth].view.node(i + 1).key : high;
    if (!descend(tree, node.child, depth + 1, from, to)) bad_edges_.insert({page, i});
    if (bad_edges_.size() > kMostBadEdges)
      fail(ErrorCode::kCorruption, "the pages are damaged in more than ", kMostBadEdges, " places");
  }
  return true;
}

void PageWalk::visit_leaf(Tree& tree, const PageView& view, std::uint64_t page) {
  for (std::uint32_t i = 0; i < view.count(); ++i) {
    const PageNode node = view.node(i);
    ++tree.counted.entries;
    if (node.overflow && !take_overflow(tree, node)) {
      bad_edges_.insert({page, i});
      continue;
    }
    tree.on_node(node);
  }
}

bool PageWalk::take_overflow(Tree& tree, const PageNode& node) {
  const auto page = load<std::uint64_t>(node.data.data());
  const std::uint64_t needed = overflow_pages(node.size, file_.page_size());
  if (page <= (std::uint64_t{1} << 52)) largest_used_ = std::max(largest_used_, page + needed - 1);
  std::array<char, kPageHeader> header;
  ++pages_read_;
  if (node.size > kLongestValue) return damaged("begins a value that is too long", page);
  if (!file_.read(page, 0, header)) return damaged("cannot be read", page);
  if (load<std::uint64_t>(header.data()) != page) return damaged("carries another number", page);
  if (load<std::uint16_t>(header.data() + 10) != kOverflowPage) return damaged("is no overflow page", page);
  const std::uint64_t pages = load<std::uint32_t>(header.data() + 12);
  if (pages < needed) return damaged("has fewer pages than its value needs", page);
  if (!take(page, pages)) return damaged("is used twice or lies outside of the file", page);
  tree.counted.overflow_pages += pages;
  return true;
}

void PageWalk::add_subtree(const PageNode& node) {
  const auto* found = std::find(std::begin(kTreeNames) + 1, std::end(kTreeNames), node.key);
  if (found == std::end(kTreeNames)) {
    structure_bad_ = true;
    report_("tree", concat("the main tree names an unknown tree of ", node.key.size(), " bytes"));
    return;
  }
  const auto i = static_cast<std::size_t>(found - kTreeNames);
  named_[i] = true;
  trees_[i] = load<TreeRecord>(node.data.data());
}

void PageWalk::walk_data(const std::function<void(Keyspace, std::string_view)>& on_key) {
  trees_[0] = meta_.main;
  for (std::size_t i = 0; i < kKeyspaces; ++i) {
    const auto keyspace = static_cast<Keyspace>(i);
    if (i > 0 && !named_[i]) {
      structure_bad_ = true;
      report_("tree", concat("tree '", kTreeNames[i], "' is missing"));
      continue;
    }
    Tree tree{.name = i == 0 ? "main" : kTreeNames[i], .root_edge = root_edge(keyspace)};
    tree.on_node = [&](const PageNode& node) {
      if (node.subtree && i == 0) return add_subtree(node);
      if (node.subtree) return report_("tree", concat("tree '", tree.name, "' holds a tree"));
      if (on_key) on_key(keyspace, node.key);
    };
    walk_tree(tree, trees_[i]);
  }
}

void PageWalk::add_free_pages(std::uint64_t txn, std::string_view list) {
  const auto wrong = [&](std::string_view what) {
    structure_bad_ = true;
    report_("free_list", concat("free list of transaction ", txn, ": ", what));
  };
  if (txn == 0 || txn > meta_.txn) wrong("the transaction is out of range");
  if (list.size() < 8 || list.size() % 8) return wrong("its size is wrong");
  const auto count = load<std::uint64_t>(list.data());
  if (count > list.size() / 8 - 1) return wrong("its count is wrong");
  std::uint64_t previous = kNoPage;
  for (std::uint64_t i = 1; i <= count; ++i) {
    const auto page = load<std::uint64_t>(list.data() + 8 * i);
    if (page >= previous) wrong("its pages do not descend");
    previous = page;
    if (page >= file_pages_ && page <= meta_.last_page) {
      if (!past_end_.insert(page).second) wrong(concat("page ", page, " is free twice"));
    } else if (!take(page, 1)) {
      wrong(concat("page ", page, " is free and used, free twice or out of range"));
    }
  }
}

void PageWalk::walk_free() {
  Tree tree{.name = "free list", .root_edge = kNoPage - kKeyspaces, .integers = true};
  std::string list;
  tree.on_node = [&](const PageNode& node) {
    if (node.subtree) return report_("free_list", "the free list holds a tree");
    const auto txn = load<std::uint64_t>(node.key.data());
    newest_free_ = txn;
    if (!node.overflow) return add_free_pages(txn, node.data);
    list.resize(node.size);
    if (file_.read(load<std::uint64_t>(node.data.data()), kPageHeader, list)) add_free_pages(txn, list);
  };
  walk_tree(tree, meta_.free);
}

void PageWalk::check_accounts() {
  if (structure_bad_) return;  // pages below a damaged one could not be counted
  const std::uint64_t known = taken_count_ + past_end_.size();
  if (known != meta_.last_page + 1) {
    report_("page", concat(meta_.last_page + 1 - known, " of ", meta_.last_page + 1,
                           " pages are neither used nor free"));
  }
}

TreeCursor::TreeCursor(const PageFile& file, const PageWalk& walk, Keyspace keyspace)
    : file_(file), walk_(walk), tree_(walk.tree(keyspace)), root_edge_(PageWalk::root_edge(keyspace)) {}

// Parsed again: between the walk and now the bytes may have changed on the disk.
bool TreeCursor::enter(std::uint64_t parent, std::uint32_t index, std::uint64_t page) {
  if (walk_.bad_edge(parent, index) || depth_ >= kDeepest) return false;
  if (steps_.size() <= depth_) steps_.resize(depth_ + 1);
  Step& step = steps_[depth_];
  step.bytes.resize(file_.page_size());
  if (!file_.read(page, 0, step.bytes)) return false;
  if (step.view.parse({step.bytes.data(), step.bytes.size()}, page)) return false;
  if (step.view.leaf() != (depth_ + 1 == tree_.depth)) return false;
  step.page = page;
  step.at = 0;
  ++depth_;
  return true;
}

// Goes on from where `steps_` stand to the next leaf entry.
bool TreeCursor::settle() {
  while (depth_ > 0) {
    Step& step = steps_[depth_ - 1];
    if (step.at >= step.view.count()) {
      if (--depth_ > 0) ++steps_[depth_ - 1].at;
      continue;
    }
    if (step.view.leaf()) {
      const PageNode node = step.view.node(step.at);
      if (node.subtree) {
        ++step.at;
        continue;
      }
      key_ = node.key;
      return true;
    }
    const PageNode node = step.view.node(step.at);
    if (!enter(step.page, step.at, node.child)) ++steps_[depth_ - 1].at;
  }
  return false;
}

bool TreeCursor::seek(std::string_view key) {
  depth_ = 0;
  if (tree_.root == kNoPage || !enter(root_edge_, 0, tree_.root)) return false;
  for (;;) {
    Step& step = steps_[depth_ - 1];
    const bool leaf = step.view.leaf();
    // Leaf: the first key >= `key`. Branch: the last child whose keys may begin at or before it.
    std::uint32_t low = leaf ? 0 : 1;
    std::uint32_t high = step.view.count();
    while (low < high) {
      const std::uint32_t middle = low + (high - low) / 2;
      const std::string_view there = step.view.node(middle).key;
      if (leaf ? there < key : there <= key) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    step.at = leaf ? low : low - 1;
    if (leaf) return settle();
    const std::uint64_t child = step.view.node(step.at).child;
    if (!enter(step.page, step.at, child)) {
      ++steps_[depth_ - 1].at;
      return settle();
    }
  }
}

bool TreeCursor::next() {
  if (depth_ == 0) return false;
  ++steps_[depth_ - 1].at;
  return settle();
}

std::optional<std::string_view> TreeCursor::value() {
  const Step& step = steps_[depth_ - 1];
  if (walk_.bad_edge(step.page, step.at)) return std::nullopt;
  const PageNode node = step.view.node(step.at);
  if (!node.overflow) return node.data;
  if (node.size > kLongestValue) return std::nullopt;
  value_.resize(node.size);
  if (!file_.read(load<std::uint64_t>(node.data.data()), kPageHeader, value_)) return std::nullopt;
  return value_;
}

}  // namespace vecstore::storage
