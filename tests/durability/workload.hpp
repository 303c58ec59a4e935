// Runs a script in a child process, meets the errors that the shim makes, and checks what is left.
#pragma once
#include <cstdint>
#include <string>

#include "durability/database.hpp"
#include "durability/fault_shim.h"
#include "durability/script.hpp"

namespace vecstore::durability {

enum Mark : unsigned { kBegin = 1, kAcknowledged = 2 };

/// Shared with the parent; survives the child.
struct Trial {
  shim_state shim;
  std::uint64_t begun;         ///< Steps that were started.
  std::uint64_t acknowledged;  ///< Steps whose call returned.
  std::uint64_t disk_full;     ///< Errors that the calls threw, by code.
  std::uint64_t io;
  std::uint64_t unknown_outcome;
  std::uint64_t syscalls_wrong;  ///< Writing system calls that the shim has not seen (by /proc/self/io).
  char failure[1024];            ///< What the child found wrong; empty = nothing.
  char phase[256];               ///< What the process is doing, for the report when it dies.
};

std::string database_path(const std::string& root, int database);

/// The script from its first step to its last below `root`, faults as run.shim says. Every error is checked
/// against the contract: kDiskFull and kIo leave the content as it was and the handle usable, kUnknownOutcome
/// poisons the handle and reopening finds the step done or not done, whole; then the step is tried again.
/// Fills `run`.
void run_script(const Script& script, const Model& model, const std::string& root, Trial& run);

/// Opens what is below `root` and says what is wrong with it, empty when nothing: content is that after j
/// steps for one acknowledged <= j <= begun, verify is clean, new writes are accepted. Databases before
/// `first_database` are not looked at.
std::string check_result(const Script& script, const Model& model, const std::string& root,
                         std::uint64_t acknowledged, std::uint64_t begun, int first_database = 0);

}  // namespace vecstore::durability
