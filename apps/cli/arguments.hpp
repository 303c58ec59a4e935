// The command line: from words to a command that is ready to run.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "cli/commands.hpp"

namespace CLI {
class App;
}

namespace vecstore::cli {

/// What was parsed. `action` is set by the subcommand that was named.
struct CommandLine {
  Common common;
  std::function<int()> action;
};

/// Declares all commands; `line` has to live as long as the app.
std::unique_ptr<CLI::App> make_app(CommandLine& line);

/// A script that completes commands, options and their values, made from the declarations. UsageError for a
/// shell other than bash and zsh.
std::string completion_script(const CLI::App& app, const std::string& shell);

}  // namespace vecstore::cli
