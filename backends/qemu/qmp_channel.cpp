#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <backends/qemu/qmp_channel.hpp>
#include <cerrno>
#include <utility>

namespace capsa::qemu {
namespace {

constexpr std::size_t kChunk = 16384;
// QEMU is not trusted, and one that never stops talking must leave the loop to others: the socket
// stays ready for what is left.
constexpr int kRoundsPerWakeUp = 16;
// A dead QEMU's last words fit its socket buffer (wmem_default, 208 KiB); a child that it left
// behind could go on.
constexpr int kLastRounds = 64;

}  // namespace

QmpChannel::QmpChannel(Loop& loop, UniqueFd socket, QmpSession::EventHandler on_event,
                       Closed closed)
    : loop_(loop),
      socket_(std::move(socket)),
      session_(std::move(on_event)),
      closed_(std::move(closed)),
      watched_(EPOLLIN) {
  loop_.watch(socket_.get(), watched_, [this](std::uint32_t events) {
    if ((events & EPOLLOUT) != 0) flush();
    if ((events & ~std::uint32_t{EPOLLOUT}) != 0) receive(kRoundsPerWakeUp);
  });
}

QmpChannel::~QmpChannel() {
  closed_ = nullptr;
  close(error(ErrorCode::VmEnded, {}));
}

void QmpChannel::command(std::string_view name, QmpSession::Reply done) {
  session_.command(name, nullptr, std::move(done));
  flush();
}

void QmpChannel::drain() {
  receive(kLastRounds);
}

void QmpChannel::close(const error& why) {
  if (!socket_) return;
  loop_.unwatch(socket_.get());
  socket_.reset();
  session_.close(why);
  if (const auto closed = std::exchange(closed_, nullptr)) closed(why);
}

void QmpChannel::receive(int rounds) {
  std::array<char, kChunk> chunk{};
  for (; socket_ && rounds > 0; --rounds) {
    const ssize_t length = ::recv(socket_.get(), chunk.data(), chunk.size(), MSG_DONTWAIT);
    if (length < 0 && errno == EINTR) continue;
    if (length < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    // A reset is an end too: QEMU had bytes of ours that it did not read.
    if (length <= 0) return close(error(ErrorCode::VmEnded, "QEMU closed its control socket"));
    const auto fed = session_.feed({chunk.data(), static_cast<std::size_t>(length)});
    if (!fed) return close(fed.error());
  }
  flush();
}

void QmpChannel::flush() {
  unsent_ += session_.take_output();
  while (socket_ && !unsent_.empty()) {
    const ssize_t length =
        ::send(socket_.get(), unsent_.data(), unsent_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (length < 0 && errno == EINTR) continue;
    // EPIPE: what QEMU said before it went is still to be read; receive() finds the end.
    if (length < 0 && errno != EAGAIN && errno != EWOULDBLOCK) unsent_.clear();
    if (length < 0) break;
    unsent_.erase(0, static_cast<std::size_t>(length));
  }
  if (unsent_.size() > kMaxUnsent)
    return close(error(ErrorCode::BackendFailed, "QEMU does not read its control socket"));
  watch_for(unsent_.empty() ? EPOLLIN : EPOLLIN | EPOLLOUT);
}

void QmpChannel::watch_for(std::uint32_t events) {
  if (!socket_ || watched_ == events) return;
  watched_ = events;
  loop_.rearm(socket_.get(), events);
}

}  // namespace capsa::qemu
