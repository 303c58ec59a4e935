#include "cli/line_reader.hpp"

#include <zlib.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/error.hpp"

namespace vecstore::cli {
namespace {
constexpr std::size_t kBlock = std::size_t{256} << 10;
constexpr std::size_t kLongestLine = std::size_t{32} << 20;
}  // namespace

struct LineReader::File {
  explicit File(const std::string& path) : handle(gzopen(path.c_str(), "rb")) {}
  ~File() {
    if (handle != nullptr) gzclose_r(handle);
  }
  gzFile handle;
};

LineReader::LineReader(std::string path) : path_(std::move(path)), buffer_(kBlock) {
  std::error_code error;
  const auto status = std::filesystem::status(path_, error);
  if (!std::filesystem::exists(status)) fail(ErrorCode::kNotFound, path_, ": no such file");
  if (std::filesystem::is_directory(status)) fail(ErrorCode::kInvalidArgument, path_, ": is a folder");
  file_ = std::make_unique<File>(path_);
  if (file_->handle == nullptr) fail(ErrorCode::kIo, path_, ": ", std::strerror(errno));
  gzbuffer(file_->handle, kBlock);
}

LineReader::~LineReader() = default;

std::uint64_t LineReader::bytes_read() const {
  const z_off_t offset = gzoffset(file_->handle);
  return offset > 0 ? static_cast<std::uint64_t>(offset) : 0;
}

bool LineReader::fill() {
  if (at_end_) return false;
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (end_ == buffer_.size()) {
    if (end_ >= kLongestLine)
      fail(ErrorCode::kTooLarge, path_, ":", number_ + 1, ": line above the limit of ", kLongestLine,
           " bytes");
    buffer_.resize(buffer_.size() * 2);
  }
  const int n = gzread(file_->handle, buffer_.data() + end_, static_cast<unsigned>(buffer_.size() - end_));
  int status = Z_OK;
  const char* message = gzerror(file_->handle, &status);
  if (n < 0 || (n == 0 && status != Z_OK && status != Z_STREAM_END)) {
    if (status == Z_ERRNO) fail(ErrorCode::kIo, path_, ": ", std::strerror(errno));
    const bool cut = status == Z_BUF_ERROR;
    fail(ErrorCode::kCorruption, path_, ": after line ", number_, ": ",
         cut ? "the gzip data ends too early" : message);
  }
  end_ += static_cast<std::size_t>(n);
  if (n == 0) at_end_ = true;
  return n > 0;
}

bool LineReader::next(std::string_view& line) {
  std::size_t searched = 0;
  for (;;) {
    const char* from = buffer_.data() + begin_;
    const void* found =
        searched < end_ - begin_ ? std::memchr(from + searched, '\n', end_ - begin_ - searched) : nullptr;
    if (found != nullptr) {
      line = std::string_view(from, static_cast<std::size_t>(static_cast<const char*>(found) - from));
      begin_ += line.size() + 1;
      ++number_;
      return true;
    }
    searched = end_ - begin_;
    if (fill()) continue;
    if (begin_ == end_) return false;
    line = std::string_view(buffer_.data() + begin_, end_ - begin_);
    begin_ = end_;
    ++number_;
    return true;
  }
}

}  // namespace vecstore::cli
