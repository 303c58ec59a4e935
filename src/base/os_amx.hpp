// The operating system's permission for the processor's tile unit (AMX).
#pragma once

namespace vecstore {

/// Asks the kernel to let this process use AMX tiles; false where it does not know or does not allow them.
/// Repeated calls are cheap and give the same answer. Permission covers every thread of the process.
bool os_request_amx();

}  // namespace vecstore
