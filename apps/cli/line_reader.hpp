// Lines of a file, plain or gzip, one at a time.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace vecstore::cli {

/// Streams with one buffer: memory is the longest line. Not for several threads.
class LineReader {
 public:
  /// kNotFound, kIo. A file that begins with gzip's magic is unpacked, whatever its name.
  explicit LineReader(std::string path);
  ~LineReader();

  /// The next line without its end; false at the end of the file. The view holds until the next call.
  /// kTooLarge: a line above 32 MiB. kCorruption: gzip data that is damaged or cut off. Messages name file
  /// and line.
  bool next(std::string_view& line);
  /// Of the line that next gave; the first is 1.
  std::uint64_t line_number() const { return number_; }
  /// Bytes of the file (as stored) that were read so far.
  std::uint64_t bytes_read() const;
  const std::string& path() const { return path_; }

 private:
  bool fill();

  struct File;
  std::unique_ptr<File> file_;
  std::string path_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::uint64_t number_ = 0;
  bool at_end_ = false;
};

}  // namespace vecstore::cli
