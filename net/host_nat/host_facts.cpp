#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <net/host_nat/host_facts.hpp>
#include <string_view>

namespace capsa::net::host_nat {
namespace {

constexpr const char* kElse = "; NetworkMode::user_nat() needs none of this";

bool has_net_admin() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
  if (::syscall(SYS_capget, &header, data) != 0) return false;
  return (data[CAP_TO_INDEX(CAP_NET_ADMIN)].effective & CAP_TO_MASK(CAP_NET_ADMIN)) != 0;
}

/// By PATH, and where distributions have it: an administrator's program is in few users' PATH.
std::filesystem::path find_nft() {
  const char* variable = std::getenv("PATH");
  std::string folders = variable != nullptr ? variable : "";
  folders += ":/usr/sbin:/sbin:/usr/local/sbin";
  for (std::string_view rest = folders; !rest.empty();) {
    const auto end = rest.find(':');
    const auto file = std::filesystem::path(rest.substr(0, end)) / "nft";
    if (file.is_absolute() && ::access(file.c_str(), X_OK) == 0) return file;
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  return {};
}

}  // namespace

HostFacts host_facts() {
  HostFacts out;
  out.may_administer = has_net_admin();
  out.has_tun = ::access("/dev/net/tun", R_OK | W_OK) == 0;
  out.nft = find_nft();
  int forwards = 0;
  std::ifstream("/proc/sys/net/ipv4/ip_forward") >> forwards;
  out.forwards = forwards != 0;
  return out;
}

result<void> check(const HostFacts& facts) {
  if (!facts.may_administer)
    return error(ErrorCode::PermissionDenied,
                 "network: the host's own NAT needs the capability CAP_NET_ADMIN",
                 std::string("run it as root") + kElse);
  if (!facts.has_tun)
    return error(ErrorCode::NotFound, "network: there is no /dev/net/tun that can be opened",
                 std::string("the kernel's module tun gives it") + kElse);
  if (facts.nft.empty())
    return error(ErrorCode::NotFound, "network: the program nft is not installed",
                 std::string("apt-get install nftables") + kElse);
  if (!facts.forwards)
    return error(
        ErrorCode::UnsupportedFeature,
        "network: this host does not forward packets (net.ipv4.ip_forward is 0)",
        std::string(
            "sysctl -w net.ipv4.ip_forward=1, which makes it a router on all its networks") +
            kElse);
  return {};
}

}  // namespace capsa::net::host_nat
