#include <actors/protocol/spawn.hpp>
#include <actors/vsock/vsock_port.hpp>

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace capsa::vsock_units {

void PortState::on_ready(const StreamPtr& stream, std::uint32_t events) {
  if ((events & EPOLLOUT) != 0) write_host(*stream);
  if ((events & EPOLLIN) != 0 || (events & (EPOLLHUP | EPOLLERR)) != 0) read_host(*stream);
  // Both directions of the client are closed and all it sent has been read: it is gone.
  if ((events & (EPOLLHUP | EPOLLERR)) != 0 && stream->host_done && !stream->closing) {
    self_->send(vsock_, protocol::half_atom_v, stream->id, true, true);
    stream->queue.clear();
    stream->closing = true;
  }
  update(stream);
}

namespace {
constexpr int kReadsForNothing = 16;
}  // namespace

void PortState::read_host(Stream& stream) {
  // Read here first: a message is as large as what was read, not as what might have been.
  std::array<char, Pieces::kPiece> piece;
  // To a guest that receives no more nothing goes, so credit holds nothing back: what the host had
  // sent by then is dropped up to its end, which the guest is told.
  // Nor would anything else, if that client never stopped: the loop has others, and comes again.
  int reads = 0;
  while ((stream.credit > 0 || stream.guest_deaf) && !stream.host_done && !stream.closing) {
    if (stream.guest_deaf && ++reads > kReadsForNothing) return;
    const std::size_t most =
        stream.guest_deaf ? piece.size() : std::min<std::size_t>(piece.size(), stream.credit);
    const auto n = ::recv(stream.fd.get(), piece.data(), most, 0);
    if (n > 0) {
      const auto size = static_cast<std::size_t>(n);
      if (stream.guest_deaf) continue;
      stream.credit -= size;
      self_->send(vsock_, protocol::data_atom_v, stream.id, std::string(piece.data(), size));
      continue;
    }
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (n < 0 && errno == EINTR) continue;
    stream.host_done = true;
    self_->send(vsock_, protocol::half_atom_v, stream.id, n < 0, true);
  }
}

void PortState::write_host(Stream& stream) {
  std::uint64_t taken = 0;
  while (!stream.queue.empty()) {
    const auto front = stream.queue.front();
    const auto n = ::send(stream.fd.get(), front.data(), front.size(), MSG_NOSIGNAL);
    if (n < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) {
        // The client closed while the guest still talks to it.
        stream.queue.clear();
        if (!stream.closing) self_->send(vsock_, protocol::reset_atom_v, stream.id);
        stream.closing = true;
      }
      break;
    }
    taken += static_cast<std::uint64_t>(n);
    stream.queue.drop(static_cast<std::size_t>(n));
    if (static_cast<std::size_t>(n) < front.size()) break;
  }
  if (taken > 0 && !stream.closing) self_->send(vsock_, protocol::taken_atom_v, stream.id, taken);
}

void PortState::update(const StreamPtr& stream) {
  if (stream->queue.empty()) {
    if (stream->closing) return end(*stream);
    if (stream->guest_done) ::shutdown(stream->fd.get(), SHUT_WR);
  }
  if (stream->guest_deaf) ::shutdown(stream->fd.get(), SHUT_RD);
  std::uint32_t events = 0;
  if ((stream->credit > 0 || stream->guest_deaf) && !stream->host_done && !stream->closing)
    events |= EPOLLIN;
  if (!stream->queue.empty()) events |= EPOLLOUT;
  if (stream->watched) return loop_.rearm(stream->fd.get(), events);
  stream->watched = true;
  loop_.watch(stream->fd.get(), events,
              [this, stream](std::uint32_t ready) { on_ready(stream, ready); });
}

void PortState::end(Stream& stream) {
  if (stream.watched) loop_.unwatch(stream.fd.get());
  stream.watched = false;
  streams_.erase(stream.id);
}

}  // namespace capsa::vsock_units
