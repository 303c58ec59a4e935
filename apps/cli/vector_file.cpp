#include "cli/vector_file.hpp"

#include <bit>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>

#include "base/error.hpp"

namespace vecstore::cli {
namespace {

constexpr std::size_t kMostDimensions = 65'536;
constexpr std::size_t kLongestHeader = std::size_t{1} << 20;
static_assert(std::endian::native == std::endian::little,
              "the readers copy little-endian numbers as they are");

/// The Python dictionary in an .npy header: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& path) : text_(text), path_(path) {}

  void parse() {
    expect('{');
    while (!accept('}')) {
      const std::string key = string();
      expect(':');
      if (key == "descr") {
        if (peek() == '[') refuse("has fields; wanted one plain array");
        descr = string();
      } else if (key == "fortran_order") {
        fortran_order = boolean();
      } else if (key == "shape") {
        tuple();
      } else {
        refuse("has an unknown key in its header");
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    if (descr.empty() || !has_shape) refuse("has a header without descr or shape");
  }

  std::string descr;
  std::vector<std::uint64_t> shape;
  bool fortran_order = false;
  bool has_shape = false;

 private:
  [[noreturn]] void refuse(std::string_view what) const { invalid(path_, ": ", what); }
  char peek() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t')) ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool accept(char c) {
    if (peek() != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) refuse("has a malformed header");
  }
  std::string string() {
    const char quote = peek();
    if (quote != '\'' && quote != '"') refuse("has a malformed header");
    const std::size_t end = text_.find(quote, ++at_);
    if (end == std::string_view::npos) refuse("has a malformed header");
    std::string value(text_.substr(at_, end - at_));
    at_ = end + 1;
    return value;
  }
  bool boolean() {
    peek();
    for (const auto& [word, value] :
         {std::pair{std::string_view("True"), true}, {std::string_view("False"), false}}) {
      if (text_.substr(at_).starts_with(word)) {
        at_ += word.size();
        return value;
      }
    }
    refuse("has a malformed header");
  }
  void tuple() {
    expect('(');
    has_shape = true;
    while (!accept(')')) {
      peek();
      std::uint64_t value = 0;
      const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
      if (error != std::errc()) refuse("has a malformed shape");
      at_ = static_cast<std::size_t>(end - text_.data());
      shape.push_back(value);
      if (shape.size() > 32) refuse("has a malformed shape");
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
  }

  std::string_view text_;
  const std::string& path_;
  std::size_t at_ = 0;
};

}  // namespace

float half_to_float(std::uint16_t half) {
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000u) << 16;
  const std::uint32_t exponent = (half >> 10) & 0x1fu;
  std::uint32_t mantissa = half & 0x3ffu;
  if (exponent == 0) {  // zero and subnormal numbers: mantissa * 2^-24
    const float value = static_cast<float>(mantissa) * 0x1p-24f;
    return sign != 0 ? -value : value;
  }
  const std::uint32_t wide = exponent == 31 ? 255u : exponent + 112u;
  return std::bit_cast<float>(sign | (wide << 23) | (mantissa << 13));
}

bool VectorFile::is_vector_file(std::string_view path) {
  return path.ends_with(".npy") || path.ends_with(".fvecs");
}

std::size_t VectorFile::size_of(Element element) {
  switch (element) {
    case Element::kF32:
      return 4;
    case Element::kF16:
      return 2;
    case Element::kInt8:
    case Element::kUint8:
      return 1;
  }
  return 0;
}

VectorFile::VectorFile(std::string path) : path_(std::move(path)), io_buffer_(std::size_t{1} << 20) {
  std::error_code error;
  const auto status = std::filesystem::status(path_, error);
  if (!std::filesystem::exists(status)) fail(ErrorCode::kNotFound, path_, ": no such file");
  if (!std::filesystem::is_regular_file(status)) invalid(path_, ": is no regular file");
  size_ = std::filesystem::file_size(path_, error);
  in_.rdbuf()->pubsetbuf(io_buffer_.data(), static_cast<std::streamsize>(io_buffer_.size()));
  in_.open(path_, std::ios::binary);
  if (!in_) fail(ErrorCode::kIo, path_, ": ", std::strerror(errno));
  if (path_.ends_with(".fvecs"))
    open_fvecs();
  else
    open_npy();
  if (dimension_ == 0 || dimension_ > kMostDimensions) {
    invalid(path_, ": ", dimension_, " dimensions; wanted 1 to ", kMostDimensions);
  }
  raw_.resize(dimension_ * size_of(element_));
}

void VectorFile::read_bytes(char* out, std::size_t size) {
  if (size > size_ - position_) fail(ErrorCode::kCorruption, path_, ": ends too early, at byte ", size_);
  if (!in_.read(out, static_cast<std::streamsize>(size)))
    fail(ErrorCode::kIo, path_, ": could not be read at byte ", position_);
  position_ += size;
}

void VectorFile::open_npy() {
  char magic[8];
  read_bytes(magic, sizeof magic);
  if (std::memcmp(magic, "\x93NUMPY", 6) != 0) invalid(path_, ": is no .npy file");
  const int version = magic[6];
  if (version < 1 || version > 3) invalid(path_, ": .npy format ", version, "; wanted 1, 2 or 3");
  std::uint32_t length = 0;
  read_bytes(reinterpret_cast<char*>(&length), version == 1 ? 2 : 4);
  if (length > kLongestHeader)
    invalid(path_, ": header of ", length, " bytes; the limit is ", kLongestHeader);
  std::string text(length, '\0');
  read_bytes(text.data(), length);
  HeaderParser header(text, path_);
  header.parse();

  const std::string_view type = header.descr;
  if (type == "<f4")
    element_ = Element::kF32;
  else if (type == "<f2")
    element_ = Element::kF16;
  else if (type == "|i1" || type == "<i1")
    element_ = Element::kInt8;
  else if (type == "|u1" || type == "<u1")
    element_ = Element::kUint8;
  else
    invalid(path_, ": element type ", type,
            "; wanted float32 (<f4), float16 (<f2), int8 (|i1) or uint8 (|u1)");
  if (header.shape.size() != 2)
    invalid(path_, ": ", header.shape.size(), " axes; wanted 2: rows and dimensions");
  if (header.fortran_order && header.shape[0] > 1 && header.shape[1] > 1) {
    invalid(path_, ": Fortran order; save it with numpy.ascontiguousarray");
  }
  rows_ = header.shape[0];
  if (header.shape[1] > kMostDimensions)
    invalid(path_, ": ", header.shape[1], " dimensions; wanted 1 to ", kMostDimensions);
  dimension_ = static_cast<std::size_t>(header.shape[1]);
  const std::uint64_t row_bytes = dimension_ * size_of(element_);
  const std::uint64_t rest = size_ - position_;
  if (row_bytes != 0 && (rest % row_bytes != 0 || rest / row_bytes != rows_)) {
    fail(ErrorCode::kCorruption, path_, ": ", rest, " bytes follow the header; ", rows_, " rows of ",
         row_bytes, " bytes were announced");
  }
}

void VectorFile::open_fvecs() {
  fvecs_ = true;
  if (size_ == 0) invalid(path_, ": is empty");
  std::int32_t dimension = 0;
  read_bytes(reinterpret_cast<char*>(&dimension), sizeof dimension);
  if (dimension < 1 || dimension > static_cast<std::int32_t>(kMostDimensions)) {
    invalid(path_, ": ", dimension, " dimensions; wanted 1 to ", kMostDimensions);
  }
  dimension_ = static_cast<std::size_t>(dimension);
  const std::uint64_t row_bytes = 4 + 4 * static_cast<std::uint64_t>(dimension_);
  if (size_ % row_bytes != 0) {
    fail(ErrorCode::kCorruption, path_, ": ", size_, " bytes are no multiple of a row's ", row_bytes,
         " bytes");
  }
  rows_ = size_ / row_bytes;
}

bool VectorFile::next(std::vector<float>& row) {
  if (next_ == rows_) return false;
  if (fvecs_ && next_ > 0) {
    std::int32_t dimension = 0;
    read_bytes(reinterpret_cast<char*>(&dimension), sizeof dimension);
    if (dimension != static_cast<std::int32_t>(dimension_)) {
      fail(ErrorCode::kCorruption, path_, ": row ", next_, " has ", dimension, " dimensions, row 0 has ",
           dimension_);
    }
  }
  row.resize(dimension_);
  if (element_ == Element::kF32) {
    read_bytes(reinterpret_cast<char*>(row.data()), dimension_ * sizeof(float));
  } else {
    read_bytes(raw_.data(), raw_.size());
    for (std::size_t i = 0; i < dimension_; ++i) {
      if (element_ == Element::kF16) {
        std::uint16_t half = 0;
        std::memcpy(&half, raw_.data() + 2 * i, sizeof half);
        row[i] = half_to_float(half);
      } else if (element_ == Element::kInt8) {
        row[i] = static_cast<float>(static_cast<signed char>(raw_[i]));
      } else {
        row[i] = static_cast<float>(static_cast<unsigned char>(raw_[i]));
      }
    }
  }
  ++next_;
  return true;
}

}  // namespace vecstore::cli
