#include <sys/stat.h>

#include <actors/values/text.hpp>
#include <actors/values/validate_parts.hpp>

namespace capsa::values {
namespace {

using text::quote;

/// VMADDR_PORT_ANY of vsock(7): "any port" to bind(2), never the name of one.
constexpr std::uint32_t kAnyPort = 0xffffffff;
/// sandbox::agent_port()
constexpr std::uint32_t kAgentPort = 52;

result<void> validate_port(const std::string& field, const VsockPortConfig& port, bool agent) {
  if (port.port == 0 || port.port == kAnyPort) {
    return refused(field,
                   "port " + std::to_string(port.port) + " was given; 1 to 4294967294 are allowed",
                   "choose another port");
  }
  if (agent && port.port == kAgentPort && !port.connects) {
    return refused(field, "port 52 is the agent's, on which the guest listens",
                   "choose another port to listen on");
  }
  return {};
}

result<void> validate_socket_path(const std::string& field, const std::filesystem::path& path) {
  const std::string given = "the socket path " + quote(path.native());
  if (path.native().find('\0') != std::string::npos)
    return refused(field, given + " holds a NUL byte", "name a file");
  if (path.native().size() > kMaxSocketPath) {
    return refused(field,
                   given + " has " + std::to_string(path.native().size()) + " bytes; at most " +
                       std::to_string(kMaxSocketPath) + " fit into a unix socket's address",
                   "use a shorter path, or leave it out to have one chosen");
  }
  if (!path.has_filename()) return refused(field, given + " names no file", "add a file name");
  struct stat info {};
  const auto parent = path.parent_path();
  if (::stat(parent.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
    return refused(field, given + ": there is no directory " + quote(parent.native()),
                   "make the directory first");
  }
  if (::lstat(path.c_str(), &info) == 0 && !S_ISSOCK(info.st_mode)) {
    return refused(field, given + " is taken by something that is not a socket",
                   "remove it, or choose another path");
  }
  return {};
}

}  // namespace

result<void> validate_vsock(const VmConfig& config) {
  const auto& ports = config.vsock_ports;
  for (std::size_t i = 0; i != ports.size(); ++i) {
    const std::string field = "vsock port " + std::to_string(ports[i].port);
    if (auto ok = validate_port(field, ports[i], config.agent); !ok) return ok;
    if (!ports[i].socket_path.empty()) {
      if (auto ok = validate_socket_path(field, ports[i].socket_path); !ok) return ok;
    }
    for (std::size_t j = 0; j != i; ++j) {
      if (ports[j].port == ports[i].port) {
        return refused(field, "it is given twice; one port is one socket",
                       "leave one of them out, or choose another port");
      }
      if (!ports[i].socket_path.empty() &&
          ports[j].socket_path.lexically_normal() == ports[i].socket_path.lexically_normal()) {
        return refused(field,
                       "the socket path " + quote(ports[i].socket_path.native()) +
                           " is that of port " + std::to_string(ports[j].port) + " too",
                       "give every port a path of its own");
      }
    }
  }
  return {};
}

}  // namespace capsa::values
