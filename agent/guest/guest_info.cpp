#include <arpa/inet.h>
#include <dirent.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <agent/guest/file_tasks.hpp>
#include <agent/guest/guest_info.hpp>
#include <agent/guest/proc_text.hpp>
#include <algorithm>
#include <array>
#include <bit>
#include <charconv>

namespace capsa::agent::guest {

namespace {

std::uint64_t number(std::string_view text) {
  std::uint64_t value = 0;
  text = trimmed(text);
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// "MemTotal:       16303400 kB"
void fill_memory(wire::Info& info) {
  const std::string text = read_text("/proc/meminfo");
  for (const auto line : split(text, '\n')) {
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const auto name = line.substr(0, colon);
    const std::uint64_t bytes = number(line.substr(colon + 1)) * 1024;
    if (name == "MemTotal") info.set_memory_total(bytes);
    if (name == "MemFree") info.set_memory_free(bytes);
    if (name == "MemAvailable") info.set_memory_available(bytes);
  }
}

template <class Bytes>
unsigned leading_ones(const Bytes* mask, std::size_t size) {
  unsigned bits = 0;
  const auto* bytes = reinterpret_cast<const unsigned char*>(mask);
  for (std::size_t i = 0; i < size; ++i)
    bits += static_cast<unsigned>(std::popcount(bytes[i]));
  return bits;
}

void fill_addresses(wire::Info& info) {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) < 0) return;
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr || entry->ifa_netmask == nullptr) continue;
    const int family = entry->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6) continue;
    std::array<char, INET6_ADDRSTRLEN> text{};
    unsigned prefix = 0;
    if (family == AF_INET) {
      const auto* address = reinterpret_cast<const sockaddr_in*>(entry->ifa_addr);
      const auto* mask = reinterpret_cast<const sockaddr_in*>(entry->ifa_netmask);
      ::inet_ntop(family, &address->sin_addr, text.data(), text.size());
      prefix = leading_ones(&mask->sin_addr, sizeof mask->sin_addr);
    } else {
      const auto* address = reinterpret_cast<const sockaddr_in6*>(entry->ifa_addr);
      const auto* mask = reinterpret_cast<const sockaddr_in6*>(entry->ifa_netmask);
      ::inet_ntop(family, &address->sin6_addr, text.data(), text.size());
      prefix = leading_ones(&mask->sin6_addr, sizeof mask->sin6_addr);
    }
    auto& out = *info.add_addresses();
    out.set_interface(entry->ifa_name);
    out.set_address(text.data());
    out.set_prefix_len(prefix);
  }
  ::freeifaddrs(list);
}

void fill_disks(wire::Info& info) {
  const UniqueDir dir(::opendir("/sys/block"));
  if (!dir) return;
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string_view name = entry->d_name;
    // Neither disks: unused loops and RAM disks come in dozens.
    if (name.starts_with('.') || name.starts_with("loop") || name.starts_with("ram")) continue;
    names.emplace_back(name);
  }
  std::sort(names.begin(), names.end());
  for (const auto& name : names) {
    const std::string path = "/sys/block/" + name;
    auto& disk = *info.add_disks();
    disk.set_name(name);
    disk.set_size_bytes(number(read_text(path + "/size")) * 512);  // always in these sectors
    disk.set_read_only(number(read_text(path + "/ro")) != 0);
    disk.set_serial(std::string(trimmed(read_text(path + "/serial"))));
  }
}

}  // namespace

void fill_info(wire::Info& info) {
  info.set_agent_version(CAPSA_VERSION);
  utsname names{};
  if (::uname(&names) == 0) {
    info.set_kernel_release(names.release);
    info.set_kernel_version(names.version);
    info.set_machine(names.machine);
    info.set_hostname(names.nodename);
  }
  info.set_cpus(static_cast<std::uint32_t>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN))));
  timespec uptime{};
  if (::clock_gettime(CLOCK_BOOTTIME, &uptime) == 0)
    info.set_uptime_ms(
        static_cast<std::uint64_t>(uptime.tv_sec * 1000 + uptime.tv_nsec / 1'000'000));
  fill_memory(info);
  fill_addresses(info);
  fill_disks(info);
}

}  // namespace capsa::agent::guest
