#include "storage/segment_list.hpp"

#include <charconv>

#include "base/bytes.hpp"
#include "storage/envelope.hpp"
#include "storage/keys.hpp"

namespace vecstore::storage {
namespace {
constexpr std::string_view kSuffix = ".vsx";

std::string list_key(std::uint32_t collection) { return aux_key(collection, AuxKind::kSegments, 0); }
}  // namespace

std::string_view stored_segments(const Txn& txn, std::uint32_t collection) {
  return txn.get(Keyspace::kAux, list_key(collection)).value_or(std::string_view{});
}

std::vector<SegmentEntry> decode_segments(std::uint32_t collection, std::string_view stored) {
  std::vector<SegmentEntry> out;
  if (stored.empty()) return out;
  ByteReader in(unseal(ValueKind::kSegments, collection, list_key(collection), stored).payload,
                "list of segments");
  while (!in.empty()) {
    SegmentEntry e;
    for (std::uint64_t* field : {&e.number, &e.first_row, &e.end_row, &e.sequence, &e.rows, &e.file_bytes}) {
      *field = in.get<std::uint64_t>();
    }
    const std::uint64_t expected = out.empty() ? 0 : out.back().end_row;
    if (e.first_row != expected || e.end_row <= e.first_row || e.rows > e.end_row - e.first_row) {
      fail(ErrorCode::kCorruption, "list of segments of collection ", collection, ": segment ", e.number,
           " covers rows ", e.first_row, " to ", e.end_row, ", expected from ", expected);
    }
    out.push_back(e);
  }
  return out;
}

std::vector<SegmentEntry> read_segments(const Txn& txn, std::uint32_t collection) {
  return decode_segments(collection, stored_segments(txn, collection));
}

void write_segments(WriteTxn& txn, std::uint32_t collection, std::uint64_t sequence,
                    std::span<const SegmentEntry> segments) {
  const std::string key = list_key(collection);
  if (segments.empty()) {
    txn.erase(Keyspace::kAux, key);
    return;
  }
  std::string out;
  for (const SegmentEntry& e : segments) {
    for (std::uint64_t field : {e.number, e.first_row, e.end_row, e.sequence, e.rows, e.file_bytes})
      put(out, field);
  }
  txn.put(Keyspace::kAux, key, seal(ValueKind::kSegments, collection, sequence, key, out));
}

std::string segment_directory(const std::string& directory) { return directory + "/seg"; }

std::string segment_path(const std::string& directory, std::uint64_t number) {
  return concat(segment_directory(directory), "/", number, kSuffix);
}

std::uint64_t segment_number(std::string_view file_name) {
  if (!file_name.ends_with(kSuffix)) return 0;
  const char* end = file_name.data() + file_name.size() - kSuffix.size();
  std::uint64_t number = 0;
  const auto [stop, error] = std::from_chars(file_name.data(), end, number);
  return error == std::errc() && stop == end ? number : 0;
}

}  // namespace vecstore::storage
