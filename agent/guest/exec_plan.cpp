#include <unistd.h>

#include <agent/guest/exec_plan.hpp>
#include <agent/guest/proc_text.hpp>
#include <map>

namespace capsa::agent::guest {

namespace {

constexpr const char* kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

std::map<std::string, std::string> default_env(const User& user, bool terminal) {
  std::map<std::string, std::string> env;
  env["PATH"] = kDefaultPath;
  env["HOME"] = user.home.empty() ? "/" : user.home;
  env["SHELL"] = user.shell.empty() ? "/bin/sh" : user.shell;
  if (!user.name.empty()) env["USER"] = env["LOGNAME"] = user.name;
  if (terminal) env["TERM"] = "xterm-256color";
  return env;
}

}  // namespace

bool plan_program(const wire::Exec& request, ChildPlan& plan) {
  const auto user = find_user(request.user(), read_text("/etc/passwd"), read_text("/etc/group"));
  if (!user) return false;
  // Without a wish for a user nothing is changed, so that an agent that is not root still works.
  if (!request.user().empty()) plan.user = user;

  plan.argv.assign(request.argv().begin(), request.argv().end());
  if (!request.shell().empty()) plan.argv = {"/bin/sh", "-c", request.shell()};

  std::map<std::string, std::string> env;
  if (!request.clear_env())
    env = default_env(*user, request.has_pty() || !request.terminal().empty());
  for (const auto& var : request.env())
    env[var.name()] = var.value();
  for (const auto& [name, value] : env)
    plan.env.emplace_back(name).append("=").append(value);

  plan.working_dir = request.working_dir();
  if (plan.working_dir.empty()) {
    plan.working_dir = user->home.empty() ? "/" : user->home;
    plan.may_miss_working_dir = true;
  }
  return true;
}

}  // namespace capsa::agent::guest
