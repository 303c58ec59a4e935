// Files of vectors: NumPy's .npy and .fvecs.
#pragma once
#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

namespace vecstore::cli {

/// A matrix, read row by row through one buffer; every element becomes a float.
///
/// .npy (format 1 to 3): float32, float16, int8 or uint8, two dimensions, C order, little endian. .fvecs:
/// each row is its dimension as a 32-bit integer and as many floats. Everything else is kInvalidArgument; a
/// file that is shorter or longer than it says is kCorruption. The header is checked against the file's size
/// before anything is allocated.
class VectorFile {
 public:
  explicit VectorFile(std::string path);

  std::uint64_t rows() const { return rows_; }
  std::size_t dimension() const { return dimension_; }
  /// False after the last row. The numbers may be NaN or infinite: the collection refuses those.
  bool next(std::vector<float>& row);
  std::uint64_t bytes_read() const { return position_; }
  const std::string& path() const { return path_; }

  static bool is_vector_file(std::string_view path);

 private:
  enum class Element { kF32, kF16, kInt8, kUint8 };
  void open_npy();
  void open_fvecs();
  void read_bytes(char* out, std::size_t size);
  static std::size_t size_of(Element element);

  std::string path_;
  std::ifstream in_;
  std::vector<char> io_buffer_;
  std::vector<char> raw_;
  std::uint64_t size_ = 0;
  std::uint64_t position_ = 0;
  std::uint64_t rows_ = 0;
  std::uint64_t next_ = 0;
  std::size_t dimension_ = 0;
  Element element_ = Element::kF32;
  bool fvecs_ = false;
};

/// IEEE 754 binary16 to float, exactly.
float half_to_float(std::uint16_t half);

}  // namespace vecstore::cli
