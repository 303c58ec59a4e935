#include "shard/field_source.hpp"

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "storage/envelope.hpp"
#include "storage/keys.hpp"

namespace vecstore::shard {
namespace {

EncodedValue number(std::uint64_t n) {
  EncodedValue v;
  v.type = Metadata::Type::kInt;
  v.integer = static_cast<std::int64_t>(n);
  return v;
}

}  // namespace

// Numbers that are 0 are not indexed: most records have no chunk.
void add_fields(const storage::Document& document, std::uint32_t row, fields::FieldPartBuilder& out) {
  out.add(row, document.metadata);
  if (!document.source.empty()) {
    EncodedValue source;
    source.type = Metadata::Type::kString;
    source.bytes = document.source;
    out.add_own(row, OwnField::kSource, source);
  }
  if (document.start != 0) out.add_own(row, OwnField::kStart, number(document.start));
  if (document.end != 0) out.add_own(row, OwnField::kEnd, number(document.end));
  if (document.part != 0) out.add_own(row, OwnField::kPart, number(document.part));
}

void for_each_overlay(const ReadView& view, std::uint64_t first_row, std::uint64_t end_row,
                      const Context& ctx,
                      const std::function<void(std::uint64_t row, std::uint64_t sequence)>& fn) {
  if (view.state().overlays == 0) return;
  const std::uint32_t collection = view.shard().collection();
  const std::string first = storage::aux_key(collection, storage::AuxKind::kOverlay, first_row);
  const std::string_view prefix = std::string_view(first).substr(0, first.size() - sizeof first_row);
  storage::Cursor cursor = view.txn().cursor(storage::Keyspace::kAux);
  std::uint64_t steps = 0;
  for (bool more = cursor.seek(first); more; more = cursor.next()) {
    if (++steps % 256 == 0) ctx.check();
    const std::string_view key = cursor.key();
    if (key.size() != first.size() || !key.starts_with(prefix)) return;
    const auto row = load_big_endian<std::uint64_t>(key.data() + prefix.size());
    if (row >= end_row) return;
    std::uint64_t sequence = kDamagedOverlay;
    try {
      sequence = storage::unseal(storage::ValueKind::kOverlay, collection, key, cursor.value()).sequence;
    } catch (const Error& e) {
      if (e.code() != ErrorCode::kCorruption) throw;
    }
    fn(row, sequence);
  }
}

}  // namespace vecstore::shard
