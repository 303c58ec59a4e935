// Opening and creating a directory: FORMAT, CURRENT, truth.N, WRITER, tmp. docs/format.md gives the order and
// why.
#include <sys/statvfs.h>
#include <unistd.h>

#include <random>

#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "base/crc32c.hpp"
#include "base/os_file.hpp"
#include "base/os_process.hpp"
#include "storage/lmdb_file.hpp"
#include "storage/store.hpp"

namespace vecstore::storage {
namespace {

struct FormatFile {
  std::uint64_t magic = kFormatMagic;
  std::uint32_t version = kFormatVersion;
  std::uint32_t byte_order = kByteOrderMark;
  std::uint32_t page_size = 0;
  std::uint32_t word_bytes = sizeof(void*);
  Uuid uuid{};
  std::uint32_t crc = 0;  // of what is before it
  std::uint32_t zero = 0;
};
static_assert(sizeof(FormatFile) == 48);

std::uint32_t format_crc(const FormatFile& f) {
  return crc32c(as_byte_span({reinterpret_cast<const char*>(&f), offsetof(FormatFile, crc)}));
}

std::uint32_t page_size() { return static_cast<std::uint32_t>(::sysconf(_SC_PAGESIZE)); }

Uuid random_uuid() {
  std::random_device random;
  Uuid uuid;
  for (auto& b : uuid) b = static_cast<std::uint8_t>(random());
  uuid[6] = static_cast<std::uint8_t>((uuid[6] & 0x0f) | 0x40);
  uuid[8] = static_cast<std::uint8_t>((uuid[8] & 0x3f) | 0x80);
  return uuid;
}

FormatFile read_format(const std::string& directory) {
  const std::string path = directory + "/FORMAT";
  const std::string bytes = os::read_file(path, 4096);
  if (bytes.size() < 16 || load<std::uint64_t>(bytes.data()) != kFormatMagic) {
    fail(ErrorCode::kCorruption, "'", path, "' does not begin like a VecStore's");
  }
  const auto version = load<std::uint32_t>(bytes.data() + 8);
  const auto order = load<std::uint32_t>(bytes.data() + 12);
  if (order == __builtin_bswap32(kByteOrderMark)) {
    fail(ErrorCode::kUnsupportedFormat, "'", directory, "' was written with the other byte order");
  }
  if (version > kFormatVersion) {
    fail(ErrorCode::kUnsupportedFormat, "'", directory, "' has format ", version,
         ", this version reads up to ", kFormatVersion);
  }
  if (bytes.size() != sizeof(FormatFile))
    fail(ErrorCode::kCorruption, "'", path, "' has ", bytes.size(), " bytes");
  const auto format = load<FormatFile>(bytes.data());
  if (format.crc != format_crc(format) || format.zero != 0)
    fail(ErrorCode::kCorruption, "'", path, "': checksum differs");
  if (format.page_size != page_size() || format.word_bytes != sizeof(void*)) {
    fail(ErrorCode::kUnsupportedFormat, "'", directory, "' was written with pages of ", format.page_size,
         " bytes and words of ", format.word_bytes, "; this machine has ", page_size(), " and ",
         sizeof(void*));
  }
  return format;
}

void write_format(const std::string& directory, const Uuid& uuid) {
  FormatFile format;
  format.page_size = page_size();
  format.uuid = uuid;
  format.crc = format_crc(format);
  os::atomic_replace(directory, "FORMAT",
                     std::string_view(reinterpret_cast<const char*>(&format), sizeof format));
}

// A directory that is not ours must stay as it is.
void check_foreign(const std::string& directory) {
  for (const std::string& name : os::list_directory(directory)) {
    const bool ours = name == "WRITER" || name == "CURRENT" || name == "tmp" || name == "seg" ||
                      name == "truth.1" || name.starts_with("FORMAT.tmp-") ||
                      name.starts_with("CURRENT.tmp-");
    // Only a compaction makes these, of a store that was whole.
    if (!ours && name.starts_with("truth.") && os::exists(directory + "/CURRENT"))
      fail(ErrorCode::kCorruption, "'", directory, "': FORMAT is missing but '", name, "' is there");
    if (!ours) {
      fail(ErrorCode::kInvalidArgument, "'", directory, "' is no VecStore directory: it has no FORMAT but '",
           name, "'");
    }
  }
}

// Without its lock file a reader cannot keep a writer from reusing the pages it reads: only where nobody can
// write at all.
bool read_only_media(const std::string& directory) {
  struct statvfs info;
  return ::statvfs(directory.c_str(), &info) == 0 && (info.f_flag & ST_RDONLY) != 0;
}

// Nothing reads what is left in these places, and no new file takes its name: what cannot be removed (a full
// disk that copies on write, a directory, a file that may not be touched) must not keep the truth from being
// opened.
void remove_leftover(const std::string& path) {
  try {
    os::remove_file(path);
  } catch (const Error&) {
  }
}

// The directory itself may be the work of a process that was killed before it was durable. A parent that may
// not be read cannot be synced; then the directory is not ours but was given.
void sync_name(const std::string& directory) {
  try {
    os::fsync_dir(directory + "/..");
  } catch (const Error& e) {
    if (e.code() != ErrorCode::kPermissionDenied) throw;
  }
}

}  // namespace

DirectoryFiles read_directory_files(const std::string& directory) {
  return {read_format(directory).uuid, read_current(directory)};
}

Store::Store(std::string directory, const StoreOptions& options)
    : directory_(std::move(directory)), options_(options), fork_generation_(vecstore::fork_generation()) {}

std::shared_ptr<Store> Store::open(const std::string& directory, const StoreOptions& options) {
  if (directory.empty() || directory.find('\0') != std::string::npos)
    invalid("directory: '", directory, "' is no path");
  if (os::exists(directory) && !os::is_directory(directory))
    invalid("directory: '", directory, "' is a file");
  if (!options.allow_remote_fs && os::is_remote_filesystem(directory)) {
    invalid("directory: '", directory,
            "' is on a remote filesystem, whose locks cannot keep two writers apart; "
            "allow_remote_fs opens it all the same");
  }
  if (!os::exists(directory)) {
    if (options.read_only || !options.create)
      fail(ErrorCode::kNotFound, "directory '", directory, "' does not exist");
    os::make_directories(directory);
  }
  std::shared_ptr<Store> store(new Store(directory, options));
  if (!options.read_only) {
    store->writer_lock_ = os::FileLock::acquire(directory + "/WRITER", options.lock_timeout);
    if (!os::exists(directory + "/FORMAT")) {
      check_foreign(directory);
      store->create_files();
    }
  } else if (!os::exists(directory + "/FORMAT")) {
    fail(ErrorCode::kNotFound, "'", directory, "' holds no store");
  }
  store->open_files();
  return store;
}

// FORMAT is written last: without it nothing was ever acknowledged in this directory, and creation starts
// over.
void Store::create_files() {
  if (!options_.create) fail(ErrorCode::kNotFound, "'", directory_, "' holds no store");
  sync_name(directory_);
  const std::string truth = generation_directory(directory_, 1);
  const std::string data = truth + "/data.mdb";
  StoreState state;
  if (os::exists(data)) {
    // Either a creation that was cut off, or a store whose FORMAT was lost: only the first may be cleared.
    bool unused = true;
    try {
      check_data_file(data);
      EnvOptions existing{.map_size = options_.map_size, .max_map_size = options_.max_map_size};
      Env env(truth, existing);
      ReadTxn txn(env);
      unused = read_store_state(txn).sequence == 0;
    } catch (const Error&) {
      unused = !os::exists(directory_ + "/CURRENT");
    }
    if (!unused)
      fail(ErrorCode::kCorruption, "'", directory_, "': FORMAT is missing but the truth holds data");
    // CURRENT first, durably: beside it a half-made data file looks like a loss, should this creation be cut
    // off too.
    os::remove_file(directory_ + "/CURRENT");
    os::fsync_dir(directory_);
    os::remove_file(data);
    os::remove_file(truth + "/lock.mdb");
  }
  os::make_directories(truth);
  state.uuid = random_uuid();
  {
    EnvOptions fresh{.create = true, .map_size = options_.map_size, .max_map_size = options_.max_map_size};
    Env env(truth, fresh);
    WriteTxn txn(env);
    write_store_state(txn, state);
    txn.commit();
  }
  os::fsync_dir(truth);
  write_current(directory_, 1);
  write_format(directory_, state.uuid);
}

std::shared_ptr<Generation> Store::open_generation(std::uint64_t number) {
  const std::string file = generation_file(directory_, number);
  if (!os::exists(file)) fail(ErrorCode::kCorruption, "'", file, "' is missing");
  const MetaPage meta = check_data_file(file);
  EnvOptions options;
  options.read_only = options_.read_only;
  options.no_lock = options_.read_only && read_only_media(generation_directory(directory_, number));
  options.relaxed = options_.relaxed;
  options.max_map_size = options_.max_map_size;
  options.map_size = std::max(options_.map_size, (meta.last_page + 1) * meta.page_size);
  auto generation = std::make_shared<Generation>(directory_, number, options);
  ReadTxn txn(generation->env());
  const StoreState state = read_store_state(txn);
  if (state.uuid != uuid_)
    fail(ErrorCode::kCorruption, "'", directory_, "': FORMAT and the truth name different stores");
  if (state.generation != number) {
    fail(ErrorCode::kCorruption, "'", directory_, "': CURRENT names generation ", number,
         ", the truth in it is ", state.generation);
  }
  return generation;
}

// What CURRENT names may be replaced and removed before it is opened, unless this process is the one that
// writes.
std::shared_ptr<Generation> Store::open_live() {
  for (std::uint64_t number = read_current(directory_);;) {
    try {
      return open_generation(number);
    } catch (const Error&) {
      const std::uint64_t now = read_current(directory_);
      if (now == number) throw;
      number = now;
    }
  }
}

// Something was committed since the last look. The last commit of a generation says that it is about to be
// replaced; whether it was, CURRENT tells.
std::shared_ptr<Generation> Store::follow(std::shared_ptr<Generation> known) {
  std::lock_guard follow_lock(follow_mutex_);
  {
    std::lock_guard lock(live_mutex_);
    known = live_;
  }
  {
    ReadTxn txn(known->env());
    bool stays = false;
    try {
      stays = read_store_state(txn).moved_to == 0;
    } catch (const Error& e) {
      if (e.code() != ErrorCode::kCorruption) throw;
    }
    if (stays) {
      known->seen_live_at = txn.id();
      return known;
    }
  }
  if (read_current(directory_) == known->number()) return known;
  auto next = open_live();
  std::lock_guard lock(live_mutex_);
  live_ = next;
  return next;
}

// Copies that were cut off, and generations that were replaced. They lose nobody anything, so they do not
// keep the store from opening either.
void Store::remove_leftovers(std::uint64_t live) {
  {
    std::lock_guard lock(old_mutex_);
    for (const std::uint64_t n : list_generations(directory_)) {
      if (n != live) leftovers_.push_back(n);
    }
    has_old_ = !leftovers_.empty();
  }
  remove_old();
}

void Store::open_files() {
  uuid_ = read_format(directory_).uuid;
  live_ = open_live();
  if (options_.read_only) return;
  const std::string tmp = directory_ + "/tmp";
  os::make_directories(tmp);
  for (const std::string& name : os::list_directory(tmp)) remove_leftover(tmp + "/" + name);
  for (const std::string& name : os::list_directory(directory_)) {
    if (name.find(".tmp-") != std::string::npos) remove_leftover(directory_ + "/" + name);
  }
  // A process that was killed may have left a name or a commit in the cache only. What this one has seen, and
  // what it will build on, must not vanish with the power.
  live_->env().sync();
  os::fsync_dir(directory_);
  remove_leftovers(live_->number());  // after the sync: CURRENT must not come back without what it names
}

}  // namespace vecstore::storage
