// FieldNames: the table of a collection's metadata keys, so that records store a small number for each.
#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>

namespace vecstore {

/// Names and numbers 0, 1, 2, ... in the order of their first use. Append-only: a number never changes its
/// name, so the owner persists what is new (from its last known size() to the current one) in the transaction
/// that first uses it. A name that was added for a transaction that failed stays, unused; it is persisted
/// with the next one.
///
/// All functions may be called from any thread; name() takes no lock.
class FieldNames {
 public:
  /// When the table is full, or a name is longer than kMaxNameBytes, records carry the name itself: records
  /// with ever new keys stay possible and cannot fill the memory.
  static constexpr std::uint32_t kMaxNames = 65'536;
  static constexpr std::size_t kMaxNameBytes = 256;

  FieldNames() = default;
  FieldNames(const FieldNames&) = delete;
  FieldNames& operator=(const FieldNames&) = delete;
  ~FieldNames();

  std::uint32_t size() const noexcept { return size_.load(std::memory_order_acquire); }
  /// The number of a name, which is added if it is new; nothing when the name is not for the table.
  std::optional<std::uint32_t> intern(std::string_view name);
  std::optional<std::uint32_t> find(std::string_view name) const;
  /// kCorruption for a number that the table does not have. The view lives as long as the table.
  std::string_view name(std::uint32_t id) const;

 private:
  static constexpr std::uint32_t kFirstChunk = 64;
  static constexpr std::size_t kChunks = 11;  // 64 * (2^11 - 1) names, more than kMaxNames.
  struct Place {
    std::size_t chunk;
    std::uint32_t offset;
  };
  static Place place(std::uint32_t id) noexcept;

  // Chunks double in size and never move, so that readers need no lock: `size_` publishes what is written.
  std::array<std::unique_ptr<std::string[]>, kChunks> chunks_;
  std::atomic<std::uint32_t> size_{0};
  mutable std::shared_mutex mutex_;
  // A tree, not a hash table: no choice of names makes it slow.
  std::map<std::string_view, std::uint32_t> ids_;
};

}  // namespace vecstore
