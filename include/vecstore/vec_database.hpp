// VecDatabase: one directory with any number of collections.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "vecstore/collection.hpp"

namespace vecstore {

/// A damage that verify found.
struct Damage {
  std::string kind;        ///< "checksum", "missing row", "orphan row", "count", "digest", "page", ...
  std::string collection;  ///< Empty when it belongs to none.
  std::string id;          ///< The record, where it is known.
  std::string detail;
};

struct VerifyReport {
  std::vector<Damage> damages;
  std::uint64_t records = 0;  ///< Live records that were read; the damages name those that are not right.
  std::uint64_t pages = 0;    ///< Pages of the data file that were walked.
  bool ok() const noexcept { return damages.empty(); }
};

struct DatabaseStats {
  std::uint64_t collections = 0;
  std::uint64_t records = 0;
  std::uint64_t file_bytes = 0;  ///< Size of the data file.
  std::uint64_t free_bytes = 0;  ///< Of these, bytes that the next writes reuse.
  SequenceNumber sequence = 0;   ///< The last commit.
  std::uint64_t generation = 0;  ///< Number of the live truth.N directory.
};

struct CompactResult {
  std::uint64_t bytes_before = 0;  ///< Of the data file.
  std::uint64_t bytes_after = 0;
  std::uint64_t generation = 0;  ///< Number of the live truth.N directory.
};

/// Cheap to copy, safe to share. One process at a time has a directory open for writing, any number read it
/// beside. Opening a directory twice in a process gives the same instance; its options are those of the first
/// open.
class VecDatabase {
 public:
  /// Errors: kNotFound (missing and !create, or read_only), kInvalidArgument (a file, a network file system),
  /// kLocked (another writer; names its pid), kPermissionDenied, kReadOnly, kUnsupportedFormat, kCorruption.
  /// Milliseconds, whatever the size.
  static VecDatabase open(std::string_view directory, const OpenOptions& options = {});

  /// Waits for running calls, then releases the directory. Later calls through any copy throw kClosed.
  /// Dropping the last handle closes as well.
  void close();

  /// Names match [A-Za-z0-9][A-Za-z0-9_-]{0,63}. kAlreadyExists when it is there.
  Collection create_collection(std::string_view name, const CollectionOptions& options = {});
  Collection get_collection(std::string_view name) const;  ///< kNotFound
  /// An existing collection's metric and dimension have to agree with what `options` gives
  /// (kInvalidArgument); how it is indexed stays.
  Collection get_or_create_collection(std::string_view name, const CollectionOptions& options = {});
  std::vector<std::string> list_collections() const;  ///< In the order of their names.
  /// kNotFound when there is none. One commit; the space is reused.
  void delete_collection(std::string_view name);

  /// Holds back merging in the background until resume: what runs goes on, nothing new is begun.
  void pause_background();
  void resume_background();
  /// Gives space back: copies what is live into a new data file (generation) and switches to it. Nothing
  /// that was erased or replaced before it began is in the data file afterwards, but for ids in the change
  /// log and metadata that update_metadata replaced. Reads and writes go on, writes wait some milliseconds at
  /// the end; other processes that read follow at their next query, and the old file goes when the last of
  /// them has. Cost: reads and writes the live data once, needs that much free disk. A crash or an error
  /// leaves the old file or the new one, whole. It also runs by itself, see OpenOptions::compact_ratio.
  /// kDiskFull (names what is needed), kCorruption (a damaged database is left as it is), kReadOnly,
  /// kCancelled, kBusy (millions of records were written meanwhile); kClosed when the database is closed
  /// meanwhile.
  CompactResult compact(const CompactOptions& options = {});

  DatabaseStats stats() const;
  /// Reads everything and checks it against its checksums, counts and digests; never changes anything.
  VerifyReport verify() const;
  const std::string& directory() const;
  bool read_only() const;

  class Impl;
  explicit VecDatabase(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace vecstore
