#pragma once

#include <actors/loop/epoll_loop.hpp>
#include <actors/protocol/network.hpp>
#include <atomic>
#include <caf/all.hpp>
#include <cstdint>
#include <net/packet/mac_address.hpp>

namespace capsa::network {

/// Where all networks of a runtime live, and what tells them apart. Thread-safe.
class NetworkHost {
 public:
  /// One loop for all of them: libslirp has globals, so that one thread must have all of it.
  NetworkHost(caf::actor_system& actor_system, loop::EpollLoop& network_loop)
      : system(actor_system), loop(network_loop) {}

  caf::actor_system& system;
  loop::EpollLoop& loop;

  protocol::WireId next_wire() { return next_wire_++; }
  /// Locally administered, and of nobody else in this runtime.
  net::MacAddress next_mac() {
    const std::uint32_t number = next_mac_++;
    return net::MacAddress({0x02, 0xca, 0x5a, static_cast<std::uint8_t>(number >> 16),
                            static_cast<std::uint8_t>(number >> 8),
                            static_cast<std::uint8_t>(number)});
  }

 private:
  std::atomic<protocol::WireId> next_wire_{1};
  std::atomic<std::uint32_t> next_mac_{1};
};

}  // namespace capsa::network
