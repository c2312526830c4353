#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/route.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <agent/guest/network.hpp>
#include <agent/guest/proc_text.hpp>
#include <capsa/detail/unique_fd.hpp>
#include <cerrno>
#include <cstring>

namespace capsa::agent::guest {

namespace {

constexpr const char* kInterfaces = "/sys/class/net";

/// The name of the card with this MAC address; empty where there is none.
std::string interface_of(const std::string& mac) {
  DIR* const directory = ::opendir(kInterfaces);
  if (directory == nullptr) return {};
  std::string found;
  while (const dirent* entry = ::readdir(directory)) {
    const std::string name = entry->d_name;
    if (name == "." || name == ".." || name.size() >= IFNAMSIZ) continue;
    const std::string text = read_text(std::string(kInterfaces) + "/" + name + "/address");
    if (text.substr(0, text.find('\n')) == mac) found = name;
  }
  ::closedir(directory);
  return found;
}

bool fill(sockaddr& out, const std::string& text) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  if (::inet_pton(AF_INET, text.c_str(), &address.sin_addr) != 1) return false;
  std::memcpy(&out, &address, sizeof address);
  return true;
}

std::string mask_of(unsigned prefix) {
  in_addr mask{};
  mask.s_addr = prefix == 0 ? 0 : htonl(~0U << (32 - prefix));
  char text[INET_ADDRSTRLEN] = {};
  ::inet_ntop(AF_INET, &mask, text, sizeof text);
  return text;
}

int add_default_route(int socket, const std::string& gateway) {
  rtentry route{};
  if (!fill(route.rt_dst, "0.0.0.0") || !fill(route.rt_genmask, "0.0.0.0") ||
      !fill(route.rt_gateway, gateway))
    return EINVAL;
  route.rt_flags = RTF_UP | RTF_GATEWAY;
  // Whoever asks twice has the route already.
  return ::ioctl(socket, SIOCADDRT, &route) == 0 || errno == EEXIST ? 0 : errno;
}

}  // namespace

int set_up_interface(const std::string& mac, const std::string& address, unsigned prefix,
                     const std::string& gateway) {
  if (prefix > 32) return EINVAL;
  const std::string name = interface_of(mac);
  if (name.empty()) return ENODEV;
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return errno;
  ifreq request{};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  // Who had this address before is still in the others' caches: the kernel tells them, as the card
  // comes up.
  const UniqueFd notify(
      ::open(("/proc/sys/net/ipv4/conf/" + name + "/arp_notify").c_str(), O_WRONLY | O_CLOEXEC));
  if (notify && ::write(notify.get(), "1", 1) < 0) return errno;
  if (!fill(request.ifr_addr, address)) return EINVAL;
  if (::ioctl(socket.get(), SIOCSIFADDR, &request) < 0) return errno;
  if (!fill(request.ifr_netmask, mask_of(prefix))) return EINVAL;
  if (::ioctl(socket.get(), SIOCSIFNETMASK, &request) < 0) return errno;
  if (::ioctl(socket.get(), SIOCGIFFLAGS, &request) < 0) return errno;
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  if (::ioctl(socket.get(), SIOCSIFFLAGS, &request) < 0) return errno;
  return gateway.empty() ? 0 : add_default_route(socket.get(), gateway);
}

int write_resolv_conf(const std::vector<std::string>& resolvers) {
  std::string text;
  for (const auto& resolver : resolvers)
    text += "nameserver " + resolver + "\n";
  ::mkdir("/etc", 0755);
  const UniqueFd fd(::open("/etc/resolv.conf", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!fd) return errno;
  return ::write(fd.get(), text.data(), text.size()) < 0 ? errno : 0;
}

}  // namespace capsa::agent::guest
