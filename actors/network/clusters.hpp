#pragma once

#include <actors/network/network_plan.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace capsa::network {

/// A VM's place in a network that is there already, once the station is enrolled with `nat`.
struct JoinedNetwork {
  protocol::SwitchUnit net_switch;
  protocol::NatUnit nat;
  MemberPlan member;
};

/// The named clusters of a runtime. One is made when it is first named, and lives as long as the
/// runtime: who comes back finds its address. Thread-safe.
class Clusters {
 public:
  explicit Clusters(NetworkHost& host) : host_(host) {}

  /// InvalidConfig where there is one of this name with another configuration.
  result<void> configure(const std::string& cluster, const ClusterConfig& config);
  /// The VM is a member until leave(). InvalidConfig for an address that is not to be had,
  /// ResourceExhausted where there is none left.
  result<JoinedNetwork> join(const ClusterMembership& place, const std::string& vm,
                             VmGuard::OnEvent on_event);
  void leave(const std::string& cluster, protocol::WireId wire);

  struct Member {
    ClusterMember shown;
    protocol::WireId wire = 0;
  };
  std::vector<Member> members(const std::string& cluster) const;
  /// Null where there is no such cluster.
  protocol::SwitchUnit switch_of(const std::string& cluster) const;

  /// Ends the actors of all clusters.
  void end();

 private:
  /// What is kept of a VM of this name, whether it is there or not.
  struct Known {
    IpAddress address;
    net::MacAddress mac;
  };
  struct Cluster {
    ClusterConfig config;
    NetworkAddresses addresses;
    NatPlan plan;
    protocol::SwitchUnit net_switch;
    protocol::NatUnit nat;
    std::map<std::string, Known> known;
    std::map<protocol::WireId, ClusterMember> members;
  };

  result<Cluster*> find_or_make(const std::string& name, const ClusterConfig& config);
  static result<IpAddress> choose_address(const Cluster& cluster, const ClusterMembership& place,
                                          const std::string& vm);

  NetworkHost& host_;
  mutable std::mutex mutex_;  // guards the rest
  std::map<std::string, std::unique_ptr<Cluster>> clusters_;
  std::uint16_t next_prefix_ = 2;  // 1 is that of VMs by themselves
  bool ended_ = false;
};

}  // namespace capsa::network
