// clang-format off
#include <sys/socket.h>
#include <linux/vm_sockets.h>
// clang-format on
#include <sys/epoll.h>
#include <sys/un.h>
#include <unistd.h>

#include <agent/guest/server.hpp>
#include <algorithm>
#include <cerrno>

namespace capsa::agent::guest {

namespace {

constexpr int kBacklog = 64;
// LAST_RESERVED_PORT of Linux's af_vsock.c, and far more ports than connections end at a time.
constexpr std::uint32_t kLastReservedPort = 1023;
constexpr std::uint32_t kFirstReservedPort = 512;

sockaddr_vm vsock_address(std::uint32_t cid, std::uint32_t port) {
  sockaddr_vm address{};
  address.svm_family = AF_VSOCK;
  address.svm_cid = cid;
  address.svm_port = port;
  return address;
}

void bind_reserved_port(int socket) {
  for (auto port = kLastReservedPort; port >= kFirstReservedPort; --port) {
    const auto address = vsock_address(VMADDR_CID_ANY, port);
    if (::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return;
    // Without the right to it any other port does as well: the host turns the connection away, and
    // connects to the port where we listen.
    if (errno != EADDRINUSE) return;
  }
}

}  // namespace

Server::~Server() {
  for (const auto& fd : listeners_)
    loop_.unwatch(fd.get());
  for (const auto& fd : connecting_)
    loop_.unwatch(fd.get());
}

void Server::serve(UniqueFd socket, std::function<void()> on_closed) {
  auto& entry = connections_.emplace_front();
  const auto place = connections_.begin();
  entry = std::make_unique<Connection>(loop_, services_, std::move(socket),
                                       [this, place, on_closed = std::move(on_closed)] {
                                         const auto told = on_closed;
                                         connections_.erase(place);
                                         if (told) told();
                                       });
}

void Server::listen(UniqueFd socket) {
  const int fd = socket.get();
  listeners_.push_back(std::move(socket));
  loop_.watch(fd, EPOLLIN, [this, fd](std::uint32_t) { accept_all(fd); });
}

void Server::accept_all(int listener) {
  for (;;) {
    sockaddr_storage peer{};
    socklen_t length = sizeof peer;
    UniqueFd socket(::accept4(listener, reinterpret_cast<sockaddr*>(&peer), &length,
                              SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket) return;
    if (peer.ss_family == AF_VSOCK &&
        reinterpret_cast<const sockaddr_vm&>(peer).svm_cid != VMADDR_CID_HOST)
      continue;
    if (connections_.size() < kMaxConnections) serve(std::move(socket));
  }
}

void Server::serve_when_connected(UniqueFd socket) {
  const int fd = socket.get();
  const auto place = connecting_.insert(connecting_.end(), std::move(socket));
  loop_.watch(fd, EPOLLOUT, [this, fd, place](std::uint32_t) {
    loop_.unwatch(fd);
    UniqueFd connected = std::move(*place);
    connecting_.erase(place);
    int failure = 0;
    socklen_t length = sizeof failure;
    if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &length) == 0 && failure == 0)
      serve(std::move(connected));
  });
}

UniqueFd listen_vsock(std::uint32_t port) {
  UniqueFd socket(::socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const auto address = vsock_address(VMADDR_CID_ANY, port);
  if (!socket ||
      ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0 ||
      ::listen(socket.get(), kBacklog) < 0)
    return UniqueFd();
  return socket;
}

UniqueFd listen_unix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return UniqueFd();
  }
  std::copy(path.begin(), path.end(), address.sun_path);
  ::unlink(path.c_str());
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket ||
      ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0 ||
      ::listen(socket.get(), kBacklog) < 0)
    return UniqueFd();
  return socket;
}

UniqueFd connect_vsock_host(std::uint32_t port) {
  UniqueFd socket(::socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const auto address = vsock_address(VMADDR_CID_HOST, port);
  if (socket) bind_reserved_port(socket.get());
  if (!socket ||
      (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0 &&
       errno != EINPROGRESS))
    return UniqueFd();
  return socket;
}

}  // namespace capsa::agent::guest
