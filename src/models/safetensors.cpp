#include "models/safetensors.hpp"

#include <bit>
#include <cstring>
#include <limits>

#include "base/error.hpp"
#include "models/json.hpp"

namespace vecstore::models {
namespace {

constexpr std::uint64_t kMaxHeader = 100'000'000;

struct TypeRow {
  std::string_view name;
  TensorType type;
  std::uint64_t size;
};
constexpr TypeRow kTypes[] = {
    {"F32", TensorType::kF32, 4},   {"F16", TensorType::kF16, 2},   {"BF16", TensorType::kBf16, 2},
    {"F64", TensorType::kOther, 8}, {"I64", TensorType::kOther, 8}, {"I32", TensorType::kOther, 4},
    {"I16", TensorType::kOther, 2}, {"I8", TensorType::kOther, 1},  {"U64", TensorType::kOther, 8},
    {"U32", TensorType::kOther, 4}, {"U16", TensorType::kOther, 2}, {"U8", TensorType::kOther, 1},
    {"BOOL", TensorType::kOther, 1}};

float from_half(std::uint16_t h) {
  const std::uint32_t sign = static_cast<std::uint32_t>(h & 0x8000u) << 16;
  const std::uint32_t exponent = (h >> 10) & 31u;
  const std::uint32_t mantissa = h & 1023u;
  if (exponent == 0) {
    const float value = static_cast<float>(mantissa) * 0x1p-24f;
    return sign != 0 ? -value : value;
  }
  const std::uint32_t wide = exponent == 31 ? 255u : exponent + 112u;
  return std::bit_cast<float>(sign | (wide << 23) | (mantissa << 13));
}

std::uint64_t number(const Json& value, std::string_view what) {
  const auto n = value.as_unsigned();
  if (!n) fail(ErrorCode::kCorruption, what, " is not an unsigned integer");
  return *n;
}

TensorInfo read_info(const Json& entry, const std::string& where, std::uint64_t data_begin,
                     std::uint64_t data_size) {
  TensorInfo info;
  const auto dtype = entry.get("dtype").as_string();
  if (!dtype) fail(ErrorCode::kCorruption, where, ": dtype is missing or not a string");
  info.type_name = *dtype;
  std::uint64_t element = 0;
  for (const TypeRow& row : kTypes) {
    if (row.name == info.type_name) {
      info.type = row.type;
      element = row.size;
    }
  }
  if (!entry.get("shape").is_array())
    fail(ErrorCode::kCorruption, where, ": shape is missing or not an array");
  std::uint64_t expected = element;
  entry.get("shape").each([&](const Json& side) {
    const std::uint64_t n = number(side, where + ": a side of the shape");
    if (__builtin_mul_overflow(expected, n, &expected) || n > std::numeric_limits<std::size_t>::max()) {
      fail(ErrorCode::kCorruption, where, ": the shape's product overflows");
    }
    info.shape.push_back(static_cast<std::size_t>(n));
  });
  std::vector<std::uint64_t> offsets;
  entry.get("data_offsets").each([&](const Json& o) {
    offsets.push_back(number(o, where + ": data_offsets"));
  });
  if (offsets.size() != 2) fail(ErrorCode::kCorruption, where, ": data_offsets must be two numbers");
  if (offsets[0] > offsets[1] || offsets[1] > data_size) {
    fail(ErrorCode::kCorruption, where, ": data_offsets ", offsets[0], " to ", offsets[1],
         " do not lie within the ", data_size, " bytes of data");
  }
  info.begin = data_begin + offsets[0];
  info.size = offsets[1] - offsets[0];
  if (element != 0 && info.size != expected) {
    fail(ErrorCode::kCorruption, where, ": ", info.size, " bytes are stored, the shape needs ", expected);
  }
  return info;
}

}  // namespace

Safetensors::Safetensors(const std::filesystem::path& file) : file_(file), stream_(file, std::ios::binary) {
  std::error_code error;
  const std::uint64_t size = std::filesystem::file_size(file, error);
  if (error || !stream_) fail(ErrorCode::kNotFound, file.string(), ": cannot be read");
  unsigned char raw[8];
  if (size < 8 || !stream_.read(reinterpret_cast<char*>(raw), 8)) {
    fail(ErrorCode::kCorruption, file.string(), ": ", size, " bytes are too few for a safetensors file");
  }
  std::uint64_t header_size = 0;
  for (int i = 7; i >= 0; --i) header_size = header_size << 8 | raw[i];
  if (header_size > kMaxHeader || header_size > size - 8) {
    fail(ErrorCode::kCorruption, file.string(), ": the header's length ", header_size, " exceeds the file (",
         size, " bytes) or the limit of ", kMaxHeader);
  }
  std::string header(static_cast<std::size_t>(header_size), '\0');
  if (!stream_.read(header.data(), static_cast<std::streamsize>(header_size))) {
    fail(ErrorCode::kIo, file.string(), ": the header cannot be read");
  }
  const JsonDocument document(std::move(header), file.string() + ": header");
  if (!document.root().is_object())
    fail(ErrorCode::kCorruption, file.string(), ": the header is not a JSON object");
  document.root().each_member([&](std::string_view name, const Json& entry) {
    if (name == "__metadata__") return;
    const std::string where = concat(file.string(), ": tensor \"", name, "\"");
    if (!tensors_.emplace(name, read_info(entry, where, 8 + header_size, size - 8 - header_size)).second) {
      fail(ErrorCode::kCorruption, where, ": named twice");
    }
  });
}

const TensorInfo& Safetensors::find(std::string_view name) const {
  const auto it = tensors_.find(name);
  if (it == tensors_.end())
    fail(ErrorCode::kCorruption, file_.string(), ": tensor \"", name, "\" is missing");
  return it->second;
}

std::vector<std::byte> Safetensors::bytes(std::string_view name) {
  const TensorInfo& info = find(name);
  std::vector<std::byte> out(static_cast<std::size_t>(info.size));
  stream_.clear();
  stream_.seekg(static_cast<std::streamoff>(info.begin));
  if (!stream_.read(reinterpret_cast<char*>(out.data()), static_cast<std::streamsize>(out.size()))) {
    fail(ErrorCode::kCorruption, file_.string(), ": tensor \"", name,
         "\" cannot be read; the file has changed");
  }
  return out;
}

std::vector<float> Safetensors::floats(std::string_view name, std::span<const std::size_t> shape) {
  const TensorInfo& info = find(name);
  const auto text = [](std::span<const std::size_t> sides) {
    std::string out = "[";
    for (const std::size_t side : sides) out += (out.size() > 1 ? ", " : "") + std::to_string(side);
    return out + "]";
  };
  if (!std::equal(info.shape.begin(), info.shape.end(), shape.begin(), shape.end())) {
    fail(ErrorCode::kCorruption, file_.string(), ": tensor \"", name, "\" has the shape ", text(info.shape),
         ", the configuration needs ", text(shape));
  }
  if (info.type == TensorType::kOther) {
    fail(ErrorCode::kUnsupportedFormat, file_.string(), ": tensor \"", name, "\" has the type ",
         info.type_name, "; F32, F16 and BF16 can be read");
  }
  const std::vector<std::byte> raw = bytes(name);
  std::vector<float> out(raw.size() / (info.type == TensorType::kF32 ? 4 : 2));
  if (info.type == TensorType::kF32) {
    if (!raw.empty()) std::memcpy(out.data(), raw.data(), raw.size());
    return out;
  }
  for (std::size_t i = 0; i < out.size(); ++i) {
    std::uint16_t half;
    std::memcpy(&half, raw.data() + 2 * i, 2);
    out[i] = info.type == TensorType::kF16 ? from_half(half)
                                           : std::bit_cast<float>(static_cast<std::uint32_t>(half) << 16);
  }
  return out;
}

}  // namespace vecstore::models
