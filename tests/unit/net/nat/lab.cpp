#include "lab.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <net/route.h>
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include <boost/test/unit_test.hpp>
#include <cstring>
#include <ctime>
#include <net/offload.hpp>
#include <unordered_map>
// The header is C: a field of a structure we do not use is named like a keyword.
#define class class_
#include <linux/virtio_net.h>
#undef class
#include <linux/if_tun.h>

namespace capsa::net::nat::test {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kHeader = sizeof(virtio_net_hdr);

std::string failed(const std::string& what) {
  return what + ": " + std::strerror(errno);
}

void put_address(sockaddr& to, const char* address) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  ::inet_pton(AF_INET, address, &in.sin_addr);
  std::memcpy(&to, &in, sizeof in);
}

bool bring_up(int control, const char* name, const char* address, const char* mask) {
  ifreq request{};
  std::strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  put_address(request.ifr_addr, address);
  if (::ioctl(control, SIOCSIFADDR, &request) != 0) return false;
  put_address(request.ifr_netmask, mask);
  if (::ioctl(control, SIOCSIFNETMASK, &request) != 0) return false;
  if (::ioctl(control, SIOCGIFFLAGS, &request) != 0) return false;
  request.ifr_flags |= IFF_UP;
  return ::ioctl(control, SIOCSIFFLAGS, &request) == 0;
}

FrameMeta to_meta(const virtio_net_hdr& header) {
  FrameMeta meta;
  meta.needs_checksum = (header.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0;
  meta.checksum_valid = (header.flags & VIRTIO_NET_HDR_F_DATA_VALID) != 0;
  meta.checksum_start = header.csum_start;
  meta.checksum_offset = header.csum_offset;
  const int type = header.gso_type & ~VIRTIO_NET_HDR_GSO_ECN;
  meta.ecn = (header.gso_type & VIRTIO_NET_HDR_GSO_ECN) != 0;
  meta.gso = type == VIRTIO_NET_HDR_GSO_TCPV4   ? Gso::TcpV4
             : type == VIRTIO_NET_HDR_GSO_TCPV6 ? Gso::TcpV6
                                                : Gso::None;
  meta.gso_size = header.gso_size;
  meta.header_length = header.hdr_len;
  return meta;
}

virtio_net_hdr to_header(const FrameMeta& meta) {
  virtio_net_hdr header{};
  if (meta.needs_checksum) header.flags |= VIRTIO_NET_HDR_F_NEEDS_CSUM;
  if (meta.checksum_valid) header.flags |= VIRTIO_NET_HDR_F_DATA_VALID;
  header.csum_start = meta.checksum_start;
  header.csum_offset = meta.checksum_offset;
  if (meta.gso == Gso::TcpV4) header.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
  if (meta.gso == Gso::TcpV6) header.gso_type = VIRTIO_NET_HDR_GSO_TCPV6;
  header.gso_size = meta.gso_size;
  header.hdr_len = meta.header_length;
  return header;
}

}  // namespace

class Lab::Edge final : public NatEdge {
 public:
  explicit Edge(Lab& lab) : lab_(lab) {}
  void watch(int fd, std::uint32_t events) override {
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    if (events == 0) {
      ::epoll_ctl(lab_.epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
      in_.erase(fd);
      return;
    }
    ::epoll_ctl(lab_.epoll_.get(), in_.insert({fd, 0}).second ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd,
                &event);
  }
  void unwatch(int fd) override {
    if (in_.erase(fd) != 0) ::epoll_ctl(lab_.epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  }
  void refused(const Frame& /*frame*/, const Packet& /*packet*/, Verdict verdict) override {
    if (is_answered(verdict)) ++lab_.refused;
  }

 private:
  Lab& lab_;
  std::unordered_map<int, int> in_;
};

std::unique_ptr<Lab> Lab::create(NatConfig config, std::string& why) {
  std::unique_ptr<Lab> lab(new Lab);
  lab->config_ = config;
  // Namespaces are of a thread: this one's stays what it was.
  std::thread([&] { why = lab->set_up(config); }).join();
  if (!why.empty()) return nullptr;
  std::promise<std::string> started;
  lab->thread_ = std::thread([&lab = *lab, &started] {
    ::setns(lab.outside_namespace_.get(), CLONE_NEWNET);
    lab.edge_ = std::make_unique<Edge>(lab);
    auto nat = Nat::create(lab.config_, *lab.edge_);
    if (!nat) return started.set_value(nat.error().what());
    lab.nat_ = std::move(*nat);
    started.set_value({});
    lab.run();
    lab.nat_.reset();
  });
  const std::string problem = started.get_future().get();
  BOOST_REQUIRE_MESSAGE(problem.empty(), problem);
  return lab;
}

std::string Lab::set_up(const NatConfig& config) {
  const auto name_space = [] {
    return UniqueFd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  };
  home_ = name_space();
  if (::unshare(CLONE_NEWNET) != 0) return failed("unshare");
  outside_namespace_ = name_space();
  UniqueFd control(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  for (const auto& [name, address, mask] :
       {std::tuple{"lo", "127.0.0.1", "255.0.0.0"}, std::tuple{"lo:1", kServer, "255.255.255.0"},
        std::tuple{"lo:2", kStranger, "255.255.255.0"}})
    if (!bring_up(control.get(), name, address, mask)) return failed(name);
  // So that ping sockets are allowed; where it cannot be written the test of them is left out.
  if (const UniqueFd range(::open("/proc/sys/net/ipv4/ping_group_range", O_WRONLY | O_CLOEXEC));
      range)
    (void)!::write(range.get(), "0 2147483647", 12);

  if (::unshare(CLONE_NEWNET) != 0) return failed("unshare");
  guest_namespace_ = name_space();
  control.reset(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  tap_.reset(::open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK));
  if (!tap_) return failed("open /dev/net/tun");
  ifreq request{};
  std::strcpy(request.ifr_name, "tap0");
  request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
  if (::ioctl(tap_.get(), TUNSETIFF, &request) != 0) return failed("TUNSETIFF");
  const unsigned offload = config.large_segments ? TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 : 0;
  if (::ioctl(tap_.get(), TUNSETOFFLOAD, offload) != 0) return failed("TUNSETOFFLOAD");
  request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
  std::memcpy(request.ifr_hwaddr.sa_data, guest_mac().bytes().data(), 6);
  if (::ioctl(control.get(), SIOCSIFHWADDR, &request) != 0) return failed("SIOCSIFHWADDR");
  request.ifr_mtu = config.guest_mtu;
  if (::ioctl(control.get(), SIOCSIFMTU, &request) != 0) return failed("SIOCSIFMTU");
  if (!bring_up(control.get(), "lo", "127.0.0.1", "255.0.0.0")) return failed("lo");
  if (!bring_up(control.get(), "tap0", kGuest, "255.255.255.0")) return failed("tap0");
  rtentry route{};
  put_address(route.rt_dst, "0.0.0.0");
  put_address(route.rt_genmask, "0.0.0.0");
  put_address(route.rt_gateway, kGateway);
  route.rt_flags = RTF_UP | RTF_GATEWAY;
  if (::ioctl(control.get(), SIOCADDRT, &route) != 0) return failed("SIOCADDRT");
  // Nobody answers ARP here.
  arpreq neighbour{};
  put_address(neighbour.arp_pa, kGateway);
  neighbour.arp_ha.sa_family = ARPHRD_ETHER;
  std::memcpy(neighbour.arp_ha.sa_data, config.gateway_mac.bytes().data(), 6);
  neighbour.arp_flags = ATF_PERM | ATF_COM;
  std::strcpy(neighbour.arp_dev, "tap0");
  if (::ioctl(control.get(), SIOCSARP, &neighbour) != 0) return failed("SIOCSARP");
  wake_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
  return {};
}

Lab::~Lab() {
  if (!thread_.joinable()) return;
  on_nat([this](Nat&) { stop_ = true; });
  thread_.join();
}

void Lab::run() {
  const auto pool = FramePool::create();
  for (const int fd : {tap_.get(), wake_.get()}) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
  }
  std::vector<std::byte> bytes(kHeader + kMaxFrame);
  while (!stop_) {
    int timeout = -1;
    if (const auto deadline = nat_->next_deadline()) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline - Clock::now());
      timeout = static_cast<int>(std::max<std::int64_t>(left.count(), 0));
    }
    epoll_event events[64];
    const int count = ::epoll_wait(epoll_.get(), events, 64, timeout);
    const auto now = Clock::now();
    bool woken = false;
    for (int at = 0; at < count; ++at) {
      const int fd = events[at].data.fd;
      if (fd == tap_.get()) {
        FrameBatch batch = pool->batch();
        while (!batch.full()) {
          const ssize_t length = ::read(fd, bytes.data(), bytes.size());
          if (length < static_cast<ssize_t>(kHeader + kMinFrame)) break;
          virtio_net_hdr header;
          std::memcpy(&header, bytes.data(), kHeader);
          Frame frame = pool->make(static_cast<std::size_t>(length) - kHeader);
          if (!frame) break;
          std::memcpy(frame.bytes().data(), bytes.data() + kHeader, frame.size());
          frame.meta() = to_meta(header);
          batch.push(std::move(frame));
        }
        nat_->input(std::move(batch), now);
      } else if (fd == wake_.get()) {
        std::uint64_t value;
        (void)!::read(fd, &value, sizeof value);
        woken = true;
      } else {
        nat_->ready(fd, events[at].events);
      }
    }
    nat_->step(now);
    // Frames that were sent before a call are handled before it.
    if (woken) run_calls();
    nat_->step(now);
    for (FrameBatch out = nat_->take_frames(); !out.empty(); out = nat_->take_frames()) {
      for (const Frame& frame : out) {
        virtio_net_hdr header = to_header(frame.meta());
        const iovec parts[2] = {{&header, kHeader},
                                {const_cast<std::byte*>(frame.bytes().data()), frame.size()}};
        (void)!::writev(tap_.get(), parts, 2);
      }
    }
  }
}

void Lab::run_calls() {
  std::vector<std::packaged_task<void()>> calls;
  {
    const std::scoped_lock lock(mutex_);
    calls.swap(calls_);
  }
  for (auto& call : calls)
    call();
}

void Lab::on_nat(const std::function<void(Nat&)>& call) {
  std::packaged_task<void()> task([&] { call(*nat_); });
  auto done = task.get_future();
  {
    const std::scoped_lock lock(mutex_);
    calls_.push_back(std::move(task));
  }
  const std::uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one);
  done.get();
}

NatStats Lab::stats() {
  NatStats out;
  on_nat([&](Nat& nat) { out = nat.stats(); });
  return out;
}

std::uint64_t Lab::verdicts(Verdict verdict) {
  std::uint64_t out = 0;
  on_nat([&](Nat& nat) { out = nat.verdicts()[static_cast<std::size_t>(verdict)]; });
  return out;
}

double Lab::cpu_seconds() {
  timespec time{};
  on_nat([&](Nat&) { ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time); });
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

UniqueFd Lab::socket_in(int name_space, int type, int protocol) const {
  int fd = -1;
  std::thread([&] {
    if (::setns(name_space, CLONE_NEWNET) == 0)
      fd = ::socket(AF_INET, type | SOCK_CLOEXEC, protocol);
  }).join();
  BOOST_REQUIRE_GE(fd, 0);
  return UniqueFd(fd);
}

// -- sockets

Address::Address(const char* address, std::uint16_t port) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(port);
  ::inet_pton(AF_INET, address, &in.sin_addr);
  std::memcpy(&storage, &in, sizeof in);
}

void bind_to(const UniqueFd& socket, const char* address, std::uint16_t port) {
  const Address to(address, port);
  BOOST_REQUIRE_EQUAL(
      ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&to.storage), sizeof(sockaddr_in)), 0);
}

void listen_at(const UniqueFd& socket, const char* address) {
  bind_to(socket, address);
  BOOST_REQUIRE_EQUAL(::listen(socket.get(), 128), 0);
}

std::uint16_t port_of(const UniqueFd& socket) {
  sockaddr_in in{};
  socklen_t length = sizeof in;
  BOOST_REQUIRE_EQUAL(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&in), &length), 0);
  return ntohs(in.sin_port);
}

int connect_to(const UniqueFd& socket, const char* address, std::uint16_t port) {
  const Address to(address, port);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&to.storage),
                sizeof(sockaddr_in)) == 0)
    return 0;
  return errno;
}

bool send_to(const UniqueFd& socket, const std::string& text, const char* address,
             std::uint16_t port) {
  const Address to(address, port);
  return ::sendto(socket.get(), text.data(), text.size(), 0,
                  reinterpret_cast<const sockaddr*>(&to.storage),
                  sizeof(sockaddr_in)) == static_cast<ssize_t>(text.size());
}

std::optional<std::string> receive(const UniqueFd& socket, std::chrono::milliseconds timeout,
                                   std::uint16_t* from_port) {
  pollfd entry{socket.get(), POLLIN, 0};
  if (::poll(&entry, 1, static_cast<int>(timeout.count())) <= 0) return std::nullopt;
  std::string text(70000, '\0');
  sockaddr_in from{};
  socklen_t length = sizeof from;
  const ssize_t got = ::recvfrom(socket.get(), text.data(), text.size(), 0,
                                 reinterpret_cast<sockaddr*>(&from), &length);
  if (got < 0) return std::nullopt;
  if (from_port != nullptr) *from_port = ntohs(from.sin_port);
  text.resize(static_cast<std::size_t>(got));
  return text;
}

}  // namespace capsa::net::nat::test
