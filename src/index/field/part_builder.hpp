// FieldPartBuilder: from records to a part.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/byte_arena.hpp"
#include "base/metadata_codec.hpp"
#include "index/field/part_writer.hpp"
#include "index/field_query.hpp"

namespace vecstore::fields {

/// Collects the values of rows by path. Rows ascending. One thread. Memory: about 16 bytes per value and the
/// bytes of distinct strings.
class FieldPartBuilder {
 public:
  FieldPartBuilder();
  ~FieldPartBuilder();
  FieldPartBuilder(FieldPartBuilder&&) noexcept;

  /// `metadata` in stored form; kCorruption when it is malformed, and nothing is added then.
  void add(std::uint32_t row, std::string_view metadata);
  /// A value beside the metadata; the row has been added.
  void add_own(std::uint32_t row, OwnField field, const EncodedValue& value);
  /// A row of which nothing is known: it may match whatever is asked.
  void add_unknown(std::uint32_t row) { irregular_.push_back(row); }
  std::uint64_t values() const { return values_; }

  /// Empty afterwards.
  void write(FieldPartWriter& out);

 private:
  struct Field;
  struct Node;
  struct Value {
    Node* node;
    EncodedValue value;
  };
  Node* child(Node& parent, std::uint32_t step);
  void collect(Node* node, const EncodedValue& value);
  void keep(Node& node, std::uint32_t row, const EncodedValue& value);

  std::unique_ptr<Node> root_;
  std::vector<Node*> nodes_;
  ByteArena strings_;
  std::vector<Value> pending_;  // of the record that is being added
  std::vector<std::uint32_t> irregular_;
  std::uint64_t values_ = 0;
  bool cut_ = false;       // the record has values that are not indexed
  bool overflow_ = false;  // a path is not indexed
};

}  // namespace vecstore::fields
