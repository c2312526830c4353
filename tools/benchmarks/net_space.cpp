#include <tools/benchmarks/net_space.hpp>

#include <capsa/result.hpp>

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <exception>
#include <thread>

namespace capsa::bench {

namespace {

/// Namespaces are of threads: one that is done with is better ended than led back.
void on_a_thread(const std::function<void()>& work) {
  std::exception_ptr failed;
  std::thread([&] {
    try {
      work();
    } catch (...) {
      failed = std::current_exception();
    }
  }).join();
  if (failed) std::rethrow_exception(failed);
}

class Interface {
 public:
  Interface() : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    std::strcpy(request_.ifr_name, NetSpace::kInterface);
  }

  void set_mac(const net::MacAddress& mac) {
    request_.ifr_hwaddr.sa_family = ARPHRD_ETHER;
    std::memcpy(request_.ifr_hwaddr.sa_data, mac.bytes().data(), 6);
    must(SIOCSIFHWADDR, "set its MAC address");
  }
  void set_address(const IpAddress& address) {
    put(address);
    must(SIOCSIFADDR, "set its address");
    put(IpAddress::v4(255, 255, 255, 0));
    must(SIOCSIFNETMASK, "set its netmask");
  }
  void set_up() {
    request_.ifr_mtu = 1500;
    must(SIOCSIFMTU, "set its MTU");
    request_.ifr_flags = IFF_UP;
    must(SIOCSIFFLAGS, "bring it up");
  }
  bool has_address() { return ::ioctl(socket_.get(), SIOCGIFADDR, &request_) == 0; }

 private:
  void put(const IpAddress& address) {
    sockaddr_in out{};
    out.sin_family = AF_INET;
    std::memcpy(&out.sin_addr, address.bytes().data(), 4);
    std::memcpy(&request_.ifr_addr, &out, sizeof out);
  }
  void must(unsigned long what, const char* doing) {
    if (::ioctl(socket_.get(), what, &request_) != 0)
      throw error_from_errno(errno, std::string("TAP interface: ") + doing);
  }

  UniqueFd socket_;
  ifreq request_{};
};

}  // namespace

NetSpace::NetSpace() {
  on_a_thread([this] {
    if (::unshare(CLONE_NEWNET) != 0)
      throw error_from_errno(errno, "make a network namespace", "run this as root");
    space_ = UniqueFd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    if (!space_) throw error_from_errno(errno, "open a network namespace");
  });
}

void NetSpace::run(const std::function<void()>& work) const {
  on_a_thread([&] {
    if (::setns(space_.get(), CLONE_NEWNET) != 0)
      throw error_from_errno(errno, "enter a network namespace");
    work();
  });
}

net::TapDevice NetSpace::make_tap(const IpAddress& address,
                                  std::optional<net::MacAddress> mac) const {
  std::optional<net::TapDevice> made;
  run([&] {
    auto opened = net::open_tap(kInterface);
    if (!opened.ok()) throw opened.error();
    Interface interface;
    if (mac) interface.set_mac(*mac);
    interface.set_address(address);
    interface.set_up();
    made = std::move(*opened);
  });
  return std::move(*made);
}

void NetSpace::wait_for_interface() const {
  run([] {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    Interface interface;
    while (!interface.has_address()) {
      if (std::chrono::steady_clock::now() > until)
        throw error(ErrorCode::Timeout, "nobody has made the interface within ten seconds");
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  });
}

UniqueFd NetSpace::inheritable() const {
  return UniqueFd(::dup(space_.get()));
}

}  // namespace capsa::bench
