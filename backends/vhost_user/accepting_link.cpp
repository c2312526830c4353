#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <backends/vhost_user/accepting_link.hpp>
#include <cerrno>
#include <cstring>

namespace capsa::vhost_user {

AcceptingLink::AcceptingLink(Loop& loop, UniqueFd listener, std::filesystem::path path,
                             virtio::Device& device, OnClosed on_closed)
    : loop_(loop),
      listener_(std::move(listener)),
      path_(std::move(path)),
      device_(device),
      on_closed_(std::move(on_closed)) {
  loop_.watch(listener_.get(), EPOLLIN, [this](std::uint32_t) { accept(); });
}

AcceptingLink::~AcceptingLink() {
  stop_listening();
}

void AcceptingLink::stop_listening() {
  if (!listener_) return;
  loop_.unwatch(listener_.get());
  listener_.reset();
  ::unlink(path_.c_str());
}

void AcceptingLink::accept() {
  UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  // Whoever connected may have gone again; another one may come.
  if (!socket) return;
  stop_listening();
  server_ = std::make_unique<Server>(loop_, std::move(socket), device_, std::move(on_closed_));
}

void AcceptingLink::close(std::function<void()> done) {
  stop_listening();
  if (server_) return server_->close(std::move(done));
  done();
}

result<UniqueFd> listen_for_hypervisor(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.native().size() >= sizeof address.sun_path)
    return error(ErrorCode::InvalidConfig,
                 "the path " + path.native() + " is too long for a socket",
                 "choose a shorter runtime directory");
  path.native().copy(address.sun_path, sizeof address.sun_path - 1);
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return error_from_errno(errno, "make a socket for the machine");
  ::unlink(path.c_str());
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(socket.get(), 1) != 0)
    return error_from_errno(errno, "listen at " + path.native());
  return socket;
}

}  // namespace capsa::vhost_user
