// Errors: one exception type whose code says who must act.
#pragma once
#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace vecstore {

/// What went wrong. The numbers are frozen: they cross the C ABI, the network and log files.
enum class ErrorCode : int {
  kInvalidArgument = 1,  ///< A value that can never be accepted; the message names field, value and limit.
  kUnauthenticated = 2,
  kPermissionDenied = 3,
  kNotFound = 4,
  kAlreadyExists = 5,
  kConflict = 6,  ///< A condition on the stored version did not hold.
  kTooLarge = 7,  ///< A limit on size or count is exceeded.
  kUnsupportedMedia = 8,
  kQuotaExceeded = 9,
  kRateLimited = 10,
  kCorruption = 11,  ///< Stored bytes are damaged; the message names collection and id.
  kDiskFull = 12,    ///< Nothing is lost; reads and erases still work.
  kIo = 13,
  kOutOfMemory = 14,
  kBusy = 15,
  kLocked = 16,  ///< Another process has the directory open for writing.
  kReadOnly = 17,
  kDeadline = 18,
  kCancelled = 19,
  kUnsupportedFormat =
      20,                ///< Written by a newer version or on an incompatible machine; nothing was changed.
  kUnknownOutcome = 21,  ///< A sync failed: the last write may or may not be durable. Reopen to learn which.
  kForked = 22,          ///< The handle was inherited by fork(); open the directory again in the child.
  kClosed = 23,
};

/// The code's name without the k, in snake case: "invalid_argument".
std::string_view to_string(ErrorCode code);
/// The HTTP status and the gRPC status (0 to 16) that a server answers with. One table for every surface.
int http_status(ErrorCode code);
int grpc_status(ErrorCode code);

/// The only exception that VecStore throws on purpose. The message is one line, names the field, the value
/// and the limit, and never contains vectors, texts or secrets.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message, std::optional<std::size_t> item = std::nullopt);

  ErrorCode code() const noexcept { return code_; }
  /// The index of the offending item, when the call was a batch.
  std::optional<std::size_t> item() const noexcept { return item_; }
  /// True when the same call may succeed later without a change (kBusy, kLocked, kRateLimited, kDiskFull,
  /// kDeadline).
  bool retryable() const noexcept;

 private:
  ErrorCode code_;
  std::optional<std::size_t> item_;
};

}  // namespace vecstore
