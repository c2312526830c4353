#include <net/if.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <actors/network/dns_sockets.hpp>
#include <array>
#include <cerrno>
#include <cstring>

namespace capsa::network {

namespace {

// What EDNS lets a resolver send at most; a stream is read in pieces of this, too.
constexpr std::size_t kReceive = 65535;

socklen_t fill(const Upstream& upstream, sockaddr_storage& out) {
  const auto bytes = upstream.address.bytes();
  if (upstream.address.is_v4()) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(upstream.port);
    std::memcpy(&address.sin_addr, bytes.data(), bytes.size());
    std::memcpy(&out, &address, sizeof address);
    return sizeof address;
  }
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(upstream.port);
  std::memcpy(&address.sin6_addr, bytes.data(), bytes.size());
  if (!upstream.zone.empty()) address.sin6_scope_id = ::if_nametoindex(upstream.zone.c_str());
  std::memcpy(&out, &address, sizeof address);
  return sizeof address;
}

}  // namespace

DnsSockets::~DnsSockets() {
  for (const auto& [key, query] : queries_)
    loop_.unwatch(query->fd.get());
}

void DnsSockets::fail_later(std::uint64_t key) {
  loop_.post([this, key, weak = std::weak_ptr(alive_)] {
    if (weak.lock()) on_failed_(key);
  });
}

void DnsSockets::ask(const net::dns::UpstreamQuery& query, const Upstream& upstream) {
  auto made = std::make_unique<Query>();
  made->stream = query.transport == net::dns::Transport::Tcp;
  sockaddr_storage address{};
  const socklen_t length = fill(upstream, address);
  made->fd = UniqueFd(
      ::socket(address.ss_family,
               (made->stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // A connected datagram socket has a random port of its own, and takes from its peer only.
  if (!made->fd ||
      (::connect(made->fd.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0 &&
       errno != EINPROGRESS))
    return fail_later(query.key);
  if (made->stream)
    made->outgoing = net::dns::frame_for_tcp(query.message);
  else if (::send(made->fd.get(), query.message.data(), query.message.size(), MSG_NOSIGNAL) < 0)
    return fail_later(query.key);
  const int fd = made->fd.get();
  const std::uint32_t events = made->stream ? EPOLLIN | EPOLLOUT : EPOLLIN;
  queries_.emplace(query.key, std::move(made));
  loop_.watch(fd, events, [this, key = query.key](std::uint32_t ready) { on_ready(key, ready); });
}

void DnsSockets::forget(std::uint64_t key) {
  const auto found = queries_.find(key);
  if (found == queries_.end()) return;
  loop_.unwatch(found->second->fd.get());
  queries_.erase(found);
}

bool DnsSockets::flush(Query& query) {
  while (!query.outgoing.empty()) {
    const auto sent =
        ::send(query.fd.get(), query.outgoing.data(), query.outgoing.size(), MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN || errno == EINTR;
    query.outgoing.erase(query.outgoing.begin(), query.outgoing.begin() + sent);
  }
  loop_.rearm(query.fd.get(), EPOLLIN);
  return true;
}

void DnsSockets::on_ready(std::uint64_t key, std::uint32_t events) {
  const auto found = queries_.find(key);
  if (found == queries_.end()) return;
  if ((events & EPOLLOUT) != 0 && !flush(*found->second)) return on_failed_(key);
  if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0) receive(key, *found->second);
}

void DnsSockets::receive(std::uint64_t key, Query& query) {
  std::array<std::byte, kReceive> buffer;
  const auto count = ::recv(query.fd.get(), buffer.data(), buffer.size(), 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count < 0 || (count == 0 && query.stream)) return on_failed_(key);
  std::span<const std::byte> bytes(buffer.data(), static_cast<std::size_t>(count));
  if (!query.stream) return on_message_(key, bytes);
  while (const auto message = query.incoming.next(bytes)) {
    // It may be a wrong one, behind which the right one comes; after the right one this is gone.
    on_message_(key, *message);
    const auto found = queries_.find(key);
    if (found == queries_.end() || found->second.get() != &query) return;
  }
}

}  // namespace capsa::network
