// From errno to ErrorCode: one mapping for every file operation.
#pragma once
#include <string_view>

#include "base/error.hpp"

namespace vecstore::os {

/// The code for a failed system call on `path` (which may be empty when there is none). EIO on a file system
/// without a free block counts as kDiskFull: some file systems report delayed allocation that way.
ErrorCode code_from_errno(int error, std::string_view path);

/// Throws "<path>: cannot <operation>: <text of errno>" with that code.
[[noreturn]] void fail_os(int error, std::string_view operation, std::string_view path);

}  // namespace vecstore::os
