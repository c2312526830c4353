#pragma once

#include <string>
#include <string_view>
#include <vector>

/// What makes a bare kernel a machine, before anything is served.
namespace capsa::agent::guest {

/// A line of /etc/capsa/modules: a path, then parameters.
struct ModuleLine {
  std::string path;
  std::string parameters;
  bool operator==(const ModuleLine&) const = default;
};

/// The groups of /etc/capsa/modules, in order. Empty lines separate groups, `#` begins a comment.
/// The first group holds what vsock needs.
std::vector<std::vector<ModuleLine>> parse_modules(std::string_view text);

/// Loads them in order; one that is there already is fine, another failure is logged and skipped.
void load_modules(const std::vector<ModuleLine>& modules);

/// /dev and /proc, and standard descriptors: needed by everything else.
void mount_first();
/// /sys, terminals, temporary directories, control groups; the loopback interface.
void mount_rest();
void bring_up_loopback();
/// Name servers that the kernel learnt (`ip=dhcp`), into an /etc/resolv.conf that names none.
void fill_resolv_conf();
/// The lines for it out of /proc/net/pnp.
std::string resolv_conf_from(std::string_view pnp);

/// A line for people, on the console.
void log_line(std::string_view line);

}  // namespace capsa::agent::guest
