#include "storage/keys.hpp"
#include "storage/verify_collection.hpp"

namespace vecstore::storage {

namespace {
constexpr std::size_t kMostDamages = 10'000;
}

void DamageReport::add(std::string_view kind, std::uint32_t collection, std::string_view id,
                       std::string detail) {
  ++result_.found;
  if (result_.damages.size() < kMostDamages)
    result_.damages.push_back({std::string(kind), collection, std::string(id), std::move(detail)});
}

RowStream::RowStream(VerifyScope& scope, const RowSpace& space, bool report)
    : scope_(scope), space_(space), report_(report), cursor_(scope.file, scope.walk, space.keyspace()) {
  const std::string first = space.key(0);
  prefix_ = first.substr(0, first.size() - 8);
  open_block(cursor_.seek(first));
}

void RowStream::next() {
  ++at_;
  if (at_ < block_.count()) return read_row();
  open_block(cursor_.next());
}

void RowStream::open_block(bool found) {
  for (; found; found = cursor_.next()) {
    if (!cursor_.key().starts_with(prefix_)) break;
    if (cursor_.key().size() != prefix_.size() + 8) continue;  // reported with the keys
    scope_.context.check();
    try {
      if (!read_block()) continue;
    } catch (const Error& e) {
      if (report_) scope_.report.add("block", space_.collection, {}, e.what());
      continue;
    }
    valid_ = true;
    at_ = 0;
    return read_row();
  }
  valid_ = false;
}

// False when the block's pages were reported already.
bool RowStream::read_block() {
  const auto value = cursor_.value();
  if (!value) return false;
  block_ = BlockView(*value, space_.meta(), true);
  const auto wrong = [&](std::string_view what) {
    fail(ErrorCode::kCorruption, "block of rows ", block_.first_row(), " to ", block_.last_row(), ", field ",
         space_.field, ": ", what);
  };
  const auto key_row = load_big_endian<std::uint64_t>(cursor_.key().data() + prefix_.size());
  if (block_.last_row() != key_row) wrong(concat("its key names row ", key_row));
  if (last_ && block_.first_row() <= *last_) wrong("it overlaps the block before");
  if (block_.sequence() > scope_.sequence)
    wrong(concat("its sequence number ", block_.sequence(), " is newer than the store's"));
  const std::uint32_t count = block_.count();
  if (block_.row(0) != block_.first_row() || block_.row(count - 1) != block_.last_row())
    wrong("its rows are not those of its header");
  for (std::uint32_t i = 1; i < count; ++i) {
    if (block_.row(i) <= block_.row(i - 1)) wrong("its rows do not ascend");
  }
  const std::string_view first = block_.bytes(0);
  const std::string_view last = block_.bytes(count - 1);
  if (first.data() != block_.data() || last.data() + last.size() != value->data() + value->size())
    wrong("bytes belong to no row");
  last_ = block_.last_row();
  return true;
}

void RowStream::read_row() {
  ++scope_.result.rows;
  row_ = block_.row(at_);
  bytes_ = {};
  sound_ = false;
  try {
    sound_ = block_.verify(at_);
    bytes_ = block_.bytes(at_);
  } catch (const Error&) {
    sound_ = false;
  }
  if (!sound_ && report_) {
    const std::string_view what = space_.kind == BlockKind::kVectors ? "vector" : "document";
    scope_.report.add(
        "row", space_.collection, {},
        concat(what, " row ", row_,
               space_.kind == BlockKind::kVectors ? concat(" of field ", space_.field) : std::string(),
               ": checksum differs"));
  }
}

}  // namespace vecstore::storage
