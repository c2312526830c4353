#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <backends/vhost_user/notifier.hpp>
#include <backends/vhost_user/server.hpp>
#include <cerrno>

namespace capsa::vhost_user {
namespace {

/// Parts of messages taken per wake-up, so that a front-end that never stops talking leaves the
/// loop to others. The socket stays ready for what is left.
constexpr int kPartsPerWake = 64;

/// Replies are 268 bytes at most and QEMU waits for each: more than this is a peer that does not
/// read.
constexpr std::size_t kMaxOutgoing = 64 * 1024;

error lost(std::string message) {
  return {ErrorCode::ConnectionClosed, "vhost-user: " + std::move(message)};
}

struct Received {
  ssize_t length = 0;  // as recvmsg(2) gave it
  bool truncated = false;
  std::vector<UniqueFd> fds;
};

Received receive_part(int socket, std::span<std::byte> buffer) {
  Received received;
  iovec part{buffer.data(), buffer.size()};
  alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(kMaxFds * sizeof(int))> control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  do {
    received.length = ::recvmsg(socket, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (received.length < 0 && errno == EINTR);
  if (received.length < 0) return received;
  received.truncated = (header.msg_flags & MSG_CTRUNC) != 0;
  for (cmsghdr* part_of = CMSG_FIRSTHDR(&header); part_of != nullptr;
       part_of = CMSG_NXTHDR(&header, part_of)) {
    if (part_of->cmsg_level != SOL_SOCKET || part_of->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (part_of->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part_of) + i * sizeof(int), sizeof fd);
      received.fds.emplace_back(fd);
    }
  }
  return received;
}

}  // namespace

Server::Server(Loop& loop, UniqueFd socket, virtio::Device& device, OnClosed on_closed)
    : loop_(loop),
      socket_(std::move(socket)),
      on_closed_(std::move(on_closed)),
      self_(std::make_shared<Server*>(this)),
      session_(device, *this) {
  loop_.watch(socket_.get(), EPOLLIN, [this](std::uint32_t events) { on_ready(events); });
}

Server::~Server() {
  self_.reset();
  hang_up();
}

void Server::close(std::function<void()> done) {
  if (at_rest_) return done();
  on_closed_ = nullptr;
  on_rest_.push_back(std::move(done));
  hang_up();
  if (std::exchange(ending_, true)) return;  // the end under way calls on_rest_
  session_.close([this] { at_rest({}); });
}

void Server::on_ready(std::uint32_t events) {
  if ((events & EPOLLOUT) != 0) flush();
  if (ending_) return;
  if (input_wanted_) {
    receive();
  } else if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
    // Reported whether asked for or not, again and again. What the peer waited for is moot.
    end(lost("the peer hung up while the device came to rest"));
  }
}

void Server::receive() {
  std::array<std::byte, kMaxPayload> buffer;
  for (int parts = 0; parts < kPartsPerWake && !ending_ && input_wanted_; ++parts) {
    const std::size_t wanted = std::min(session_.wants(), buffer.size());
    if (wanted == 0) return;
    auto received = receive_part(socket_.get(), std::span(buffer).first(wanted));
    if (received.length < 0) {
      if (errno == EAGAIN || errno == EWOULDBLOCK) return;
      return end(error_from_errno(errno, "recvmsg from a vhost-user front-end"));
    }
    if (received.length == 0) {
      return end(session_.midway() ? result<void>(lost("the peer hung up inside a message"))
                                   : result<void>());
    }
    if (received.truncated) return end(lost("more descriptors came than a message may carry"));
    session_.feed(std::span(buffer).first(static_cast<std::size_t>(received.length)),
                  std::move(received.fds));
  }
}

void Server::send(std::span<const std::byte> bytes) {
  if (ending_) return;
  outgoing_.insert(outgoing_.end(), bytes.begin(), bytes.end());
  if (outgoing_.size() > kMaxOutgoing) return end(lost("the peer does not read its replies"));
  flush();
}

void Server::flush() {
  if (ending_) return;
  std::size_t sent = 0;
  while (sent < outgoing_.size()) {
    const auto length = ::send(socket_.get(), outgoing_.data() + sent, outgoing_.size() - sent,
                               MSG_DONTWAIT | MSG_NOSIGNAL);
    if (length >= 0) {
      sent += static_cast<std::size_t>(length);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      break;
    } else if (errno != EINTR) {
      return end(error_from_errno(errno, "send to a vhost-user front-end"));
    }
  }
  outgoing_.erase(outgoing_.begin(), outgoing_.begin() + static_cast<std::ptrdiff_t>(sent));
  rearm();
}

void Server::rearm() {
  if (!socket_) return;
  loop_.rearm(socket_.get(), (input_wanted_ ? EPOLLIN : 0U) | (outgoing_.empty() ? 0U : EPOLLOUT));
}

void Server::watch_kick(virtio::QueueIndex queue, int fd) {
  kicks_[queue] = fd;
  // By edges, which every write to an eventfd is. It is never read: what the peer does with the
  // counter, which it has as well, is of no matter.
  loop_.watch(fd, EPOLLIN | EPOLLET, [this, queue](std::uint32_t) { session_.kicked(queue); });
}

void Server::unwatch_kick(virtio::QueueIndex queue) {
  if (const auto kick = kicks_.extract(queue)) loop_.unwatch(kick.mapped());
}

void Server::want_input(bool wanted) {
  input_wanted_ = wanted;
  if (!ending_) rearm();
}

void Server::failed(error why) {
  end(std::move(why));
}

void Server::hang_up() {
  if (!socket_) return;
  loop_.unwatch(socket_.get());
  socket_.reset();
}

/// Comes from inside the session or the loop's callback: the rest is done from the loop, where
/// everything may be destroyed.
void Server::end(result<void> outcome) {
  if (ending_) return;
  ending_ = true;
  hang_up();
  loop_.post([weak = std::weak_ptr(self_), outcome = std::move(outcome)] {
    const auto self = weak.lock();
    if (!self) return;
    Server& server = **self;
    server.session_.close([&server, outcome] { server.at_rest(outcome); });
  });
}

/// Each callback may destroy the server: nothing of it is touched once they are called.
void Server::at_rest(result<void> outcome) {
  at_rest_ = true;
  const auto closed = std::exchange(on_closed_, nullptr);
  const auto rest = std::exchange(on_rest_, {});
  if (closed) closed(std::move(outcome));
  for (const auto& callback : rest)
    callback();
}

}  // namespace capsa::vhost_user
