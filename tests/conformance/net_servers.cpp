#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <bit>
#include <cstring>
#include <random>
#include <system_error>
#include <tests/conformance/net_servers.hpp>

namespace capsa::test {

namespace {

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  SocketAddress(const IpAddress& address, std::uint16_t port) {
    if (address.is_v4()) {
      sockaddr_in v4{};
      v4.sin_family = AF_INET;
      v4.sin_port = htons(port);
      v4.sin_addr.s_addr = htonl(address.to_v4());
      std::memcpy(&storage, &v4, size = sizeof v4);
    } else {
      sockaddr_in6 v6{};
      v6.sin6_family = AF_INET6;
      v6.sin6_port = htons(port);
      std::memcpy(&v6.sin6_addr, address.bytes().data(), 16);
      std::memcpy(&storage, &v6, size = sizeof v6);
    }
  }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

constexpr std::uint32_t kRound[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

}  // namespace

IpAddress ip(std::string_view text) {
  return IpAddress::parse(text).value();
}

void Sha256::block(const unsigned char* bytes) {
  std::uint32_t w[64];
  for (int i = 0; i < 16; ++i, bytes += 4)
    w[i] = std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 |
           std::uint32_t{bytes[2]} << 8 | bytes[3];
  for (int i = 16; i < 64; ++i)
    w[i] = w[i - 16] + w[i - 7] +
           (std::rotr(w[i - 15], 7) ^ std::rotr(w[i - 15], 18) ^ (w[i - 15] >> 3)) +
           (std::rotr(w[i - 2], 17) ^ std::rotr(w[i - 2], 19) ^ (w[i - 2] >> 10));
  auto [a, b, c, d, e, f, g, h] = state_;
  for (int i = 0; i < 64; ++i) {
    const auto t1 = h + (std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25)) +
                    ((e & f) ^ (~e & g)) + kRound[i] + w[i];
    const auto t2 =
        (std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
  }
  const std::uint32_t added[8] = {a, b, c, d, e, f, g, h};
  for (int i = 0; i < 8; ++i)
    state_[i] += added[i];
}

void Sha256::update(std::string_view bytes) {
  size_ += bytes.size();
  rest_.append(bytes);
  std::size_t at = 0;
  for (; rest_.size() - at >= 64; at += 64)
    block(reinterpret_cast<const unsigned char*>(rest_.data()) + at);
  rest_.erase(0, at);
}

std::string Sha256::hex() {
  const std::uint64_t bits = size_ * 8;
  std::string end(1, '\x80');
  end.append((119 - size_ % 64) % 64, '\0');
  for (int shift = 56; shift >= 0; shift -= 8)
    end.push_back(static_cast<char>(bits >> shift));
  update(end);
  std::string out;
  for (const auto word : state_)
    for (int shift = 28; shift >= 0; shift -= 4)
      out.push_back("0123456789abcdef"[word >> shift & 15]);
  return out;
}

UniqueFd bound_socket(int type, const IpAddress& at, std::uint16_t port) {
  UniqueFd fd(::socket(at.is_v4() ? AF_INET : AF_INET6, type | SOCK_CLOEXEC, 0));
  if (!fd) fail("socket");
  const int on = 1;
  if (type == SOCK_STREAM) ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (at.is_v6()) ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  const SocketAddress address(at, port);
  if (::bind(fd.get(), address.get(), address.size) != 0) fail("bind");
  return fd;
}

std::uint16_t port_of(const UniqueFd& socket) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&storage), &size) != 0)
    fail("getsockname");
  // sin_port and sin6_port lie at the same place.
  sockaddr_in v4;
  std::memcpy(&v4, &storage, sizeof v4);
  return ntohs(v4.sin_port);
}

UniqueFd connect_to(const IpAddress& to, std::uint16_t port, int type) {
  UniqueFd fd(::socket(to.is_v4() ? AF_INET : AF_INET6,
                       (type == 0 ? SOCK_STREAM : type) | SOCK_CLOEXEC, 0));
  const timeval limit{20, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  const SocketAddress address(to, port);
  if (::connect(fd.get(), address.get(), address.size) != 0) return {};
  return fd;
}

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

std::string read_all(int fd, std::size_t limit) {
  std::string out;
  char buffer[65536];
  while (out.size() < limit) {
    const auto got = ::recv(fd, buffer, std::min(sizeof buffer, limit - out.size()), 0);
    if (got <= 0) break;
    out.append(buffer, static_cast<std::size_t>(got));
  }
  return out;
}

TcpServer::TcpServer(const IpAddress& at, std::uint16_t port, Serve serve)
    : listener_(bound_socket(SOCK_STREAM, at, port)), serve_(std::move(serve)) {
  if (::listen(listener_.get(), 64) != 0) fail("listen");
  acceptor_ = std::thread([this] { run(); });
}

TcpServer::~TcpServer() {
  ending_ = true;
  ::shutdown(listener_.get(), SHUT_RDWR);
  acceptor_.join();
  {
    const std::lock_guard lock(mutex_);
    for (const auto& one : connections_)
      ::shutdown(one.get(), SHUT_RDWR);
  }
  for (auto& thread : threads_)
    thread.join();
}

void TcpServer::run() {
  while (!ending_) {
    UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!fd) continue;
    ++accepted_;
    const std::lock_guard lock(mutex_);
    const auto at = connections_.insert(connections_.end(), std::move(fd));
    threads_.emplace_back([this, at] {
      serve_(at->get());
      const std::lock_guard own(mutex_);
      connections_.erase(at);
    });
  }
}

UdpServer::UdpServer(const IpAddress& at, std::uint16_t port, Answer answer)
    : socket_(bound_socket(SOCK_DGRAM, at, port)),
      stop_(::eventfd(0, EFD_CLOEXEC)),
      answer_(std::move(answer)) {
  const int on = 1;
  if (at.is_v4()) {
    ::setsockopt(socket_.get(), IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
  } else {
    ::setsockopt(socket_.get(), IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on);
    ::setsockopt(socket_.get(), IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof on);
  }
  thread_ = std::thread([this] { run(); });
}

UdpServer::~UdpServer() {
  ::eventfd_write(stop_.get(), 1);
  thread_.join();
}

void UdpServer::run() {
  for (;;) {
    pollfd ready[2] = {{socket_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}};
    if (::poll(ready, 2, -1) < 0) continue;
    if (ready[1].revents != 0) return;
    char buffer[65536];
    alignas(cmsghdr) char control[128];
    sockaddr_storage peer{};
    iovec part{buffer, sizeof buffer};
    msghdr message{};
    message.msg_name = &peer;
    message.msg_namelen = sizeof peer;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const auto got = ::recvmsg(socket_.get(), &message, 0);
    if (got < 0) continue;
    ++received_;
    auto reply = answer_({buffer, static_cast<std::size_t>(got)});
    if (!reply) continue;
    // What told where it came to tells where the answer comes from, but for the interface.
    for (auto* one = CMSG_FIRSTHDR(&message); one != nullptr; one = CMSG_NXTHDR(&message, one)) {
      if (one->cmsg_level == IPPROTO_IP && one->cmsg_type == IP_PKTINFO) {
        in_pktinfo info;
        std::memcpy(&info, CMSG_DATA(one), sizeof info);
        info.ipi_spec_dst = info.ipi_addr;
        info.ipi_ifindex = 0;
        std::memcpy(CMSG_DATA(one), &info, sizeof info);
      } else if (one->cmsg_level == IPPROTO_IPV6 && one->cmsg_type == IPV6_PKTINFO) {
        in6_pktinfo info;
        std::memcpy(&info, CMSG_DATA(one), sizeof info);
        info.ipi6_ifindex = 0;
        std::memcpy(CMSG_DATA(one), &info, sizeof info);
      }
    }
    part = {reply->data(), reply->size()};
    ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
  }
}

void serve_echo(int fd) {
  char buffer[65536];
  for (ssize_t got; (got = ::recv(fd, buffer, sizeof buffer, 0)) > 0;)
    if (!write_all(fd, {buffer, static_cast<std::size_t>(got)})) return;
  ::shutdown(fd, SHUT_WR);
}

std::optional<std::string> echo_datagram(std::string_view datagram) {
  return std::string(datagram);
}

void serve_http(int fd) {
  std::string head;
  char buffer[4096];
  while (head.find("\r\n\r\n") == std::string::npos) {
    const auto got = ::recv(fd, buffer, sizeof buffer, 0);
    if (got <= 0) return;
    head.append(buffer, static_cast<std::size_t>(got));
  }
  std::string host;
  if (const auto at = head.find("\r\nHost: "); at != std::string::npos)
    host = head.substr(at + 8, head.find("\r\n", at + 8) - at - 8);
  write_all(fd, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " +
                    std::to_string(host.size()) + "\r\n\r\n" + host);
  ::shutdown(fd, SHUT_WR);
  read_all(fd);
}

void Stream::source(int fd) {
  std::mt19937_64 generator(std::random_device{}());
  Sha256 hash;
  std::uint64_t words[8192];
  for (std::uint64_t left = bytes_; left != 0;) {
    for (auto& word : words)
      word = generator();
    const std::string_view part(reinterpret_cast<const char*>(words),
                                std::min<std::uint64_t>(left, sizeof words));
    hash.update(part);
    if (!write_all(fd, part)) return;
    left -= part.size();
    count_ += part.size();
  }
  const std::lock_guard lock(mutex_);
  digest_ = hash.hex();
  ::shutdown(fd, SHUT_WR);
}

void Stream::sink(int fd) {
  Sha256 hash;
  char buffer[65536];
  for (ssize_t got; (got = ::recv(fd, buffer, sizeof buffer, 0)) > 0;) {
    hash.update({buffer, static_cast<std::size_t>(got)});
    count_ += static_cast<std::uint64_t>(got);
  }
  const std::lock_guard lock(mutex_);
  digest_ = hash.hex();
  write_all(fd, digest_);
  ::shutdown(fd, SHUT_WR);
}

std::string Stream::digest() const {
  const std::lock_guard lock(mutex_);
  return digest_;
}

}  // namespace capsa::test
