#pragma once

#include <chrono>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace capsa::agent::guest {

/// What only the init of a machine may do. Each returns 0 or errno.
class Platform {
 public:
  virtual ~Platform() = default;

  virtual std::chrono::nanoseconds wall_clock() = 0;  ///< since 1970 UTC
  virtual int set_wall_clock(std::chrono::nanoseconds since_1970) = 0;
  /// Credited in full: the host's word counts as random.
  virtual int add_entropy(std::span<const std::byte> bytes) = 0;
  virtual int set_hostname(const std::string& name) = 0;
  virtual int mount(const std::string& source, const std::string& target, const std::string& type,
                    unsigned long flags, const std::string& options) = 0;
  /// Makes the mounted directory `path` the root; /proc, /sys, /dev, /run and /tmp move there.
  virtual int switch_root(const std::string& path) = 0;
  /// Gives the card with this MAC address an IPv4 address and, unless `gateway` is empty, a default
  /// route. ENODEV where there is none.
  virtual int configure_interface(const std::string& mac, const std::string& address,
                                  unsigned prefix, const std::string& gateway) = 0;
  /// Writes /etc/resolv.conf.
  virtual int set_resolvers(const std::vector<std::string>& resolvers) = 0;
  /// Begins an orderly end of the machine. ENOSYS where there is none to end.
  virtual int shut_down(bool reboot, std::chrono::milliseconds grace) = 0;
};

/// For an agent that serves on somebody's machine, in tests: nothing of this may touch it.
class HostedPlatform final : public Platform {
 public:
  std::chrono::nanoseconds wall_clock() override;
  int set_wall_clock(std::chrono::nanoseconds) override;
  int add_entropy(std::span<const std::byte>) override;
  int set_hostname(const std::string&) override;
  int mount(const std::string&, const std::string&, const std::string&, unsigned long,
            const std::string&) override;
  int switch_root(const std::string&) override;
  int configure_interface(const std::string&, const std::string&, unsigned,
                          const std::string&) override;
  int set_resolvers(const std::vector<std::string>&) override;
  int shut_down(bool, std::chrono::milliseconds) override;
};

}  // namespace capsa::agent::guest
