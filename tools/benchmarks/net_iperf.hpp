#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <tools/benchmarks/child.hpp>
#include <tools/benchmarks/net_space.hpp>

namespace capsa::bench {

/// An iperf3 server on the host's loopback, and its clients. Throws capsa::error.
class Iperf {
 public:
  /// NotFound where iperf3 is not installed.
  Iperf();

  struct Transfer {
    double gigabits = 0;  ///< that have arrived, of TCP's payload
    std::chrono::nanoseconds time{0};
  };
  /// One TCP connection from `space` to the server, which is at `address` there.
  Transfer run(const NetSpace& space, const std::string& address, bool down,
               std::chrono::seconds time) const;

 private:
  std::string program_;
  std::uint16_t port_;
  std::unique_ptr<Child> server_;
};

}  // namespace capsa::bench
