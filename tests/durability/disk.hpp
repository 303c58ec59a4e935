// Disk: what the log of a run says about the medium. Which operations are durable, which may still be lost,
// and every image that a power cut may leave.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "durability/fault_shim.h"

namespace vecstore::durability {

/// One entry of the log.
struct Logged {
  shim_entry entry{};
  std::string_view path;
  std::string_view path2;
  std::string_view data;
};
std::vector<Logged> read_log(const char* log, std::uint64_t bytes);

/// A directory tree: path -> content, or no content for a directory.
using Image = std::map<std::string, std::shared_ptr<const std::string>>;

/// The medium under a page cache that writes back what it likes, when it likes, in pieces of 512 bytes, until
/// a sync of the file (or, for names, of the directory) forces it. A write through O_DSYNC is durable when it
/// returns.
///
/// Names: a rename is one step; everything else about names may come in any order. Content and names are
/// independent: a durable name may belong to a file whose content is lost.
class Disk {
 public:
  static constexpr std::uint64_t kSector = 512;

  /// The call was made; what it wrote is in the cache.
  void issue(const Logged& operation);
  /// The call has returned: syncs take effect.
  void finish(const Logged& operation);

  /// Operations that a power cut may undo now.
  std::size_t pending() const { return pending_.size(); }
  /// Names of files below `suffix`-free rules that have such operations: for messages. Lock files do not
  /// count.
  std::string unsynced() const;

  /// Calls `visit(kind, image)` for images that a power cut may leave now: nothing or all of what is pending,
  /// each operation missing, each one alone, the last one torn at sector ends, random halves in random order.
  using Visit = std::function<void(const char* kind, const Image& image)>;
  void each_image(std::mt19937& random, const Visit& visit) const;
  /// Only what is durable.
  Image durable() const { return compose({}); }

 private:
  struct Change {
    std::uint8_t call = 0;
    bool lock_file = false;  // nobody relies on the content of these
    std::uint64_t file = 0;
    std::uint64_t offset = 0;
    std::string path;
    std::string path2;
    std::string_view data;
  };
  struct Chosen {
    const Change* change;
    std::uint64_t from = 0;  // part of a write
    std::uint64_t to = ~std::uint64_t{0};
  };
  using Contents = std::map<std::uint64_t, std::shared_ptr<std::string>>;
  using Names = std::map<std::string, std::optional<std::uint64_t>>;  // no file: a directory

  static void apply(const Chosen& chosen, Contents& contents, Names& names);
  void settle(const std::function<bool(const Change&)>& durable);
  Image compose(const std::vector<Chosen>& chosen) const;
  void torn(std::mt19937& random, const Visit& visit) const;

  Contents contents_;  // durable
  Names names_;
  std::vector<Change> pending_;
  std::map<std::string, std::uint64_t> current_;   // name -> file, as the running program sees it
  std::map<std::uint64_t, std::uint64_t> inodes_;  // inode -> our number: inodes are used again
  std::uint64_t files_ = 0;
};

/// Makes `root` (empty) hold the image's part for which `wanted` says yes.
void write_image(const Image& image, const std::string& from_root, const std::string& root,
                 const std::function<bool(const std::string& path)>& wanted);
/// Equal for equal images.
std::uint64_t hash_of(const Image& image);

}  // namespace vecstore::durability
