#pragma once

#include <agent/guest/platform.hpp>
#include <agent/guest/shutdown.hpp>

namespace capsa::agent::guest {

/// The machine this is the init of.
class InitPlatform final : public Platform {
 public:
  explicit InitPlatform(ShutdownSequence& shutdown) : shutdown_(shutdown) {}

  std::chrono::nanoseconds wall_clock() override;
  int set_wall_clock(std::chrono::nanoseconds since_1970) override;
  int add_entropy(std::span<const std::byte> bytes) override;
  int set_hostname(const std::string& name) override;
  int mount(const std::string& source, const std::string& target, const std::string& type,
            unsigned long flags, const std::string& options) override;
  int switch_root(const std::string& path) override;
  int configure_interface(const std::string& mac, const std::string& address, unsigned prefix,
                          const std::string& gateway) override;
  int set_resolvers(const std::vector<std::string>& resolvers) override;
  int shut_down(bool reboot, std::chrono::milliseconds grace) override;

 private:
  ShutdownSequence& shutdown_;
};

}  // namespace capsa::agent::guest
