// The product as the durability tests use it: open, one step, what is in it.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "durability/script.hpp"

namespace vecstore::durability {

class Database {
 public:
  /// Throws vecstore::Error, as all of this class.
  static std::unique_ptr<Database> open(const std::string& directory, std::uint64_t map_size, bool create);
  virtual ~Database() = default;
  /// One durable commit; of kCreate: the collection.
  virtual void apply(const Step& step) = 0;
  virtual Content content() const = 0;
  /// What verify finds, one line each; empty = clean.
  virtual std::string damages() const = 0;
  virtual void close() = 0;
};

}  // namespace vecstore::durability
