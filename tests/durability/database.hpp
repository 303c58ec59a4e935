// The product as the durability tests use it, through the public API: open, one step, what is in it.
#pragma once
#include <cstdint>
#include <string>

#include "durability/script.hpp"
#include "vecstore/vec_database.hpp"

namespace vecstore::durability {

class Database {
 public:
  /// Throws vecstore::Error, as all of this class.
  Database(const std::string& directory, std::uint64_t map_size, bool create,
           std::uint64_t checkpoint_rows = 10'000);

  /// One durable commit. kCreate makes the collection unless it is there.
  void apply(const Step& step);
  /// Empty when there is no collection yet.
  Content content() const;
  /// What verify finds and where count, pages and search disagree, one line; empty = all is well.
  std::string damages() const;
  /// True when an exact search for the item's vector finds it first.
  bool finds(const Item& item) const;
  void close() { database_.close(); }

 private:
  void optimize(Collection collection);
  void compact(Collection collection, const std::vector<Item>& items);
  VecDatabase database_;
};

}  // namespace vecstore::durability
