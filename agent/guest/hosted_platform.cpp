#include <agent/guest/platform.hpp>
#include <cerrno>

namespace capsa::agent::guest {

std::chrono::nanoseconds HostedPlatform::wall_clock() {
  return std::chrono::system_clock::now().time_since_epoch();
}
int HostedPlatform::set_wall_clock(std::chrono::nanoseconds) {
  return ENOSYS;
}
int HostedPlatform::add_entropy(std::span<const std::byte>) {
  return ENOSYS;
}
int HostedPlatform::set_hostname(const std::string&) {
  return ENOSYS;
}
int HostedPlatform::mount(const std::string&, const std::string&, const std::string&, unsigned long,
                          const std::string&) {
  return ENOSYS;
}
int HostedPlatform::switch_root(const std::string&) {
  return ENOSYS;
}
int HostedPlatform::configure_interface(const std::string&, const std::string&, unsigned,
                                        const std::string&) {
  return ENOSYS;
}
int HostedPlatform::set_resolvers(const std::vector<std::string>&) {
  return ENOSYS;
}
int HostedPlatform::shut_down(bool, std::chrono::milliseconds) {
  return ENOSYS;
}

}  // namespace capsa::agent::guest
