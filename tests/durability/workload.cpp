#include "durability/workload.hpp"

#include <cstdio>
#include <cstring>
#include <fstream>
#include <memory>
#include <stdexcept>

#include "base/error.hpp"
#include "base/os_file.hpp"

namespace vecstore::durability {
namespace {

struct Wrong : std::runtime_error {
  using std::runtime_error::runtime_error;
};

std::string difference(const Content& found, const Content& wanted) {
  std::string out = concat(found.size(), " records instead of ", wanted.size());
  for (const auto& [id, value] : wanted) {
    const auto at = found.find(id);
    if (at == found.end()) return concat(out, "; '", id, "' is missing");
    if (at->second != value)
      return concat(out, "; '", id, "' is '", at->second.substr(0, 80), "' instead of '", value.substr(0, 80),
                    "'");
  }
  for (const auto& [id, value] : found) {
    if (!wanted.contains(id)) return concat(out, "; '", id, "' should not be there");
  }
  return out;
}

// Writing system calls of this process as the kernel counts them; 0 when it does not tell.
std::uint64_t kernel_writes() {
  std::ifstream in("/proc/self/io");
  for (std::string name; in >> name;) {
    std::uint64_t n = 0;
    in >> n;
    if (name == "syscw:") return n;
  }
  return 0;
}

class Runner {
 public:
  Runner(const Script& script, const Model& model, const std::string& root, Trial& run)
      : script_(script), model_(model), root_(root), run_(run) {}

  void all() {
    for (std::size_t i = 0; i < script_.steps.size(); ++i) {
      run_.begun = i + 1;
      shim_mark(kBegin, i);
      step(i);
      shim_mark(kAcknowledged, i);
      run_.acknowledged = i + 1;
    }
    database_.reset();
  }

 private:
  bool is_create(std::size_t i) const { return script_.steps[i].kind == Step::Kind::kCreate; }

  void open(std::size_t i) {
    database_.reset();
    database_ = std::make_unique<Database>(database_path(root_, script_.database[i]), script_.map_size,
                                           is_create(i), script_.checkpoint_rows);
  }

  void attempt(std::size_t i) {
    if (is_create(i)) open(i);
    database_->apply(script_.steps[i]);
  }

  // At most one fault is injected per run; a step may meet it once, and again as what it left behind.
  void step(std::size_t i) {
    for (int tries = 0;; ++tries) {
      try {
        return attempt(i);
      } catch (const Error& e) {
        if (!run_.shim.fired || tries > 0) throw Wrong(concat("step ", i, " fails: ", e.what()));
        shim_space();
        if (after_error(i, e)) return;
      }
    }
  }

  // True when the step turned out to be done.
  bool after_error(std::size_t i, const Error& e) {
    const bool no_space = run_.shim.fault == SHIM_ENOSPC || run_.shim.fault == SHIM_ENOSPC_STAYS;
    switch (e.code()) {
      case ErrorCode::kDiskFull:
        ++run_.disk_full;
        if (!no_space && run_.shim.fault != SHIM_SHORT)
          throw Wrong(concat("kDiskFull for a fault that is none: ", e.what()));
        break;
      case ErrorCode::kIo:
        ++run_.io;
        if (no_space) throw Wrong(concat("kIo for a full disk: ", e.what()));
        break;
      case ErrorCode::kUnknownOutcome: {
        ++run_.unknown_outcome;
        // Only what can leave a write in doubt may be answered so on a full disk.
        const bool in_doubt = run_.shim.fired_sync || run_.shim.fired_call == SHIM_SYNC ||
                              run_.shim.fired_call == SHIM_SYNC_DIR;
        if (no_space && !in_doubt) throw Wrong(concat("kUnknownOutcome for a full disk: ", e.what()));
        return reopen(i);
      }
      default:
        throw Wrong(concat("step ", i, ": code ", to_string(e.code()), ": ", e.what()));
    }
    if (!is_create(i)) expect_content(i, "after an error that promises that nothing was written");
    return false;
  }

  bool reopen(std::size_t i) {
    if (!is_create(i)) {
      try {
        database_->apply(script_.steps[i]);
        throw Wrong(concat("step ", i, ": the handle takes writes after kUnknownOutcome"));
      } catch (const Error& e) {
        if (e.code() != ErrorCode::kUnknownOutcome) throw Wrong(concat("a poisoned handle says: ", e.what()));
      }
    }
    if (is_create(i)) return false;  // the step opens anyway
    open_existing(i);
    const Content found = database_->content();
    if (found == model_.after(i + 1, script_.database[i]) && found != model_.after(i, script_.database[i]))
      return true;
    if (found != model_.after(i, script_.database[i])) {
      throw Wrong(concat("step ", i, ": reopened after kUnknownOutcome, neither old nor new: ",
                         difference(found, model_.after(i, script_.database[i]))));
    }
    return false;
  }

  void open_existing(std::size_t i) {
    database_.reset();
    database_ = std::make_unique<Database>(database_path(root_, script_.database[i]), script_.map_size, false,
                                           script_.checkpoint_rows);
  }

  void expect_content(std::size_t i, const char* when) {
    const Content found = database_->content();
    const Content& wanted = model_.after(i, script_.database[i]);
    if (found != wanted) throw Wrong(concat("step ", i, ", ", when, ": ", difference(found, wanted)));
  }

  const Script& script_;
  const Model& model_;
  const std::string& root_;
  Trial& run_;
  std::unique_ptr<Database> database_;
};

// Far from all others.
const Item kProbe{"probe", {-1, -2, -3, -4}, "a probe", 1};

// A temporary file that a writable open should have removed; empty when there is none.
std::string leftovers(const std::string& directory) {
  for (const std::string& name : os::list_directory(directory)) {
    if (name.find(".tmp-") != std::string::npos) return name;
  }
  for (const std::string& name : os::list_directory(directory + "/tmp")) return "tmp/" + name;
  return {};
}

// Any of [first, last] steps of the model, in one database.
std::string check_database(const Script& script, const Model& model, const std::string& root, int d,
                           std::uint64_t first, std::uint64_t last, bool created) {
  Database database(database_path(root, d), script.map_size, !created, script.checkpoint_rows);
  const std::string left = leftovers(database_path(root, d));
  if (!left.empty()) return concat("opening leaves ", left);
  const Content found = database.content();
  bool right = false;
  for (std::uint64_t j = first; j <= last; ++j) right |= found == model.after(j, d);
  if (!right) {
    return concat("database ", d, " is in no state between ", first, " and ", last,
                  " steps: ", difference(found, model.after(last, d)));
  }
  if (const std::string damages = database.damages(); !damages.empty()) return concat("verify: ", damages);
  if (!created) database.apply({Step::Kind::kCreate});
  database.apply({Step::Kind::kUpsert, {kProbe}});
  const Content after = database.content();
  if (after.size() != found.size() + 1 || !after.contains(kProbe.id) ||
      after.at(kProbe.id) != describe(kProbe)) {
    return "a new write was accepted but is not there";
  }
  if (!database.finds(kProbe)) return "a new write cannot be found";
  database.close();
  return {};
}

}  // namespace

std::string database_path(const std::string& root, int database) { return concat(root, "/db", database); }

void run_script(const Script& script, const Model& model, const std::string& root, Trial& run) {
  try {
    const std::uint64_t before = kernel_writes();
    const std::uint64_t seen = run.shim.writes;
    Runner(script, model, root, run).all();
    const std::uint64_t after = kernel_writes();
    // A call that was made to fail never reached the kernel, and those of /proc are reads.
    if (!run.shim.fired) run.syscalls_wrong = (after - before) - (after ? run.shim.writes - seen : 0);
  } catch (const std::exception& e) {
    std::snprintf(run.failure, sizeof run.failure, "%s", e.what());
  }
}

void observe(const Script& script, const Model& model, const std::string& root, Trial& run) {
  try {
    Database database(database_path(root, 0), script.map_size, true, script.checkpoint_rows);
    database.apply(script.steps.front());
    const Content found = database.content();
    for (std::size_t j = 1; j <= script.steps.size(); ++j) {
      if (found != model.after(j, 0)) continue;
      shim_mark(kAcknowledged, j - 1);
      return;
    }
    throw Wrong("the next process finds no state of the script");
  } catch (const std::exception& e) {
    std::snprintf(run.failure, sizeof run.failure, "%s", e.what());
  }
}

std::string check_result(const Script& script, const Model& model, const std::string& root,
                         std::uint64_t acknowledged, std::uint64_t begun, int first_database) {
  try {
    std::uint64_t at = 0;
    for (int d = 0; d < script.databases(); ++d) {
      const std::uint64_t create = at;  // the step that creates it
      while (at < script.steps.size() && script.database[at] == d) ++at;
      if (create >= begun) break;
      if (d < first_database) continue;
      const bool created = create < acknowledged;
      const std::string wrong = check_database(
          script, model, root, d, std::max(create, std::min(acknowledged, at)), std::min(begun, at), created);
      if (!wrong.empty()) return wrong;
    }
    return {};
  } catch (const std::exception& e) {
    return e.what();
  }
}

}  // namespace vecstore::durability
