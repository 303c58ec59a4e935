// Completion scripts, written from the declared commands, so that they cannot lag behind them.
#include <CLI/CLI.hpp>

#include "cli/arguments.hpp"

namespace vecstore::cli {
namespace {

struct Entry {
  std::string options;                                       ///< "--json --help ..."
  std::vector<std::pair<std::string, std::string>> choices;  ///< "--mode" -> "dense text hybrid".
};

/// "TEXT:{dense,text,hybrid}" -> "dense text hybrid"; empty for other types.
std::string choices_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const std::size_t open = type.find('{'), close = type.rfind('}');
  if (open == std::string::npos || close == std::string::npos || close < open) return {};
  std::string choices = type.substr(open + 1, close - open - 1);
  for (char& c : choices)
    if (c == ',') c = ' ';
  return choices;
}

Entry entry_of(const CLI::App& app) {
  Entry entry;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) {
      entry.options += (entry.options.empty() ? "--" : " --") + name;
      if (const std::string choices = choices_of(*option); !choices.empty())
        entry.choices.emplace_back("--" + name, choices);
    }
    for (const std::string& name : option->get_snames()) {
      if (const std::string choices = choices_of(*option); !choices.empty())
        entry.choices.emplace_back("-" + name, choices);
    }
  }
  return entry;
}

struct Shell {
  const char* begin;
  const char* offer_begin;  ///< Offers the words that follow.
  const char* offer_end;
  const char* files;
  const char* end;
};

constexpr Shell kBash = {
    "_vecstore() {\n"
    "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command= i\n"
    "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "    case ${COMP_WORDS[i]} in -*) ;; *) command=${COMP_WORDS[i]}; break ;; esac\n"
    "  done\n",
    "COMPREPLY=($(compgen -W \"", "\" -- \"$cur\"))", "COMPREPLY=($(compgen -f -- \"$cur\"))",
    "}\ncomplete -o filenames -F _vecstore vecstore\n"};

constexpr Shell kZsh = {
    "#compdef vecstore\n"
    "_vecstore() {\n"
    "  local cur=${words[CURRENT]} prev=${words[CURRENT-1]} command= i\n"
    "  for ((i = 2; i < CURRENT; i++)); do\n"
    "    case ${words[i]} in -*) ;; *) command=${words[i]}; break ;; esac\n"
    "  done\n",
    "compadd -- ", "", "_files",
    "}\nif [[ $zsh_eval_context[-1] == loadautofunc ]]; then _vecstore \"$@\"; else compdef _vecstore "
    "vecstore; fi\n"};

}  // namespace

std::string completion_script(const CLI::App& app, const std::string& name) {
  if (name != "bash" && name != "zsh") throw UsageError("completion: " + name + "; wanted bash or zsh");
  const Shell& shell = name == "bash" ? kBash : kZsh;
  const std::string global = entry_of(app).options;
  std::string names, values, commands;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    const Entry entry = entry_of(*command);
    names += (names.empty() ? "" : " ") + command->get_name();
    for (const auto& [option, choices] : entry.choices) {
      values += "    " + command->get_name() + ":" + option + ") " + shell.offer_begin + choices +
                shell.offer_end + "; return ;;\n";
    }
    commands += "    " + command->get_name() + ") if [[ $cur == -* ]]; then " + shell.offer_begin +
                entry.options + " --json" + shell.offer_end + "; else ";
    commands += command->get_name() == "completion"
                    ? std::string(shell.offer_begin) + "bash zsh" + shell.offer_end
                    : std::string(shell.files);
    commands += "; fi ;;\n";
  }
  std::string script = shell.begin;
  script += "  case $command:$prev in\n" + values + "  esac\n";
  script += "  case $command in\n    '') " + std::string(shell.offer_begin) + names + " " + global +
            shell.offer_end + " ;;\n" + commands + "  esac\n";
  return script + shell.end;
}

}  // namespace vecstore::cli
