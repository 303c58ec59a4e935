// The program vecstore.
#include <CLI/CLI.hpp>

#include <cstdio>
#include <cstring>

#include "base/error.hpp"
#include "cli/arguments.hpp"
#include "cli/terminal.hpp"

namespace vecstore::cli {
namespace {

int report(bool json, std::string_view code, std::string_view message, int exit_code) {
  std::string line = printable(message);
  for (char& c : line)
    if (c == '\n') c = ' ';
  std::fflush(stdout);
  std::fputs(("vecstore: " + line + "\n").c_str(), stderr);
  if (json) print_json({{"error", {{"code", code}, {"message", line}}}});
  return exit_code;
}

int exit_code_of(ErrorCode code) {
  if (code == ErrorCode::kNotFound) return kExitNotFound;
  return code == ErrorCode::kCancelled ? kExitInterrupted : kExitError;
}

int perform(CommandLine& line) {
  const bool json = line.common.json;
  try {
    return line.action();
  } catch (const UsageError& error) {
    return report(json, "usage", error.what(), kExitUsage);
  } catch (const Error& error) {
    return report(json, to_string(error.code()), error.what(), exit_code_of(error.code()));
  } catch (const std::bad_alloc&) {
    return report(json, to_string(ErrorCode::kOutOfMemory), "out of memory", kExitError);
  } catch (const std::exception& error) {
    return report(json, "internal", error.what(), kExitError);
  }
}

int main(int argc, char** argv) {
  CommandLine line;
  const auto app = make_app(line);
  try {
    app->parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app->exit(error);
    if (argc == 1) {
      std::fputs(app->help().c_str(), stderr);
      return kExitUsage;
    }
    bool json = false;
    for (int i = 1; i < argc; ++i) json |= std::strcmp(argv[i], "--json") == 0;
    std::string hint = "vecstore";
    for (const CLI::App* command : app->get_subcommands()) hint += " " + command->get_name();
    return report(json, "usage", concat(error.what(), " (see ", hint, " --help)"), kExitUsage);
  }
  const int code = perform(line);
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
    return report(false, "io", "the output could not be written", kExitError);
  return code;
}

}  // namespace
}  // namespace vecstore::cli

int main(int argc, char** argv) { return vecstore::cli::main(argc, argv); }
