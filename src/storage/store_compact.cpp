// Compaction of the truth: a copy of what is live into a new generation, and the switch to it.
// docs/design/0005-generations.md says why in this order.
#include <thread>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/os_file.hpp"
#include "storage/envelope.hpp"
#include "storage/keys.hpp"
#include "storage/store.hpp"

namespace vecstore::storage {
namespace {

// Writers go on, and the copy leaves them room.
constexpr std::uint64_t kDiskReserve = std::uint64_t{8} << 20;
constexpr std::uint64_t kMarkRoom = std::uint64_t{1} << 20;
constexpr std::size_t kFewKeys = 256;         // what may be left for the last step, which writers wait for
constexpr std::size_t kMostKeys = 4'000'000;  // written during one round; they are kept in memory
constexpr int kMostRounds = 64;
constexpr std::size_t kCheckCommits = 256;
constexpr std::size_t kCheckBytes = std::size_t{4} << 20;
constexpr auto kRemoveEvery = std::chrono::seconds(1);
constexpr auto kPatience = std::chrono::milliseconds(200);
constexpr auto kPause = std::chrono::milliseconds(5);

}  // namespace

/// While it lives no commit runs, and those that come wait.
class Store::WritersStopped {
 public:
  explicit WritersStopped(Store& store) : store_(store) {
    std::unique_lock lock(store.queue_mutex_);
    if (store.poison_) std::rethrow_exception(store.poison_);
    store.stopping_ = true;
    store.idle_.wait(lock, [&] { return !store.leading_; });
    if (!store.poison_) return;
    release();
    std::rethrow_exception(store.poison_);
  }
  ~WritersStopped() {
    std::lock_guard lock(store_.queue_mutex_);
    release();
  }
  WritersStopped(const WritersStopped&) = delete;
  WritersStopped& operator=(const WritersStopped&) = delete;

 private:
  void release() {
    store_.stopping_ = false;
    store_.wake_first();
  }
  Store& store_;
};

/// One compaction, from the check of the disk to the switch.
class Store::Compaction {
 public:
  Compaction(Store& store, const Context& ctx, const CopyProgress& progress)
      : store_(store), ctx_(ctx), progress_(progress), from_(store.live()), number_(from_->number() + 1) {}

  void run(const Waste& waste) {
    expected_ = waste.live_bytes();
    {
      const WritersStopped refused_when_poisoned(store_);
    }
    check_disk();
    try {
      unpublished([&] { prepare(); });
      begin();
      unpublished([&] { copy_->copy_snapshot(); });
      pause(copy_->bytes());
      for (int round = 0; round < kMostRounds; ++round) {
        take_journal();
        if (pending_.size() <= kFewKeys) break;
        catch_up();
      }
      unpublished([&] {
        os::Directory(generation_directory(store_.directory_, number_)).sync_unpublished();
        sync();
      });
      publish();
    } catch (...) {
      abandon();
      throw;
    }
  }

 private:
  // Until CURRENT names the new generation nothing rests on it: whatever fails there leaves the store as it
  // was.
  template <class Work>
  void unpublished(Work&& work) {
    try {
      work();
    } catch (const MapFull&) {
      fail(ErrorCode::kQuotaExceeded, "store_size: the copy of '", store_.directory_,
           "' would pass its limit of ", store_.options_.max_map_size, " bytes (max_map_size)");
    } catch (const Error& e) {
      if (e.code() != ErrorCode::kUnknownOutcome) throw;
      fail(ErrorCode::kIo, "compaction: ", e.what());
    }
  }

  void check_disk() const {
    const std::uint64_t free = os::disk_space(store_.directory_).free_bytes;
    const std::uint64_t needed = expected_ + expected_ / 10 + kDiskReserve;
    if (free < needed) {
      fail(ErrorCode::kDiskFull, "'", store_.directory_, "': a compaction needs ", needed, " bytes, ", free,
           " are free");
    }
  }

  void pause(std::uint64_t bytes) {
    ctx_.check();
    if (store_.closing_) fail(ErrorCode::kClosed, "'", store_.directory_, "' is being closed");
    {
      std::lock_guard lock(store_.journal_mutex_);
      if (store_.journal_.size() > kMostKeys)
        fail(ErrorCode::kBusy, "'", store_.directory_, "': more than ", kMostKeys,
             " keys were written while a part was compacted; try again when less is written");
    }
    const std::uint64_t free = os::disk_space(store_.directory_).free_bytes;
    if (free < kDiskReserve) {
      fail(ErrorCode::kDiskFull, "'", store_.directory_, "': ", free, " bytes are left, a compaction leaves ",
           kDiskReserve, " to others");
    }
    if (progress_) progress_(bytes, std::max(bytes, expected_));
  }

  void prepare() {
    if (read_current(store_.directory_) != from_->number())
      fail(ErrorCode::kCorruption, "'", store_.directory_, "': CURRENT was changed by somebody else");
    os::Directory directory(store_.directory_);
    remove_generation(store_.directory_, number_);  // of a copy that came to nothing
    os::make_directory(generation_directory(store_.directory_, number_));
    directory.sync_unpublished();
    EnvOptions options = from_->env().options();
    options.create = true;
    options.map_size = std::max(store_.options_.map_size, expected_);
    to_ = std::make_shared<Generation>(store_.directory_, number_, options);
  }

  // The snapshot to copy, and from it on a journal of what is written.
  void begin() {
    const WritersStopped stopped(store_);
    {
      std::lock_guard lock(store_.journal_mutex_);
      store_.journal_ = {};
    }
    store_.journaling_ = true;
    copy_.emplace(store_.env(), to_->env(), store_.options_.change_retention,
                  [this](std::uint64_t bytes) { pause(bytes); });
  }

  void take_journal() {
    KeyJournal newer;
    {
      std::lock_guard lock(store_.journal_mutex_);
      std::swap(newer, store_.journal_);
    }
    pending_.merge(std::move(newer));
  }

  void catch_up() {
    const KeyJournal written = std::exchange(pending_, {});
    unpublished([&] {
      ReadTxn newest(store_.env());  // after the journal was taken: all of that is in it
      copy_->catch_up(newest, written);
    });
    pause(copy_->bytes());
  }

  // The last step. First the old truth is told that it is about to be replaced, so that processes that read
  // it look at CURRENT from here on; then CURRENT is replaced: before that the old generation is the live one
  // whatever happens, after it the new one. No commit runs in between, and none is acknowledged before both.
  void publish() {
    if (from_->env().room() < kMarkRoom && from_->env().used() < store_.options_.max_map_size)
      from_->env().grow();
    const WritersStopped stopped(store_);
    take_journal();
    {
      WriteTxn last(from_->env());
      StoreState state = read_store_state(last);
      unpublished([&] {
        copy_->finish(last, pending_, number_);
        sync();
      });
      state.moved_to = number_;
      mark(last, state);
    }
    try {
      write_current(store_.directory_, number_);
    } catch (const Error& e) {
      if (!may_be_published()) throw;
      published_ = true;  // perhaps not durably: both generations stay until the directory is opened anew
      in_doubt(e);
    }
    published_ = true;
    copy_.reset();
    store_.journaling_ = false;
    {
      std::lock_guard lock(store_.old_mutex_);
      store_.old_.push_back(from_);
      store_.has_old_ = true;
    }
    std::lock_guard lock(store_.live_mutex_);
    store_.live_ = to_;
  }

  void mark(WriteTxn& last, const StoreState& state) {
    try {
      write_store_state(last, state);
      last.commit();
    } catch (const MapFull&) {
      fail(ErrorCode::kQuotaExceeded, "store_size: the store in '", store_.directory_,
           "' is at its limit of ", store_.options_.max_map_size, " bytes (max_map_size)");
    } catch (const Error& e) {
      if (e.code() == ErrorCode::kUnknownOutcome || from_->env().fatal()) in_doubt(e);
      throw;
    }
  }

  bool may_be_published() const {
    try {
      return read_current(store_.directory_) != from_->number();
    } catch (const Error&) {
      return true;
    }
  }

  [[noreturn]] void in_doubt(const Error& e) {
    const auto error = std::make_exception_ptr(Error(
        ErrorCode::kUnknownOutcome,
        concat("compaction of '", store_.directory_, "': ", e.what(), "; nothing is lost, reopen to go on")));
    store_.poison(error);
    std::rethrow_exception(error);
  }

  void sync() {
    if (store_.options_.relaxed) to_->env().sync();
  }

  void abandon() {
    store_.journaling_ = false;
    copy_.reset();
    to_.reset();
    if (published_) return;
    try {
      remove_generation(store_.directory_, number_);
    } catch (const Error&) {
      // The next compaction or the next open removes it.
    }
  }

  Store& store_;
  const Context& ctx_;
  const CopyProgress& progress_;
  std::shared_ptr<Generation> from_;
  const std::uint64_t number_;
  std::shared_ptr<Generation> to_;
  std::optional<GenerationCopy> copy_;
  KeyJournal pending_;
  std::uint64_t expected_ = 0;
  bool published_ = false;
};

CompactReport Store::compact(const Context& ctx, const CopyProgress& progress) {
  if (read_only()) fail(ErrorCode::kReadOnly, "'", directory_, "' is open read-only");
  const Session session(*this);
  std::unique_lock one(compact_mutex_, std::try_to_lock);
  for (; !one; one.try_lock()) {
    ctx.check();
    if (closing_) fail(ErrorCode::kClosed, "'", directory_, "' is being closed");
    std::this_thread::sleep_for(kPause);
  }
  remove_old();
  const Waste before = waste();
  Compaction(*this, ctx, progress).run(before);
  // Reads that run here end on the old generation, most within milliseconds. For those of other processes
  // later commits look.
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (remove_old() > 0 && std::chrono::steady_clock::now() < until && !closing_)
    std::this_thread::sleep_for(kPause);
  return {generation(), before.file_bytes, env()->used()};
}

std::size_t Store::remove_old() {
  std::lock_guard lock(old_mutex_);
  if (old_.empty() && leftovers_.empty()) return 0;
  // Nobody can ask for them any more: one that is held here alone stays so.
  std::erase_if(old_, [&](const auto& generation) {
    if (generation.use_count() > 1) return false;
    leftovers_.push_back(generation->number());
    return true;
  });
  const auto quietly = [](const auto& work) {
    try {
      return work();
    } catch (const Error&) {
      return false;  // what cannot be removed now is tried again later
    }
  };
  const auto gone = std::erase_if(
      leftovers_, [&](std::uint64_t n) { return quietly([&] { return remove_generation(directory_, n); }); });
  if (gone > 0) {
    quietly([&] {
      os::fsync_dir(directory_);
      return true;
    });
  }
  has_old_ = !old_.empty() || !leftovers_.empty();
  return old_.size();
}

Waste Store::waste() {
  const auto env = this->env();
  Waste out;
  double dead = 0;
  {
    ReadTxn txn(env);
    const std::string prefix = main_key(MainKind::kCollection);
    Cursor cursor = txn.cursor(Keyspace::kMain);
    for (bool more = cursor.seek(prefix); more && cursor.key().starts_with(prefix); more = cursor.next()) {
      if (cursor.key().size() != 6) continue;
      const auto number = load_big_endian<std::uint32_t>(cursor.key().data() + 2);
      const CollectionState s = decode_collection_state(
          unseal(ValueKind::kCollection, number, cursor.key(), cursor.value()).payload);
      if (s.live == 0 || s.stored_rows <= s.live) continue;
      dead += static_cast<double>(s.live_bytes) / static_cast<double>(s.live) *
              static_cast<double>(s.stored_rows - s.live);
    }
  }
  const EnvStats stats = env->stats();
  out.file_bytes = stats.file_bytes;
  out.free_bytes = stats.free_bytes;
  const std::uint64_t used = stats.file_bytes - std::min(stats.file_bytes, stats.free_bytes);
  out.dead_bytes = std::min(used, static_cast<std::uint64_t>(dead));
  return out;
}

// After each group of commits, by its leader.
void Store::keep_house(std::size_t commits, std::size_t bytes) noexcept {
  try {
    const auto now = std::chrono::steady_clock::now();
    if (has_old_ && now - removed_at_ > kRemoveEvery) {
      removed_at_ = now;
      remove_old();
    }
    commits_since_check_ += commits;
    bytes_since_check_ += bytes;
    if (!options_.on_maintenance_due || journaling_ ||
        (commits_since_check_ < kCheckCommits && bytes_since_check_ < kCheckBytes))
      return;
    commits_since_check_ = bytes_since_check_ = 0;
    if (maintenance_due()) options_.on_maintenance_due();
  } catch (...) {
    // A commit that is done stays done.
  }
}

bool Store::maintenance_due() {
  if (read_only() || options_.compact_ratio >= 1) return false;
  if (env()->used() < options_.compact_min_bytes) return false;
  const Waste w = waste();
  const std::uint64_t back = w.file_bytes - w.live_bytes();
  return back >= options_.compact_min_bytes &&
         static_cast<double>(back) >= options_.compact_ratio * static_cast<double>(w.file_bytes);
}

}  // namespace vecstore::storage
