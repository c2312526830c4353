#include <fcntl.h>
#include <linux/module.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <agent/guest/early.hpp>
#include <agent/guest/proc_text.hpp>
#include <capsa/detail/unique_fd.hpp>
#include <cerrno>
#include <cstring>

namespace capsa::agent::guest {

namespace {

#ifndef MODULE_INIT_COMPRESSED_FILE
#define MODULE_INIT_COMPRESSED_FILE 4
#endif

int flags_for(const std::string& path) {
  return path.ends_with(".ko") ? 0 : MODULE_INIT_COMPRESSED_FILE;
}

}  // namespace

std::vector<std::vector<ModuleLine>> parse_modules(std::string_view text) {
  std::vector<std::vector<ModuleLine>> groups(1);
  for (const auto raw : split(text, '\n')) {
    const auto line = trimmed(raw);
    if (line.empty() && !groups.back().empty()) groups.emplace_back();
    if (line.empty() || line.front() == '#') continue;
    const auto blank = line.find(' ');
    ModuleLine module{std::string(line.substr(0, blank)), {}};
    if (blank != std::string_view::npos) module.parameters = trimmed(line.substr(blank + 1));
    groups.back().push_back(std::move(module));
  }
  if (groups.back().empty()) groups.pop_back();
  return groups;
}

void load_modules(const std::vector<ModuleLine>& modules) {
  for (const auto& module : modules) {
    const UniqueFd fd(::open(module.path.c_str(), O_RDONLY | O_CLOEXEC));
    if (fd && ::syscall(SYS_finit_module, fd.get(), module.parameters.c_str(),
                        flags_for(module.path)) == 0)
      continue;
    if (errno != EEXIST) log_line("load " + module.path + ": " + std::strerror(errno));
  }
}

}  // namespace capsa::agent::guest
