// Reads tensors from a .safetensors file: 8 bytes header length, a JSON header, the data.
#pragma once
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vecstore::models {

enum class TensorType { kF32, kF16, kBf16, kOther };

struct TensorInfo {
  TensorType type = TensorType::kOther;
  std::string type_name;
  std::vector<std::size_t> shape;
  std::uint64_t begin = 0;  ///< Byte offset in the file.
  std::uint64_t size = 0;  ///< Bytes; equals the product of the shape times the element size for known types.
};

/// The header is checked whole at open: every tensor lies within the file and has the size that its shape and
/// type say. Tensors are read one at a time, so that a file that changes or shrinks later is an error and not
/// a crash. One thread at a time.
class Safetensors {
 public:
  /// Throws kNotFound, kIo, kCorruption.
  explicit Safetensors(const std::filesystem::path& file);

  const std::map<std::string, TensorInfo, std::less<>>& tensors() const { return tensors_; }

  /// The stored bytes. Throws kCorruption if the tensor is missing or the file is shorter by now.
  std::vector<std::byte> bytes(std::string_view name);
  /// The values as floats; throws kCorruption if the tensor is missing or its shape is another,
  /// kUnsupportedFormat if its type is not F32, F16 or BF16.
  std::vector<float> floats(std::string_view name, std::span<const std::size_t> shape);

 private:
  const TensorInfo& find(std::string_view name) const;

  std::filesystem::path file_;
  std::ifstream stream_;
  std::map<std::string, TensorInfo, std::less<>> tensors_;
};

}  // namespace vecstore::models
