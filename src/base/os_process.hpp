// What the process knows about itself and its neighbours: identity, life, forks.
#pragma once
#include <cstdint>
#include <string>

namespace vecstore {

/// A process, told apart from a later one with the same number by its start time and the machine's boot.
struct ProcessIdentity {
  std::int64_t pid = 0;
  std::uint64_t start_time = 0;  ///< Clock ticks since boot; 0 when the system does not tell.
  std::string boot_id;           ///< Changes with every boot; empty when the system does not tell.

  bool operator==(const ProcessIdentity&) const = default;
};

/// The calling process. Read anew after a fork.
ProcessIdentity this_process();

/// The number of the calling process. Cheap.
std::int64_t process_id() noexcept;

/// True while that very process runs (a zombie does not run). A process of an earlier boot is dead. In doubt
/// (no start time to compare) a process of that number counts as alive. Numbers mean the caller's pid
/// namespace.
bool is_alive(const ProcessIdentity& process);

/// Counts the forks between the first process and this one: a handle remembers the value at open and is of no
/// use (kForked) where it differs. One relaxed load. Children made by a bare clone() without fork() are not
/// seen.
std::uint64_t fork_generation() noexcept;

}  // namespace vecstore
