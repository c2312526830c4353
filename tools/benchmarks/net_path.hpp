#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <tools/benchmarks/net_space.hpp>
#include <vector>

namespace capsa::bench {

/// A way from a namespace to the host's sockets: whoever is between its TAP interface and them.
class NetPath {
 public:
  /// What the host's loopback is reached at.
  static constexpr const char* kHost = "10.0.2.2";

  NetPath() = default;
  virtual ~NetPath() = default;
  NetPath(const NetPath&) = delete;
  NetPath& operator=(const NetPath&) = delete;

  const NetSpace& space() const noexcept { return space_; }
  virtual std::string name() const = 0;
  /// CPU time so far of whoever is between.
  virtual std::chrono::nanoseconds cpu() const = 0;

 protected:
  static inline const IpAddress kGuest = IpAddress::v4(10, 0, 2, 15);

  NetSpace space_;
};

/// Ours: the actors that a VM's user_nat() network consists of, on one loop, and in place of a VM's
/// card an actor with a TAP.
std::unique_ptr<NetPath> own_path();

/// Those of QEMU, slirp4netns and passt that are installed; says which are not.
std::vector<std::unique_ptr<NetPath>> peer_paths();

}  // namespace capsa::bench
