#include "base/os_error.hpp"

#include <sys/statvfs.h>

#include <cerrno>
#include <string>
#include <system_error>

namespace vecstore::os {
namespace {

bool is_full(std::string_view path) {
  struct statvfs info{};
  return !path.empty() && ::statvfs(std::string(path).c_str(), &info) == 0 && info.f_blocks > 0 &&
         info.f_bavail == 0;
}

}  // namespace

ErrorCode code_from_errno(int error, std::string_view path) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return ErrorCode::kDiskFull;
    case EIO:
      return is_full(path) ? ErrorCode::kDiskFull : ErrorCode::kIo;
    case EACCES:
    case EPERM:
      return ErrorCode::kPermissionDenied;
    case EROFS:
      return ErrorCode::kReadOnly;
    case ENOENT:
      return ErrorCode::kNotFound;
    case EEXIST:
      return ErrorCode::kAlreadyExists;
    case EMFILE:
    case ENFILE:
    case EBUSY:
      return ErrorCode::kBusy;
    case ENOMEM:
      return ErrorCode::kOutOfMemory;
    case EFBIG:
      return ErrorCode::kTooLarge;
    case ENAMETOOLONG:
    case ENOTDIR:
    case EISDIR:
    case ELOOP:
      return ErrorCode::kInvalidArgument;
    default:
      return ErrorCode::kIo;
  }
}

void fail_os(int error, std::string_view operation, std::string_view path) {
  fail(code_from_errno(error, path), path, ": cannot ", operation, ": ",
       std::generic_category().message(error));
}

}  // namespace vecstore::os
