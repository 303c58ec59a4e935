// Records: what is stored, and the vectors in it.
#pragma once
#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "vecstore/metadata.hpp"

namespace vecstore {

/// Orders all committed changes of a database; grows with every commit and is never reused.
using SequenceNumber = std::uint64_t;

/// A sparse vector: values[i] belongs to term indices[i]. Unsorted input is sorted; duplicate indices,
/// different lengths, values that are not finite and more than 65,536 entries are kInvalidArgument.
struct Sparse {
  std::vector<std::uint32_t> indices;
  std::vector<float> values;

  bool operator==(const Sparse&) const = default;
};

/// A dense vector, a sparse vector, or both. Converts from anything that holds floats.
class Vector {
 public:
  Vector() = default;
  Vector(std::vector<float> dense) : dense_(std::move(dense)) {}                // NOLINT: implicit by design
  Vector(std::span<const float> dense) : dense_(dense.begin(), dense.end()) {}  // NOLINT
  Vector(std::initializer_list<float> dense) : dense_(dense) {}                 // NOLINT
  Vector(Sparse sparse) : sparse_(std::move(sparse)) {}                         // NOLINT

  static Vector dense(std::vector<float> values) { return Vector(std::move(values)); }
  static Vector sparse(std::vector<std::uint32_t> indices, std::vector<float> values) {
    return Vector(Sparse{std::move(indices), std::move(values)});
  }
  static Vector hybrid(std::vector<float> dense, std::vector<std::uint32_t> indices,
                       std::vector<float> values) {
    Vector v(std::move(dense));
    v.sparse_ = Sparse{std::move(indices), std::move(values)};
    return v;
  }

  const std::vector<float>& dense() const noexcept { return dense_; }
  const std::optional<Sparse>& sparse() const noexcept { return sparse_; }
  bool empty() const noexcept { return dense_.empty() && !sparse_; }

  bool operator==(const Vector&) const = default;

 private:
  std::vector<float> dense_;
  std::optional<Sparse> sparse_;
};

/// One record. Only `id` is required.
struct Record {
  std::string id;                         ///< UTF-8, 1 to 512 bytes, no NUL; compared byte by byte.
  Vector vector;                          ///< The vector without a name.
  std::map<std::string, Vector> vectors;  ///< Named vectors, each declared in the collection's schema.
  std::string text;                       ///< At most 16 MiB of UTF-8; searched as the text field "text".
  Metadata metadata;                      ///< A JSON object: at most 64 KiB, 256 keys, depth 32.
  std::optional<std::chrono::milliseconds> ttl;  ///< Time to live; stored, not enforced yet.
  std::string source;                            ///< Where the text comes from, for example a file name.
  std::uint64_t start = 0;                       ///< The text is bytes [start, end) of its source.
  std::uint64_t end = 0;
  std::uint32_t part = 0;  ///< Which chunk of its source this is, from 0.

  // Set by the database, ignored when written:
  SequenceNumber sequence = 0;                                      ///< The commit that wrote this version.
  std::optional<std::chrono::system_clock::time_point> expires_at;  ///< From ttl.
};

}  // namespace vecstore
