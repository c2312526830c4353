#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <string>

namespace capsa::bench {

/// What guests of a long run talk to: servers on the host's loopback, in a process of their own, so
/// that the figures of this one are the library's. Made before there are other threads, as it
/// forks. The process ends with this object, and with this process.
class SoakServers {
 public:
  /// What has been served so far.
  struct Counters {
    std::atomic<std::uint64_t> taken{0};        ///< bytes
    std::atomic<std::uint64_t> given{0};        ///< bytes
    std::atomic<std::uint64_t> connections{0};  ///< short ones
    std::atomic<std::uint64_t> datagrams{0};
    std::atomic<std::uint64_t> questions{0};  ///< of DNS
  };

  /// `source_bytes`: what a connection to the source gets. Throws capsa::error.
  explicit SoakServers(std::uint64_t source_bytes);
  ~SoakServers();
  SoakServers(const SoakServers&) = delete;
  SoakServers& operator=(const SoakServers&) = delete;

  std::uint16_t sink() const noexcept { return ports_.sink; }
  std::uint16_t source() const noexcept { return ports_.source; }
  std::uint16_t echo() const noexcept { return ports_.echo; }
  /// Of TFTP, and has no file.
  std::uint16_t udp() const noexcept { return ports_.udp; }
  /// A resolver that knows every name, as NetworkMode::user_nat().resolver() takes it.
  std::string resolver() const { return "127.0.0.1:" + std::to_string(ports_.dns); }

  const Counters& counters() const noexcept { return *counters_; }

 private:
  struct Ports {
    std::uint16_t sink = 0;
    std::uint16_t source = 0;
    std::uint16_t echo = 0;
    std::uint16_t udp = 0;
    std::uint16_t dns = 0;
  };

  Ports ports_;
  Counters* counters_ = nullptr;  // shared with the process
  pid_t process_ = 0;
};

}  // namespace capsa::bench
