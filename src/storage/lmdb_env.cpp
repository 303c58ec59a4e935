#include "storage/lmdb_env.hpp"

#include <lmdb.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/error.hpp"
#include "base/os_file.hpp"

namespace vecstore::storage {
namespace {

constexpr const char* kNames[kKeyspaces] = {nullptr, "vec", "doc", "ids", "aux", "log"};
// Readers of all processes together; each of our processes needs one slot per query that runs at a time.
constexpr unsigned kReaderSlots = 1024;
constexpr std::uint64_t kLeastMap = std::uint64_t{1} << 20;  // creating a store has to fit

MDB_val val(std::string_view s) { return {s.size(), const_cast<char*>(s.data())}; }
std::string_view view(const MDB_val& v) { return {static_cast<const char*>(v.mv_data), v.mv_size}; }

[[noreturn]] void raise(int rc, const std::string& directory, std::string_view operation) {
  const std::string what = concat(operation, " of the store in '", directory, "': ", mdb_strerror(rc));
  switch (rc) {
    case MDB_MAP_FULL:
      throw MapFull{};
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_BAD_TXN:
    case MDB_CURSOR_FULL:
      fail(ErrorCode::kCorruption, what);
    case MDB_PANIC:  // an earlier commit could not write its meta page: nothing is damaged
      fail(ErrorCode::kUnknownOutcome, what, "; reopen to learn whether the last write is durable");
    case MDB_VERSION_MISMATCH:
    case MDB_INCOMPATIBLE:
      fail(ErrorCode::kUnsupportedFormat, what);
    case MDB_READERS_FULL:
      fail(ErrorCode::kBusy, what, " (limit ", kReaderSlots, ")");
    case MDB_TXN_FULL:
      fail(ErrorCode::kTooLarge, what);
    case ENOSPC:
    case EDQUOT:
      fail(ErrorCode::kDiskFull, what);
    case ENOMEM:
      fail(ErrorCode::kOutOfMemory, what);
    case EACCES:
    case EPERM:
      fail(ErrorCode::kPermissionDenied, what);
    case EROFS:
      fail(ErrorCode::kReadOnly, what);
    case ENOENT:
      fail(ErrorCode::kCorruption, what);
    case EMFILE:
    case ENFILE:
    case EAGAIN:
      fail(ErrorCode::kBusy, what);
    default:
      fail(ErrorCode::kIo, what);
  }
}

// Debian 13's and Ubuntu 24.04's 0.9.31 carry a locking change that was taken back as wrong in 0.9.32; up to
// 0.9.33 a race in spilled pages is open.
void check_version() {
  int major = 0;
  int minor = 0;
  int patch = 0;
  mdb_version(&major, &minor, &patch);
  if (major != 0 || minor != 9 || (patch >= 26 && patch <= 33)) {
    fail(ErrorCode::kUnsupportedFormat, "LMDB ", major, ".", minor, ".", patch,
         " cannot be used: 0.9.24, 0.9.25 and 0.9.34 or newer can");
  }
}

std::uint64_t next_map_epoch() {
  static std::atomic<std::uint64_t> counter{0};
  return counter.fetch_add(1, std::memory_order_relaxed) + 1;
}

}  // namespace

Env::Env(const std::string& directory, const EnvOptions& options)
    : directory_(directory), options_(options), number_(next_map_epoch()), map_epoch_(number_) {
  check_version();
  if (int rc = mdb_env_create(&env_)) raise(rc, directory_, "creation");
  try {
    mdb_env_set_maxdbs(env_, kKeyspaces);
    mdb_env_set_maxreaders(env_, kReaderSlots);
    mdb_env_set_mapsize(env_, std::max(options_.map_size, kLeastMap));
    unsigned flags = MDB_NOTLS | MDB_NORDAHEAD;
    if (options_.read_only) flags |= MDB_RDONLY;
    if (options_.no_lock) flags |= MDB_NOLOCK;
    if (options_.relaxed) flags |= MDB_NOMETASYNC;
    if (int rc = mdb_env_open(env_, directory_.c_str(), flags, 0600)) raise(rc, directory_, "opening");
    open_keyspaces(options_.create);
    MDB_stat stat;
    mdb_env_stat(env_, &stat);
    page_bytes_ = stat.ms_psize;
  } catch (...) {
    mdb_env_close(env_);
    throw;
  }
}

void Env::open_keyspaces(bool create) {
  MDB_txn* txn = nullptr;
  int rc = mdb_txn_begin(env_, nullptr, create ? 0 : MDB_RDONLY, &txn);
  if (rc == MDB_MAP_RESIZED) {
    mdb_env_set_mapsize(env_, 0);
    rc = mdb_txn_begin(env_, nullptr, create ? 0 : MDB_RDONLY, &txn);
  }
  if (rc) raise(rc, directory_, "opening");
  for (std::size_t i = 0; i < kKeyspaces; ++i) {
    rc = mdb_dbi_open(txn, kNames[i], create ? MDB_CREATE : 0, &dbis_[i]);
    if (rc) {
      mdb_txn_abort(txn);
      if (rc == MDB_NOTFOUND) {
        fail(ErrorCode::kUnsupportedFormat, "the data file in '", directory_,
             "' is not VecStore's: keyspace '", kNames[i] ? kNames[i] : "", "' is missing");
      }
      raise(rc, directory_, "opening");
    }
  }
  if ((rc = mdb_txn_commit(txn))) raise(rc, directory_, "opening");
}

Env::~Env() {
  if (!env_) return;
  for (MDB_txn* txn : readers_) mdb_txn_abort(txn);
  mdb_env_close(env_);
}

void Env::abandon() {
  env_ = nullptr;
  readers_.clear();
}

std::shared_lock<std::shared_mutex> Env::enter() {
  std::lock_guard entry(entry_);
  return std::shared_lock(gate_);
}

void Env::grow() {
  std::lock_guard entry(entry_);
  std::unique_lock lock(gate_);
  map_epoch_ = next_map_epoch();
  MDB_envinfo info;
  mdb_env_info(env_, &info);
  if (info.me_mapsize >= options_.max_map_size) {
    fail(ErrorCode::kQuotaExceeded, "store_size: the store in '", directory_, "' would pass its limit of ",
         options_.max_map_size, " bytes (max_map_size)");
  }
  const std::uint64_t size =
      std::min<std::uint64_t>(std::uint64_t{info.me_mapsize} * 2, options_.max_map_size);
  if (int rc = mdb_env_set_mapsize(env_, size)) raise(rc, directory_, "growth");
}

void Env::adopt_size() {
  std::lock_guard entry(entry_);
  std::unique_lock lock(gate_);
  map_epoch_ = next_map_epoch();
  if (int rc = mdb_env_set_mapsize(env_, 0)) raise(rc, directory_, "growth");
}

void Env::sync() {
  const int rc = mdb_env_sync(env_, 1);
  if (rc == ENOSPC || rc == EDQUOT) raise(rc, directory_, "sync");
  if (rc) fail(ErrorCode::kUnknownOutcome, "sync of the store in '", directory_, "': ", mdb_strerror(rc));
}

void Env::check_readers() {
  int dead = 0;
  mdb_reader_check(env_, &dead);
}

EnvStats Env::stats() {
  EnvStats out;
  ReadTxn txn(*this);
  MDB_envinfo info;
  mdb_env_info(env_, &info);
  MDB_stat stat;
  mdb_env_stat(env_, &stat);
  out.map_bytes = info.me_mapsize;
  out.last_txn = info.me_last_txnid;
  out.file_bytes = (std::uint64_t{info.me_last_pgno} + 1) * stat.ms_psize;
  MDB_txn* raw = take_reader();
  MDB_cursor* cursor = nullptr;
  if (mdb_cursor_open(raw, 0, &cursor) == 0) {
    MDB_val key;
    MDB_val value;
    while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0) {
      out.free_bytes += *static_cast<const std::size_t*>(value.mv_data) * stat.ms_psize;
    }
    mdb_cursor_close(cursor);
  }
  give_reader(raw);
  return out;
}

std::uint64_t Env::last_txn() {
  const auto gate = enter();
  MDB_envinfo info;
  mdb_env_info(env_, &info);
  return info.me_last_txnid;
}

std::uint64_t Env::used() {
  const auto gate = enter();
  MDB_envinfo info;
  mdb_env_info(env_, &info);
  return (std::uint64_t{info.me_last_pgno} + 1) * page_bytes_;
}

std::uint64_t Env::room() {
  const std::uint64_t used_bytes = used();
  const auto gate = enter();
  MDB_envinfo info;
  mdb_env_info(env_, &info);
  return info.me_mapsize > used_bytes ? info.me_mapsize - used_bytes : 0;
}

MDB_txn* Env::take_reader() {
  MDB_txn* txn = nullptr;
  {
    std::lock_guard lock(readers_mutex_);
    if (!readers_.empty()) {
      txn = readers_.back();
      readers_.pop_back();
    }
  }
  int rc = txn ? mdb_txn_renew(txn) : mdb_txn_begin(env_, nullptr, MDB_RDONLY, &txn);
  if (rc == MDB_READERS_FULL && !txn) {
    check_readers();
    rc = mdb_txn_begin(env_, nullptr, MDB_RDONLY, &txn);
  }
  if (rc == 0) return txn;
  if (txn && rc == MDB_MAP_RESIZED) {
    give_reader(txn);
    return nullptr;
  }
  if (rc == MDB_MAP_RESIZED) return nullptr;
  if (txn) mdb_txn_abort(txn);
  if (rc == MDB_PANIC) fatal_ = true;
  raise(rc, directory_, "reading");
}

void Env::give_reader(MDB_txn* txn) {
  mdb_txn_reset(txn);
  std::lock_guard lock(readers_mutex_);
  readers_.push_back(txn);
}

std::optional<std::string_view> Txn::get(Keyspace keyspace, std::string_view key) const {
  MDB_val k = val(key);
  MDB_val v;
  const int rc = mdb_get(txn_, env_->dbis_[static_cast<std::size_t>(keyspace)], &k, &v);
  if (rc == 0) return view(v);
  if (rc == MDB_NOTFOUND) return std::nullopt;
  raise(rc, env_->directory_, "reading");
}

Cursor Txn::cursor(Keyspace keyspace) const {
  return Cursor(txn_, env_->dbis_[static_cast<std::size_t>(keyspace)]);
}

Cursor::Cursor(MDB_txn* txn, unsigned dbi) {
  if (int rc = mdb_cursor_open(txn, dbi, &cursor_)) raise(rc, "", "reading");
}

Cursor::~Cursor() {
  if (cursor_) mdb_cursor_close(cursor_);
}

// LMDB follows whatever the pages say. Damaged ones can lead it back to entries that were already seen, or to
// others than were asked for: the order of the keys tells.
bool Cursor::move(std::string_view key, int operation) {
  MDB_val k = val(key);
  MDB_val v;
  const int rc = mdb_cursor_get(cursor_, &k, &v, static_cast<MDB_cursor_op>(operation));
  if (rc == MDB_NOTFOUND) return false;
  if (rc) raise(rc, "", "reading");
  key_ = view(k);
  value_ = view(v);
  if ((operation == MDB_SET_RANGE && key_ < key) || (operation == MDB_NEXT && key_ <= previous_))
    fail(ErrorCode::kCorruption, "the keys of the store are out of order; verify tells more");
  previous_.assign(key_);
  return true;
}

bool Cursor::seek(std::string_view key) { return move(key, MDB_SET_RANGE); }
bool Cursor::next() { return move({}, MDB_NEXT); }
bool Cursor::last() { return move({}, MDB_LAST); }

ReadTxn::ReadTxn(Env& env) : Txn(env), gate_(env.enter()) {
  while (!(txn_ = env.take_reader())) {
    gate_.unlock();
    env.adopt_size();
    gate_ = env.enter();
  }
}

ReadTxn::ReadTxn(std::shared_ptr<Env> env) : ReadTxn(*env) { owner_ = std::move(env); }

ReadTxn::~ReadTxn() {
  if (txn_) env_->give_reader(txn_);
}

void ReadTxn::renew() {
  env_->give_reader(std::exchange(txn_, nullptr));
  while (!(txn_ = env_->take_reader())) {
    gate_.unlock();
    env_->adopt_size();
    gate_ = env_->enter();
  }
}

// LMDB finds pages by the map's address as it is when they are asked for, so a snapshot that nobody reads
// from survives a move of the map; its slot in the table of readers keeps its pages.
void ReadTxn::release_map() { gate_.unlock(); }
void ReadTxn::hold_map() { gate_ = env_->enter(); }

std::uint64_t ReadTxn::id() const { return mdb_txn_id(txn_); }
std::uint64_t ReadTxn::map_epoch() const { return env_->map_epoch(); }
std::uint64_t ReadTxn::env_number() const { return env_->number(); }
bool ReadTxn::has_own_pages(std::string_view value) const { return env_->has_own_pages(value); }

void KeyJournal::add(Keyspace keyspace, std::string_view key) {
  constexpr std::size_t kRow = 8;
  if ((keyspace == Keyspace::kVectors || keyspace == Keyspace::kDocuments) && key.size() > kRow)
    key.remove_suffix(kRow);
  keys_[static_cast<std::size_t>(keyspace)].emplace(key);
}

void KeyJournal::merge(KeyJournal&& newer) {
  for (std::size_t i = 0; i < kKeyspaces; ++i) keys_[i].merge(newer.keys_[i]);
}

std::size_t KeyJournal::size() const {
  std::size_t n = 0;
  for (const auto& keys : keys_) n += keys.size();
  return n;
}

WriteTxn::WriteTxn(Env& env, KeyJournal* journal) : Txn(env), gate_(env.enter()), journal_(journal) {
  int rc = mdb_txn_begin(env.env_, nullptr, 0, &txn_);
  if (rc == MDB_MAP_RESIZED) {
    gate_.unlock();
    env.adopt_size();
    gate_ = env.enter();
    rc = mdb_txn_begin(env.env_, nullptr, 0, &txn_);
  }
  if (rc == MDB_PANIC) env.fatal_ = true;
  if (rc) raise(rc, env.directory_, "writing");
}

WriteTxn::~WriteTxn() {
  if (txn_) mdb_txn_abort(txn_);
}

void WriteTxn::note(Keyspace keyspace, std::string_view key) {
  ++writes_;
  if (journal_) journal_->add(keyspace, key);
}

void WriteTxn::put(Keyspace keyspace, std::string_view key, std::string_view value) {
  note(keyspace, key);
  MDB_val k = val(key);
  MDB_val v = val(value);
  if (int rc =
          mdb_put(txn_, env_->dbis_[static_cast<std::size_t>(keyspace)], &k, &v, append_ ? MDB_APPEND : 0)) {
    raise(rc, env_->directory_, "writing");
  }
}

char* WriteTxn::reserve(Keyspace keyspace, std::string_view key, std::size_t size) {
  note(keyspace, key);
  MDB_val k = val(key);
  MDB_val v{size, nullptr};
  if (int rc = mdb_put(txn_, env_->dbis_[static_cast<std::size_t>(keyspace)], &k, &v,
                       MDB_RESERVE | (append_ ? MDB_APPEND : 0))) {
    raise(rc, env_->directory_, "writing");
  }
  return static_cast<char*>(v.mv_data);
}

bool WriteTxn::erase(Keyspace keyspace, std::string_view key) {
  note(keyspace, key);
  MDB_val k = val(key);
  const int rc = mdb_del(txn_, env_->dbis_[static_cast<std::size_t>(keyspace)], &k, nullptr);
  if (rc == MDB_NOTFOUND) return false;
  if (rc) raise(rc, env_->directory_, "writing");
  return true;
}

void WriteTxn::commit_unpublished() {
  const int rc = mdb_txn_commit(std::exchange(txn_, nullptr));
  if (rc == 0) return;
  const bool short_write = rc == EIO && os::disk_space(env_->directory_).free_bytes < (1U << 20);
  raise(short_write ? ENOSPC : rc, env_->directory_, "commit");
}

void WriteTxn::commit() {
  const int rc = mdb_txn_commit(std::exchange(txn_, nullptr));
  if (rc == 0) return;
  if (rc == MDB_MAP_FULL) throw MapFull{};
  // LMDB reports a write that came up short, which is how a full disk shows, as EIO. Whether a failed sync
  // left anything durable nobody can know: the caller poisons the store, and reopening tells.
  const bool full =
      rc == ENOSPC || rc == EDQUOT || (rc == EIO && os::disk_space(env_->directory_).free_bytes < (1U << 20));
  MDB_txn* probe = nullptr;
  const int begin = mdb_txn_begin(env_->env_, nullptr, 0, &probe);
  if (probe) mdb_txn_abort(probe);
  if (begin != 0) env_->fatal_ = true;
  if (full && begin == 0) raise(ENOSPC, env_->directory_, "commit");
  fail(ErrorCode::kUnknownOutcome, "commit of the store in '", env_->directory_, "': ", mdb_strerror(rc),
       "; the write may or may not be durable, reopen to learn which");
}

}  // namespace vecstore::storage
