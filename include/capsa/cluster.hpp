#pragma once

#include <capsa/future.hpp>
#include <capsa/network.hpp>
#include <memory>
#include <string>
#include <vector>

namespace capsa {

namespace detail {
class RuntimeImpl;
}  // namespace detail

/// A named network of a runtime, which VMs join by NetworkMode::cluster(). Copyable handle;
/// thread-safe. The network lives as long as the runtime.
class Cluster {
 public:
  /// As it was given; names the network in its runtime.
  const std::string& name() const noexcept { return name_; }
  /// Those that are there now.
  std::vector<ClusterMember> members() const;
  /// Pulls the cable of a member, or plugs it in again: nobody reaches it, and it nobody. NotFound
  /// where there is no such member.
  future<void> set_link(const std::string& member, bool up) const;
  ///@{
  /// See VmNetwork. NotFound where there is no such member.
  future<void> set_policy(const std::string& member, NetworkPolicy policy) const;
  future<NetworkStats> stats(const std::string& member) const;
  ///@}

  /// Made by Runtime::cluster() and Capsa::cluster().
  Cluster(std::shared_ptr<detail::RuntimeImpl> runtime, std::string name)
      : runtime_(std::move(runtime)), name_(std::move(name)) {}

 private:
  std::shared_ptr<detail::RuntimeImpl> runtime_;
  std::string name_;
};

}  // namespace capsa
