#include <actors/vsock/vsock_port.hpp>

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

namespace capsa::vsock_units {

result<UniqueFd> listen_at(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const auto& text = path.native();
  if (text.size() >= sizeof address.sun_path)
    return capsa::error(ErrorCode::InvalidConfig,
                        "vsock socket path \"" + text + "\" has " + std::to_string(text.size()) +
                            " bytes; 107 are allowed",
                        "choose a shorter path, e.g. under /run");
  std::memcpy(address.sun_path, text.c_str(), text.size() + 1);
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);

  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return error_from_errno(errno, "make a unix socket");
  if (::bind(fd.get(), generic, sizeof address) != 0) {
    if (errno != EADDRINUSE) return error_from_errno(errno, "bind " + text);
    // A crashed program leaves its socket file; a live one answers.
    UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!probe) return error_from_errno(errno, "make a unix socket");
    if (::connect(probe.get(), generic, sizeof address) == 0 || errno != ECONNREFUSED)
      return capsa::error(ErrorCode::InvalidConfig,
                          "vsock socket path \"" + text + "\" is in use by another program",
                          "choose another path, or vsock_listen/vsock_connect for one of its own");
    if (::unlink(text.c_str()) != 0 || ::bind(fd.get(), generic, sizeof address) != 0)
      return error_from_errno(errno, "bind " + text);
  }
  // As many as a guest may have connections.
  if (::listen(fd.get(), 1024) != 0) return error_from_errno(errno, "listen on " + text);
  return fd;
}

}  // namespace capsa::vsock_units
