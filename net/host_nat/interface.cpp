#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <net/host_nat/interface.hpp>

namespace capsa::net::host_nat {
namespace {

constexpr const char* kNames = "capsa%d";

/// The kernel's old way to configure an interface: netdevice(7).
class Control {
 public:
  explicit Control(const std::string& name)
      : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)), name_(name) {
    std::memcpy(request_.ifr_name, name.c_str(), std::min(name.size(), sizeof request_.ifr_name));
  }

  result<void> set_address(unsigned long what, const IpAddress& address) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    std::memcpy(&in.sin_addr, address.bytes().data(), 4);
    std::memcpy(&request_.ifr_addr, &in, sizeof in);
    return call(what, "give an address to");
  }
  result<void> set_up(std::uint16_t mtu) {
    request_.ifr_mtu = mtu;
    if (auto ok = call(SIOCSIFMTU, "set the MTU of"); !ok) return ok;
    request_.ifr_flags = IFF_UP;
    return call(SIOCSIFFLAGS, "bring up");
  }
  result<MacAddress> mac() {
    if (auto ok = call(SIOCGIFHWADDR, "ask for the MAC address of"); !ok) return ok.error();
    std::array<std::uint8_t, 6> bytes{};
    std::memcpy(bytes.data(), request_.ifr_hwaddr.sa_data, bytes.size());
    return MacAddress(bytes);
  }

 private:
  result<void> call(unsigned long what, const char* doing) {
    if (::ioctl(socket_.get(), what, &request_) == 0) return {};
    return error_from_errno(errno, std::string(doing) + " the interface " + name_);
  }

  UniqueFd socket_;
  std::string name_;
  ifreq request_{};
};

IpAddress mask_of(unsigned prefix) {
  return IpAddress::v4(prefix == 0 ? 0U : ~0U << (32 - prefix));
}

}  // namespace

result<Interface> make_interface(const IpAddress& address, unsigned prefix, std::uint16_t mtu) {
  auto device = open_tap(kNames);
  if (!device) return device.error();
  Control control(device->name);
  if (auto ok = control.set_address(SIOCSIFADDR, address); !ok) return ok.error();
  if (auto ok = control.set_address(SIOCSIFNETMASK, mask_of(prefix)); !ok) return ok.error();
  if (auto ok = control.set_up(mtu); !ok) return ok.error();
  auto mac = control.mac();
  if (!mac) return mac.error();
  return Interface{std::move(*device), *mac};
}

}  // namespace capsa::net::host_nat
