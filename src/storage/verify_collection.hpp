// The part of verify that looks at one collection: its small values, rows, ids and counters.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/context.hpp"
#include "base/metadata_names.hpp"
#include "storage/document.hpp"
#include "storage/lmdb_pages.hpp"
#include "storage/rows.hpp"
#include "storage/state.hpp"
#include "storage/verify.hpp"

namespace vecstore::storage {

/// Takes damages, counts them, keeps the first.
class DamageReport {
 public:
  explicit DamageReport(VerifyResult& result) : result_(result) {}
  void add(std::string_view kind, std::uint32_t collection, std::string_view id, std::string detail);

 private:
  VerifyResult& result_;
};

/// What all checks of one verify share.
struct VerifyScope {
  const PageFile& file;
  const PageWalk& walk;
  const Context& context;
  VerifyResult& result;
  DamageReport& report;
  std::uint64_t sequence = ~std::uint64_t{0};  ///< Of the store record; no value may be newer.
};

/// The rows of one space in ascending order, each checked as it comes up.
class RowStream {
 public:
  RowStream(VerifyScope& scope, const RowSpace& space, bool report);
  bool valid() const { return valid_; }
  std::uint64_t row() const { return row_; }
  /// The checksum holds.
  bool sound() const { return sound_; }
  std::string_view bytes() const { return bytes_; }
  void next();

 private:
  void open_block(bool found);
  bool read_block();
  void read_row();

  VerifyScope& scope_;
  RowSpace space_;
  bool report_;
  TreeCursor cursor_;
  std::string prefix_;
  BlockView block_;
  std::uint32_t at_ = 0;
  std::optional<std::uint64_t> last_;  // highest row so far
  bool valid_ = false;
  bool sound_ = false;
  std::uint64_t row_ = 0;
  std::string_view bytes_;
};

class CollectionCheck {
 public:
  /// `state` is nullopt when the collection's record was damaged: then nothing is compared with it. `fields`
  /// are the vector fields that have rows, without those that are being swept away.
  CollectionCheck(VerifyScope& scope, std::uint32_t collection, std::optional<CollectionState> state,
                  std::set<std::uint16_t> fields);
  void run();

 private:
  /// A live record as its rows say, or as its id entry says.
  struct Seen {
    std::string id;
    std::uint64_t row = 0;
    std::uint32_t content = 0;
    std::uint32_t bytes = 0;
  };
  using Buckets = std::vector<std::uint64_t>;
  using RowSink = std::function<void(const Seen&)>;
  using IdSink = std::function<void(std::uint64_t id_hash, const IdEntry&, std::string_view id)>;

  void read_aux();
  void read_aux_value(char kind, std::uint64_t number, std::string_view key, std::string_view value);
  void read_schema(std::string_view json);
  void scan_rows(bool report, const RowSink& sink);
  void check_document(std::uint64_t row, const Document& document, std::string_view overlay);
  void scan_ids(bool report, const IdSink& sink);
  void compare();
  void name_differences(const Buckets& differences);
  void check_counters();
  void expect(std::string_view kind, std::uint64_t stored, std::uint64_t counted);
  void damage(std::string_view kind, std::string_view id, std::string detail) {
    scope_.report.add(kind, collection_, id, std::move(detail));
  }
  bool retired(std::uint64_t row) const;
  std::uint64_t mark(std::uint64_t id_hash, const Seen& seen) const;
  RowSpace documents() const { return {BlockKind::kDocuments, collection_, 0, 0}; }

  VerifyScope& scope_;
  const std::uint32_t collection_;
  const std::optional<CollectionState> state_;
  std::set<std::uint16_t> fields_;

  std::unordered_map<std::uint64_t, std::string> retired_;  // slice -> bits
  FieldNames names_;
  bool names_known_ = true;
  bool content_known_ = true;  // false after a vector field was dropped: older entries still count its rows
  std::uint64_t field_names_ = 0;
  std::uint64_t overlays_ = 0;
  std::uint64_t schemas_ = 0;
  std::uint64_t stored_rows_ = 0;
  std::uint64_t ids_ = 0;
  std::uint64_t live_bytes_ = 0;
  std::uint64_t digest_ = 0;
  std::uint64_t end_row_ = 0;  // one past the highest row
};

}  // namespace vecstore::storage
