#include <actors/values/text.hpp>
#include <actors/values/validate_parts.hpp>

namespace capsa {
namespace {

using text::quote;
using values::refused;

bool has_nul(const std::string& text) {
  return text.find('\0') != std::string::npos;
}

result<void> validate_environment(const ExecSpec& spec) {
  for (const auto& [key, value] : spec.env) {
    if (key.empty() || key.find('=') != std::string::npos || has_nul(key)) {
      return refused("env", "the name " + quote(key) + " is empty or holds \"=\" or a NUL byte",
                     "name a variable as a shell would");
    }
    if (has_nul(value)) {
      return refused("env", "the value of " + quote(key) + " holds a NUL byte",
                     "hand binary data over in a file");
    }
  }
  return {};
}

}  // namespace

result<void> validate(const ExecSpec& spec) {
  if (spec.argv.empty() == spec.shell.empty()) {
    return refused("command",
                   spec.argv.empty() ? "neither argv nor a shell line is given"
                                     : "both argv and a shell line are given",
                   "give exactly one of them");
  }
  if (!spec.argv.empty() && spec.argv.front().empty())
    return refused("command", "the program's name is empty", "name the program to run");
  if (has_nul(spec.shell))
    return refused("command", "the shell line holds a NUL byte", "leave it out");
  for (const auto& argument : spec.argv) {
    if (has_nul(argument)) {
      return refused("command", "the argument " + quote(argument) + " holds a NUL byte",
                     "hand binary data over in a file or on standard input");
    }
  }
  if (auto ok = validate_environment(spec); !ok) return ok;
  if (has_nul(spec.working_dir) ||
      (!spec.working_dir.empty() && !spec.working_dir.starts_with('/'))) {
    return refused("working_dir", quote(spec.working_dir) + " was given; it must be absolute",
                   "give a path of the guest that starts with \"/\"");
  }
  if (text::has_control_character(spec.user)) {
    return refused("user", quote(spec.user) + " holds a control character",
                   "give a name, a number, or either with \":GROUP\"");
  }
  return values::validate_timeout("command timeout", spec.timeout);
}

}  // namespace capsa
