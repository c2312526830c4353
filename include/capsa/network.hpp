#pragma once

#include <capsa/ip_address.hpp>
#include <capsa/network_policy.hpp>
#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace capsa {

/// A port of the host that leads to a port of the guest.
struct PortForward {
  Protocol protocol = Protocol::Tcp;  ///< Tcp or Udp
  std::uint16_t host_port = 0;        ///< 0: a free one, told by VmNetwork::forwards()
  std::uint16_t guest_port = 0;       ///< 1 to 65535
  /// The address of the host that is listened at; 0.0.0.0 for all of them.
  IpAddress host_address = IpAddress::v4(127, 0, 0, 1);

  ///@{
  /// At 127.0.0.1, unless at() says otherwise.
  static PortForward tcp(std::uint16_t host_port, std::uint16_t guest_port) {
    return {Protocol::Tcp, host_port, guest_port};
  }
  static PortForward udp(std::uint16_t host_port, std::uint16_t guest_port) {
    return {Protocol::Udp, host_port, guest_port};
  }
  ///@}
  /// An IPv4 address of the host: PortForward::tcp(8080, 80).at(address).
  PortForward at(const IpAddress& address) && {
    host_address = address;
    return *this;
  }

  friend bool operator==(const PortForward&, const PortForward&) = default;
};

/// A network of the VM's own, behind a NAT in this process: it needs no privileges, and nobody
/// reaches the guest but by port forwards.
struct UserNatConfig {
  /// IPv4, with a prefix of 8 to 29.
  std::string subnet = "10.0.2.0/24";
  /// Also the resolver's address. Empty: the second address of the subnet, .2.
  std::optional<IpAddress> gateway;
  /// What guests are given. Empty: .15 to the last address of the subnet but one.
  std::optional<IpAddress> dhcp_start;
  std::optional<IpAddress> dhcp_end;       ///< itself included
  std::vector<PortForward> port_forwards;  ///< open before the guest runs
  /// None: everything is allowed that a policy does not refuse whatever its rules.
  std::optional<NetworkPolicy> policy;
  /// Whom the gateway's resolver asks, in turn: "192.0.2.1", "192.0.2.1:5353", "[2001:db8::1]:53".
  /// Empty: those of the host's /etc/resolv.conf.
  std::vector<std::string> resolvers;
  /// Whether services on the host's own loopback are reached at the gateway's address, where the
  /// policy allows it.
  bool host_loopback = false;
  bool ipv6 = true;  ///< whether the guest gets an address of it, too
  /// Of the guest's card; empty: one of its own. Six pairs of hexadecimal digits with colons.
  std::string mac;
  /// Queue pairs of the guest's card, at most one for each vCPU is of use; 1 to 16.
  std::uint16_t queues = 1;

  friend bool operator==(const UserNatConfig&, const UserNatConfig&) = default;
};

class NetworkMode;

/// NetworkMode::user_nat(): one chain of rvalues, ended by build().
class [[nodiscard]] UserNatBuilder {
 public:
  ///@{
  /// Sets what UserNatConfig has by this name, or adds to its list.
  UserNatBuilder subnet(std::string value) && { return set(config_.subnet, std::move(value)); }
  UserNatBuilder gateway(const IpAddress& value) && { return set(config_.gateway, value); }
  UserNatBuilder dhcp_range(const IpAddress& first, const IpAddress& last) && {
    config_.dhcp_start = first;
    return set(config_.dhcp_end, last);
  }
  UserNatBuilder forward_tcp(std::uint16_t host_port, std::uint16_t guest_port) && {
    return std::move(*this).forward(PortForward::tcp(host_port, guest_port));
  }
  UserNatBuilder forward_udp(std::uint16_t host_port, std::uint16_t guest_port) && {
    return std::move(*this).forward(PortForward::udp(host_port, guest_port));
  }
  UserNatBuilder forward(PortForward one) && {
    config_.port_forwards.push_back(one);
    return std::move(*this);
  }
  UserNatBuilder policy(NetworkPolicy value) && { return set(config_.policy, std::move(value)); }
  UserNatBuilder resolver(std::string value) && {
    config_.resolvers.push_back(std::move(value));
    return std::move(*this);
  }
  UserNatBuilder host_loopback() && { return set(config_.host_loopback, true); }
  UserNatBuilder without_ipv6() && { return set(config_.ipv6, false); }
  UserNatBuilder mac(std::string value) && { return set(config_.mac, std::move(value)); }
  UserNatBuilder queues(std::uint16_t pairs) && { return set(config_.queues, pairs); }
  ///@}
  /// Checks nothing: that is for build() of the VM.
  NetworkMode build() &&;

 private:
  template <class T, class U>
  UserNatBuilder set(T& field, U&& value) {
    field = std::forward<U>(value);
    return std::move(*this);
  }
  UserNatConfig config_;
};

/// A place in a named network that VMs of one runtime share: they reach each other by their names
/// and addresses, and other clusters not at all.
struct ClusterMembership {
  std::string cluster;  ///< its name, 1 to 64 bytes
  /// A static address; empty: one of the cluster's range, the same whenever a VM of this name
  /// joins.
  std::optional<IpAddress> address;
  std::vector<PortForward> port_forwards;  ///< that lead to this member
  /// What this member may reach, other members included; none: everything that a policy does not
  /// refuse whatever its rules.
  std::optional<NetworkPolicy> policy;
  std::string mac;           ///< see UserNatConfig
  std::uint16_t queues = 1;  ///< see UserNatConfig

  friend bool operator==(const ClusterMembership&, const ClusterMembership&) = default;
};

/// The network of a cluster; settled when the cluster is first named.
struct ClusterConfig {
  std::string subnet = "10.0.3.0/24";  ///< IPv4, with a prefix of 8 to 29
  /// Empty: the first address of the subnet, .1.
  std::optional<IpAddress> gateway;
  /// What members are given that have no static address. Empty: .15 to the last but one.
  std::optional<IpAddress> dhcp_start;
  std::optional<IpAddress> dhcp_end;  ///< itself included
  /// Whether members reach the world outside of the cluster, by a NAT in this process.
  bool nat = true;
  bool ipv6 = true;                    ///< see UserNatConfig
  bool host_loopback = false;          ///< see UserNatConfig
  std::vector<std::string> resolvers;  ///< see UserNatConfig

  friend bool operator==(const ClusterConfig&, const ClusterConfig&) = default;
};

/// A VM that is in a cluster now.
struct ClusterMember {
  std::string name;   ///< of the VM; the others resolve it in lower case
  IpAddress address;  ///< IPv4
  std::string mac;    ///< "02:00:00:12:34:56"
  friend bool operator==(const ClusterMember&, const ClusterMember&) = default;
};

/// NetworkMode::cluster(): one chain of rvalues, ended by build().
class [[nodiscard]] ClusterBuilder {
 public:
  ///@{
  /// Sets what ClusterMembership has by this name, or adds to its list.
  explicit ClusterBuilder(std::string cluster) { config_.cluster = std::move(cluster); }
  ClusterBuilder address(const IpAddress& value) && { return set(config_.address, value); }
  ClusterBuilder policy(NetworkPolicy value) && { return set(config_.policy, std::move(value)); }
  ClusterBuilder forward_tcp(std::uint16_t host_port, std::uint16_t guest_port) && {
    return std::move(*this).forward(PortForward::tcp(host_port, guest_port));
  }
  ClusterBuilder forward_udp(std::uint16_t host_port, std::uint16_t guest_port) && {
    return std::move(*this).forward(PortForward::udp(host_port, guest_port));
  }
  ClusterBuilder forward(PortForward one) && {
    config_.port_forwards.push_back(one);
    return std::move(*this);
  }
  ClusterBuilder mac(std::string value) && { return set(config_.mac, std::move(value)); }
  ClusterBuilder queues(std::uint16_t pairs) && { return set(config_.queues, pairs); }
  ///@}
  /// Checks nothing: that is for build() of the VM.
  NetworkMode build() &&;

 private:
  template <class T, class U>
  ClusterBuilder set(T& field, U&& value) {
    field = std::forward<U>(value);
    return std::move(*this);
  }
  ClusterMembership config_;
};

/// A network of the VM's own, behind the NAT of the host's kernel: a TAP interface, routing, and a
/// table of nftables that masquerades, all of them gone when the VM ends. The gateway's services
/// and the policy are those of UserNatConfig. IPv4 only, and nobody reaches the guest from outside.
/// Needs CAP_NET_ADMIN, the program nft, and a host that forwards (net.ipv4.ip_forward); build()
/// refuses it where one of them is missing, and says which.
struct HostNatConfig {
  /// IPv4, with a prefix of 8 to 29; one to which the host has a route already is refused by
  /// start(). The first address is the host's own on the interface, the second the resolver's.
  /// Empty: the first of 10.0.4.0/24 to 10.0.254.0/24 that is free.
  std::string subnet;
  std::optional<NetworkPolicy> policy;  ///< see UserNatConfig
  std::vector<std::string> resolvers;   ///< see UserNatConfig
  std::string mac;                      ///< see UserNatConfig
  std::uint16_t queues = 1;             ///< see UserNatConfig

  friend bool operator==(const HostNatConfig&, const HostNatConfig&) = default;
};

/// How a VM is connected. A closed value: visit it with std::visit(f, mode.value()), or ask with
/// is<T>() and get_if<T>().
class NetworkMode {
 public:
  /// No network card.
  struct None {
    friend bool operator==(const None&, const None&) = default;
  };
  /// The platform's own NAT.
  using Nat = HostNatConfig;
  /// One of them.
  using Value = std::variant<None, UserNatConfig, ClusterMembership, Nat>;

  NetworkMode() = default;
  ///@{
  /// See what each of them makes: None, HostNatConfig, UserNatConfig, ClusterMembership. What gives
  /// a builder is a chain that build() ends.
  static NetworkMode none() { return {}; }
  static NetworkMode nat(HostNatConfig config = {}) { return NetworkMode(std::move(config)); }
  static NetworkMode user_nat(UserNatConfig config) { return NetworkMode(std::move(config)); }
  static UserNatBuilder user_nat() { return {}; }
  static NetworkMode cluster(ClusterMembership place) { return NetworkMode(std::move(place)); }
  static ClusterBuilder cluster(std::string name) { return ClusterBuilder(std::move(name)); }
  ///@}

  ///@{
  /// Whether it is a `T` of those above; null where it is another one.
  template <class T>
  bool is() const noexcept {
    return std::holds_alternative<T>(value_);
  }
  template <class T>
  const T* get_if() const noexcept {
    return std::get_if<T>(&value_);
  }
  ///@}
  /// For std::visit.
  const Value& value() const noexcept { return value_; }

  friend bool operator==(const NetworkMode&, const NetworkMode&) = default;

 private:
  template <class T>
  explicit NetworkMode(T value) : value_(std::move(value)) {}
  Value value_;
};

inline NetworkMode UserNatBuilder::build() && {
  return NetworkMode::user_nat(std::move(config_));
}

inline NetworkMode ClusterBuilder::build() && {
  return NetworkMode::cluster(std::move(config_));
}

/// Counters of a VM's card, as its switch port sees it: "sent" is from the guest.
struct NetworkStats {
  std::uint64_t sent_frames = 0;      ///< whatever became of them; a large segment is one
  std::uint64_t sent_bytes = 0;       ///< of those frames, headers included
  std::uint64_t received_frames = 0;  ///< as the card took them
  std::uint64_t received_bytes = 0;   ///< of those frames, headers included
  std::uint64_t dropped_frames = 0;   ///< of either direction, whatever the reason
  std::uint64_t denied_flows = 0;     ///< refused by the policy
  std::uint64_t flows = 0;            ///< now
  friend bool operator==(const NetworkStats&, const NetworkStats&) = default;
};

/// "tcp 127.0.0.1:8080 -> 80"
std::string to_string(const PortForward&);
///@{
/// What differs from the defaults, on one line: for people and logs.
std::string to_string(const UserNatConfig&);
std::string to_string(const ClusterMembership&);
std::string to_string(const ClusterConfig&);
std::string to_string(const HostNatConfig&);
///@}
/// "none", "user_nat(10.0.2.0/24)", "cluster(db)", "nat"
std::string to_string(const NetworkMode&);
std::ostream& operator<<(std::ostream&, const PortForward&);
std::ostream& operator<<(std::ostream&, const NetworkMode&);

}  // namespace capsa
