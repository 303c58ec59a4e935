// verify: reads a whole truth and says what is damaged. It never hands the file to the engine, so no damage
// can crash it, and never changes anything.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/context.hpp"

namespace vecstore::storage {

class Store;

/// One thing that is wrong. `kind` is one of the words that docs/format.md lists; `id` is empty where the
/// damage cannot be told apart by record, `collection` 0 where it belongs to none.
struct StoredDamage {
  std::string kind;
  std::uint32_t collection = 0;
  std::string id;
  std::string detail;
};

struct VerifyResult {
  std::vector<StoredDamage> damages;  ///< The first 10,000.
  std::uint64_t found = 0;            ///< All of them.
  std::uint64_t sequence = 0;         ///< The commit that was looked at.
  std::uint64_t collections = 0;
  std::uint64_t records = 0;  ///< Live records whose parts all fit together, or were reported.
  std::uint64_t rows = 0;     ///< Rows whose checksums were compared, vectors and documents.
  std::uint64_t pages = 0;    ///< Branch and leaf pages, and first pages of long values.
  bool ok() const { return found == 0; }
};

/// Checks the newest commit while the store goes on working: a read transaction keeps its pages. The store's
/// map cannot grow meanwhile, so a writer may have to wait. Cost: reads the file once, vectors and documents
/// included; memory some bits per row. Throws kClosed, kForked, kCancelled, kDeadline, kIo; never for damage.
VerifyResult verify_store(Store& store, const Context& context = {});

/// The same for a directory that nobody has open for writing; FORMAT and CURRENT too. kBusy when somebody
/// wrote meanwhile, kNotFound when there is no store, kUnsupportedFormat as for opening.
VerifyResult verify_directory(const std::string& directory, const Context& context = {});

}  // namespace vecstore::storage
