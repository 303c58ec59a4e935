#include "base/error.hpp"

#include <array>

namespace vecstore {
namespace {

struct Row {
  ErrorCode code;
  std::string_view name;
  int http;
  int grpc;
};

// One table for every surface; a test checks that no code is missing.
constexpr std::array kTable = {
    Row{ErrorCode::kInvalidArgument, "invalid_argument", 400, 3},
    Row{ErrorCode::kUnauthenticated, "unauthenticated", 401, 16},
    Row{ErrorCode::kPermissionDenied, "permission_denied", 403, 7},
    Row{ErrorCode::kNotFound, "not_found", 404, 5},
    Row{ErrorCode::kAlreadyExists, "already_exists", 409, 6},
    Row{ErrorCode::kConflict, "conflict", 412, 10},
    Row{ErrorCode::kTooLarge, "too_large", 413, 8},
    Row{ErrorCode::kUnsupportedMedia, "unsupported_media", 415, 3},
    Row{ErrorCode::kQuotaExceeded, "quota_exceeded", 403, 8},
    Row{ErrorCode::kRateLimited, "rate_limited", 429, 8},
    Row{ErrorCode::kCorruption, "corruption", 500, 15},
    Row{ErrorCode::kDiskFull, "disk_full", 507, 8},
    Row{ErrorCode::kIo, "io", 503, 14},
    Row{ErrorCode::kOutOfMemory, "out_of_memory", 503, 8},
    Row{ErrorCode::kBusy, "busy", 503, 14},
    Row{ErrorCode::kLocked, "locked", 503, 14},
    Row{ErrorCode::kReadOnly, "read_only", 403, 9},
    Row{ErrorCode::kDeadline, "deadline", 504, 4},
    Row{ErrorCode::kCancelled, "cancelled", 499, 1},
    Row{ErrorCode::kUnsupportedFormat, "unsupported_format", 500, 9},
    Row{ErrorCode::kUnknownOutcome, "unknown_outcome", 500, 2},
    Row{ErrorCode::kForked, "forked", 500, 9},
    Row{ErrorCode::kClosed, "closed", 500, 9},
};

const Row& row(ErrorCode code) {
  for (const Row& r : kTable) {
    if (r.code == code) return r;
  }
  static constexpr Row kUnknown{ErrorCode::kIo, "unknown", 500, 2};
  return kUnknown;
}

}  // namespace

std::string_view to_string(ErrorCode code) { return row(code).name; }
int http_status(ErrorCode code) { return row(code).http; }
int grpc_status(ErrorCode code) { return row(code).grpc; }

Error::Error(ErrorCode code, const std::string& message, std::optional<std::size_t> item)
    : std::runtime_error(item ? "item " + std::to_string(*item) + ": " + message : message),
      code_(code),
      item_(item) {}

bool Error::retryable() const noexcept {
  switch (code_) {
    case ErrorCode::kBusy:
    case ErrorCode::kLocked:
    case ErrorCode::kRateLimited:
    case ErrorCode::kDiskFull:
    case ErrorCode::kDeadline:
      return true;
    default:
      return false;
  }
}

}  // namespace vecstore
