#include <tools/benchmarks/soak_servers.hpp>

#include <capsa/detail/unique_fd.hpp>
#include <capsa/result.hpp>

#include <netinet/in.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <new>
#include <span>
#include <unordered_map>

namespace capsa::bench {

namespace {

constexpr std::size_t kPiece = std::size_t{64} << 10;

UniqueFd bound_socket(int type, std::uint16_t& port) {
  UniqueFd out(::socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  if (!out || ::bind(out.get(), reinterpret_cast<sockaddr*>(&at), size) != 0 ||
      ::getsockname(out.get(), reinterpret_cast<sockaddr*>(&at), &size) != 0 ||
      (type == SOCK_STREAM && ::listen(out.get(), 128) != 0))
    throw error_from_errno(errno, "make a server's socket");
  port = ntohs(at.sin_port);
  return out;
}

/// An answer of one address to a question for one, of none to any other (RFC 1035, 4.1). The size
/// of what is in `message` then; 0 where it is no question.
std::size_t answer(std::span<unsigned char> message, std::size_t size) {
  constexpr std::size_t kHeader = 12;
  constexpr std::array<unsigned char, 16> kAddress{0xc0, 0x0c, 0, 1, 0,   1, 0,   0,
                                                   0,    1,    0, 4, 203, 0, 113, 5};
  if (size < kHeader) return 0;
  std::size_t at = kHeader;
  while (at < size && message[at] != 0)
    at += message[at] + std::size_t{1};
  const std::size_t end = at + 5;
  if (end > size || end + kAddress.size() > message.size()) return 0;
  const bool wants_address = message[at + 1] == 0 && message[at + 2] == 1;
  message[2] = 0x81;
  message[3] = 0x80;
  std::fill(message.begin() + 4, message.begin() + kHeader, static_cast<unsigned char>(0));
  message[5] = 1;
  message[7] = wants_address ? 1 : 0;
  if (!wants_address) return end;
  std::copy(kAddress.begin(), kAddress.end(), message.begin() + static_cast<std::ptrdiff_t>(end));
  return end + kAddress.size();
}

/// An error packet (RFC 1350, 5), by which a client ends.
std::size_t refuse(std::span<unsigned char> message) {
  constexpr std::array<unsigned char, 5> kNotFound{0, 5, 0, 1, 0};
  std::copy(kNotFound.begin(), kNotFound.end(), message.begin());
  return kNotFound.size();
}

/// The process: one loop, which ends with whoever forked it.
class Serving {
 public:
  enum class Kind { Sinks, Sources, Echoes, Tftp, Dns, Sink, Source, Echo };

  Serving(SoakServers::Counters& counters, std::uint64_t source_bytes)
      : counters_(counters), source_bytes_(source_bytes), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}

  void add(UniqueFd socket, Kind kind) {
    epoll_event event{};
    event.events = kind == Kind::Source ? EPOLLOUT : EPOLLIN;
    event.data.fd = socket.get();
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, socket.get(), &event);
    const int key = socket.get();
    peers_.insert_or_assign(key, Peer{std::move(socket), kind, source_bytes_});
  }

  [[noreturn]] void run() {
    std::array<epoll_event, 64> events{};
    for (;;) {
      const int count = ::epoll_wait(epoll_.get(), events.data(), events.size(), -1);
      for (int i = 0; i < count; ++i) {
        const auto found = peers_.find(events[static_cast<std::size_t>(i)].data.fd);
        if (found != peers_.end() && !serve(found->second)) peers_.erase(found);
      }
    }
  }

 private:
  struct Peer {
    UniqueFd fd;
    Kind kind;
    std::uint64_t left = 0;
  };

  /// False where it is over.
  bool serve(Peer& peer) {
    switch (peer.kind) {
      case Kind::Sinks:
        return accept(peer, Kind::Sink);
      case Kind::Sources:
        return accept(peer, Kind::Source);
      case Kind::Echoes:
        return accept(peer, Kind::Echo);
      case Kind::Tftp:
      case Kind::Dns:
        return take_datagram(peer);
      case Kind::Source:
        return give(peer);
      case Kind::Sink:
      case Kind::Echo:
        return take(peer);
    }
    return false;
  }

  bool accept(const Peer& listener, Kind kind) {
    UniqueFd one(::accept4(listener.fd.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (one) add(std::move(one), kind);
    return true;
  }

  bool give(Peer& peer) {
    const auto size = std::min<std::uint64_t>(peer.left, buffer_.size());
    const auto sent = ::send(peer.fd.get(), buffer_.data(), size, MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN;
    counters_.given += static_cast<std::uint64_t>(sent);
    peer.left -= static_cast<std::uint64_t>(sent);
    return peer.left > 0;
  }

  bool take(const Peer& peer) {
    const auto got = ::recv(peer.fd.get(), buffer_.data(), buffer_.size(), 0);
    if (got < 0) return errno == EAGAIN;
    if (got == 0) {
      if (peer.kind == Kind::Echo) ++counters_.connections;
      return false;
    }
    if (peer.kind == Kind::Sink)
      counters_.taken += static_cast<std::uint64_t>(got);
    else if (::send(peer.fd.get(), buffer_.data(), static_cast<std::size_t>(got), MSG_NOSIGNAL) !=
             got)
      return false;
    return true;
  }

  bool take_datagram(const Peer& peer) {
    sockaddr_in from{};
    socklen_t length = sizeof from;
    const auto got = ::recvfrom(peer.fd.get(), buffer_.data(), buffer_.size(), 0,
                                reinterpret_cast<sockaddr*>(&from), &length);
    if (got < 0) return true;
    const bool dns = peer.kind == Kind::Dns;
    const auto size = dns ? answer(buffer_, static_cast<std::size_t>(got)) : refuse(buffer_);
    ++(dns ? counters_.questions : counters_.datagrams);
    if (size > 0)
      ::sendto(peer.fd.get(), buffer_.data(), size, 0, reinterpret_cast<const sockaddr*>(&from),
               length);
    return true;
  }

  SoakServers::Counters& counters_;
  std::uint64_t source_bytes_;
  UniqueFd epoll_;
  std::unordered_map<int, Peer> peers_;
  std::array<unsigned char, kPiece> buffer_{};
};

}  // namespace

SoakServers::SoakServers(std::uint64_t source_bytes) {
  void* const memory =
      ::mmap(nullptr, sizeof(Counters), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw error_from_errno(errno, "share memory with the servers");
  counters_ = new (memory) Counters;
  using Kind = Serving::Kind;
  Serving serving(*counters_, source_bytes);
  serving.add(bound_socket(SOCK_STREAM, ports_.sink), Kind::Sinks);
  serving.add(bound_socket(SOCK_STREAM, ports_.source), Kind::Sources);
  serving.add(bound_socket(SOCK_STREAM, ports_.echo), Kind::Echoes);
  serving.add(bound_socket(SOCK_DGRAM, ports_.udp), Kind::Tftp);
  serving.add(bound_socket(SOCK_DGRAM, ports_.dns), Kind::Dns);
  const pid_t parent = ::getpid();
  process_ = ::fork();
  if (process_ < 0) throw error_from_errno(errno, "fork the servers");
  if (process_ > 0) return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(0);
  serving.run();
}

SoakServers::~SoakServers() {
  ::kill(process_, SIGKILL);
  ::waitpid(process_, nullptr, 0);
  ::munmap(counters_, sizeof(Counters));
}

}  // namespace capsa::bench
