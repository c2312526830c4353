#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <agent/guest/connection.hpp>
#include <array>
#include <cerrno>

namespace capsa::agent::guest {

namespace {

// A host that asks and does not read is not listened to above this: answers are not under credit.
constexpr std::size_t kMaxQueued = std::size_t{1} << 20;

}  // namespace

Connection::Connection(Loop& loop, Services& services, UniqueFd socket,
                       std::function<void()> on_closed)
    : loop_(loop),
      socket_(std::move(socket)),
      on_closed_(std::move(on_closed)),
      session_(loop, services, *this) {
  loop_.watch(socket_.get(), EPOLLIN, [this](std::uint32_t events) { on_ready(events); });
  session_.start();
}

Connection::~Connection() {
  loop_.cancel(flush_timer_);
  if (socket_) loop_.unwatch(socket_.get());
}

void Connection::write(std::string_view bytes) {
  if (dead_) return;
  out_ += bytes;
  // Sent at the end of the turn: kernels count a vsock connection's packets, so that many small
  // ones are dear.
  if (flush_timer_ != 0) return;
  flush_timer_ = loop_.call_after(std::chrono::nanoseconds(0), [this] {
    flush_timer_ = 0;
    flush();
  });
}

void Connection::on_ready(std::uint32_t events) {
  if (events & (EPOLLIN | EPOLLHUP | EPOLLERR) && !finishing_) receive();
  if (events & (EPOLLHUP | EPOLLERR) && finishing_) return close();
  if (!dead_ && events & EPOLLOUT) flush();
}

void Connection::receive() {
  std::array<std::byte, kMaxChunk> buffer;
  const ssize_t got = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return close();
  if (!session_.feed(std::span(buffer).first(static_cast<std::size_t>(got)))) finishing_ = true;
  if (finishing_ && queued() == 0) return close();
  update_events();
}

void Connection::flush() {
  while (sent_ < out_.size()) {
    const ssize_t put = ::send(socket_.get(), out_.data() + sent_, out_.size() - sent_,
                               MSG_DONTWAIT | MSG_NOSIGNAL);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && errno == EAGAIN) break;
    if (put < 0) return close();
    sent_ += static_cast<std::size_t>(put);
  }
  if (sent_ == out_.size()) {
    out_.clear();
    sent_ = 0;
    if (finishing_) return close();
  } else if (sent_ >= kMaxChunk) {
    out_.erase(0, sent_);
    sent_ = 0;
  }
  session_.on_room();
  update_events();
}

void Connection::update_events() {
  std::uint32_t events = 0;
  if (!finishing_ && queued() < kMaxQueued) events |= EPOLLIN;
  if (sent_ < out_.size() && flush_timer_ == 0) events |= EPOLLOUT;
  loop_.rearm(socket_.get(), events);
}

void Connection::close() {
  if (std::exchange(dead_, true)) return;
  loop_.unwatch(socket_.get());
  // In a turn of its own: whoever is on the stack may still use this and its tasks.
  loop_.cancel(flush_timer_);
  flush_timer_ = loop_.call_after(std::chrono::nanoseconds(0), [this] {
    const auto on_closed = std::move(on_closed_);
    on_closed();
  });
}

}  // namespace capsa::agent::guest
