#include "durability/disk.hpp"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "base/hash.hpp"

namespace vecstore::durability {
namespace {

std::string parent(const std::string& path) { return path.substr(0, path.rfind('/')); }

bool is_lock_file(const std::string& path) {
  return path.ends_with("/WRITER") || path.ends_with("/lock.mdb");
}

std::uint64_t hash_bytes(std::string_view bytes) {
  std::uint64_t lanes[4] = {1, 2, 3, 4};
  std::size_t i = 0;
  for (; i + 32 <= bytes.size(); i += 32) {
    std::uint64_t words[4];
    std::memcpy(words, bytes.data() + i, 32);
    for (int k = 0; k < 4; ++k) lanes[k] = (lanes[k] ^ words[k]) * 0x9e3779b97f4a7c15ULL + (lanes[k] >> 29);
  }
  return mix64(lanes[0] ^ mix64(lanes[1] ^ mix64(lanes[2] ^ mix64(lanes[3] ^ hash64(bytes.substr(i))))));
}

}  // namespace

std::vector<Logged> read_log(const char* log, std::uint64_t bytes) {
  std::vector<Logged> out;
  for (std::uint64_t at = 0; at < bytes;) {
    Logged o;
    std::memcpy(&o.entry, log + at, sizeof o.entry);
    const char* p = log + at + sizeof o.entry;
    o.path = {p, o.entry.path_bytes};
    o.path2 = {p + o.entry.path_bytes, o.entry.path2_bytes};
    o.data = {p + o.entry.path_bytes + o.entry.path2_bytes, o.entry.data_bytes};
    out.push_back(o);
    at += o.entry.bytes;
  }
  return out;
}

void Disk::issue(const Logged& o) {
  // What failed without any effect; a failed sync is dealt with in finish().
  if (o.entry.failed && o.entry.data_bytes == 0) return;
  Change c;
  c.call = o.entry.call;
  c.path = o.path;
  c.path2 = o.path2;
  c.offset = o.entry.offset;
  c.data = o.data;
  c.lock_file = is_lock_file(c.path);
  switch (o.entry.call) {
    case SHIM_CREATE:
      c.file = inodes_[o.entry.file] = ++files_;
      current_[c.path] = c.file;
      contents_[c.file] = std::make_shared<std::string>();
      break;
    case SHIM_WRITE:
    case SHIM_TRUNCATE:
      c.file = inodes_.at(o.entry.file);
      break;
    case SHIM_RENAME:
      c.file = current_.at(c.path);
      current_.erase(c.path);
      current_[c.path2] = c.file;
      break;
    case SHIM_UNLINK:
      current_.erase(c.path);
      break;
    case SHIM_MKDIR:
      break;
    default:
      return;
  }
  pending_.push_back(std::move(c));
}

void Disk::finish(const Logged& o) {
  const auto is_content = [](const Change& c) { return c.call == SHIM_WRITE || c.call == SHIM_TRUNCATE; };
  if (o.entry.call == SHIM_SYNC) {
    const std::uint64_t file = inodes_.at(o.entry.file);
    const auto its = [&](const Change& c) { return is_content(c) && c.file == file; };
    // After a failed sync the kernel takes the pages for clean: no later sync will write them.
    if (o.entry.failed) {
      std::erase_if(pending_, its);
    } else {
      settle(its);
    }
  } else if (o.entry.call == SHIM_SYNC_DIR && !o.entry.failed) {
    const std::string directory(o.path);
    settle([&](const Change& c) { return !is_content(c) && parent(c.path) == directory; });
  } else if (o.entry.call == SHIM_WRITE && o.entry.sync && !pending_.empty()) {
    const Change last = pending_.back();
    if (o.entry.failed) {
      pending_.pop_back();
      return;
    }
    // The bytes are durable; what was written there before no longer matters.
    const std::uint64_t end = last.offset + last.data.size();
    const bool overlaps = std::any_of(pending_.begin(), pending_.end() - 1, [&](const Change& c) {
      return c.call == SHIM_WRITE && c.file == last.file && c.offset < end &&
             last.offset < c.offset + c.data.size();
    });
    if (overlaps) return settle([&](const Change& c) { return is_content(c) && c.file == last.file; });
    apply({&last}, contents_, names_);
    pending_.pop_back();
  }
}

void Disk::settle(const std::function<bool(const Change&)>& durable) {
  for (const Change& c : pending_) {
    if (durable(c)) apply({&c}, contents_, names_);
  }
  std::erase_if(pending_, durable);
}

void Disk::apply(const Chosen& chosen, Contents& contents, Names& names) {
  const Change& c = *chosen.change;
  switch (c.call) {
    case SHIM_WRITE: {
      std::string& content = *contents.at(c.file);
      const std::uint64_t from = std::min<std::uint64_t>(chosen.from, c.data.size());
      const std::uint64_t to = std::min<std::uint64_t>(chosen.to, c.data.size());
      if (content.size() < c.offset + to) content.resize(c.offset + to);
      std::memcpy(content.data() + c.offset + from, c.data.data() + from, to - from);
      break;
    }
    case SHIM_TRUNCATE:
      contents.at(c.file)->resize(c.offset);
      break;
    case SHIM_CREATE:
      names[c.path] = c.file;
      break;
    case SHIM_MKDIR:
      names[c.path] = std::nullopt;
      break;
    case SHIM_UNLINK:
      names.erase(c.path);
      break;
    case SHIM_RENAME:
      names.erase(c.path);
      names[c.path2] = c.file;
      break;
    default:
      break;
  }
}

Image Disk::compose(const std::vector<Chosen>& chosen) const {
  Contents contents = contents_;
  Names names = names_;
  for (const Chosen& c : chosen) {
    if (c.change->call != SHIM_WRITE && c.change->call != SHIM_TRUNCATE) continue;
    auto& content = contents.at(c.change->file);
    if (content == contents_.at(c.change->file)) content = std::make_shared<std::string>(*content);
  }
  for (const Chosen& c : chosen) apply(c, contents, names);
  Image image;
  for (const auto& [path, file] : names) image[path] = file ? contents.at(*file) : nullptr;
  return image;
}

void Disk::each_image(std::mt19937& random, const Visit& visit) const {
  std::vector<Chosen> all;
  for (const Change& c : pending_) all.push_back({&c});
  visit("nothing", compose({}));
  if (all.empty()) return;
  visit("prefix", compose(all));
  for (std::size_t i = 0; i < all.size(); ++i) {
    // Operations on lock files stay pending for ever: once is enough.
    if (all[i].change->lock_file && i + 1 < all.size()) continue;
    std::vector<Chosen> others = all;
    others.erase(others.begin() + static_cast<std::ptrdiff_t>(i));
    visit("omission", compose(others));
    visit("alone", compose({all[i]}));
  }
  torn(random, visit);
  for (int n = 0; n < 2; ++n) {
    std::vector<Chosen> some;
    for (const Chosen& c : all) {
      if (random() % 2) some.push_back(c);
    }
    std::shuffle(some.begin(), some.end(), random);
    visit("reordering", compose(some));
  }
}

// The newest operation in part, with all before it and without.
void Disk::torn(std::mt19937& random, const Visit& visit) const {
  const Change& last = pending_.back();
  if (last.call != SHIM_WRITE) return;
  const std::uint64_t first_cut = (last.offset / kSector + 1) * kSector - last.offset;
  if (first_cut >= last.data.size()) return;
  const std::uint64_t sectors = (last.data.size() - first_cut) / kSector;
  std::vector<Chosen> before;
  for (const Change& c : pending_) before.push_back({&c});
  const auto with = [&](std::uint64_t from, std::uint64_t to, bool others) {
    std::vector<Chosen> out = others ? before : std::vector<Chosen>{before.back()};
    out.back().from = from;
    out.back().to = to;
    visit("torn", compose(out));
  };
  const std::uint64_t middle = first_cut + kSector * (random() % (sectors + 1));
  with(0, first_cut, true);
  with(0, middle, true);
  with(middle, last.data.size(), true);
  with(0, middle, false);
}

std::string Disk::unsynced() const {
  std::string out;
  for (const Change& c : pending_) {
    if (!c.lock_file) out += (out.empty() ? "" : ", ") + c.path;
  }
  return out;
}

void write_image(const Image& image, const std::string& from_root, const std::string& root,
                 const std::function<bool(const std::string&)>& wanted) {
  for (const auto& [path, content] : image) {  // parents sort before what is in them
    if (!wanted(path)) continue;
    const std::string to = root + path.substr(from_root.size());
    if (!std::filesystem::is_directory(parent(to))) continue;  // a name in a directory that was lost
    if (!content) {
      std::filesystem::create_directory(to);
      continue;
    }
    std::ofstream out(to, std::ios::binary);
    // A lock file is mapped and written at any time: it may hold anything.
    const std::string garbage =
        path.ends_with("/lock.mdb") ? std::string(content->size(), '\xa5') : std::string();
    out << (garbage.empty() ? *content : garbage);
    if (!out.flush()) throw std::runtime_error("cannot write " + to);
  }
}

std::uint64_t hash_of(const Image& image) {
  std::uint64_t h = 0;
  for (const auto& [path, content] : image)
    h = mix64(h ^ hash64(path) ^ (content ? hash_bytes(*content) : 7));
  return h;
}

}  // namespace vecstore::durability
