#pragma once

#include <capsa/network_policy.hpp>
#include <capsa/status.hpp>
#include <chrono>
#include <functional>
#include <net/dns/stub_host.hpp>
#include <net/policy/port_guard.hpp>
#include <net/switch/filter.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace capsa::network {

/// A VM's judge, as its switch port and its gateway see it. Both live on the network loop, and so
/// does this.
class VmGuard final : public net::Filter {
 public:
  /// Told once for each flow or name that is denied, or that a Log rule is about, in one line. On
  /// the network loop.
  using OnEvent = std::function<void(VmEvent::Kind, std::string)>;

  /// Frames in the guest's name that end the far side of a flow which was cut off here.
  using OnAbort = std::function<void(net::FrameBytes)>;

  VmGuard(net::GuardConfig config, OnEvent on_event);
  /// None: the far side is left to its own time-outs.
  void on_abort(OnAbort callback) { on_abort_ = std::move(callback); }

  // -- net::Filter
  net::FilterVerdict on_ingress(net::Frame& frame, Time now) override;
  net::FilterVerdict on_egress(net::Frame& frame, Time now) override;

  /// Told of every flow, for a flow log; none: of none.
  void on_flow(std::function<void(const net::FlowBegin&)> callback) {
    guard_.on_flow(std::move(callback));
  }
  void set_policy(NetworkPolicy policy) { guard_.set_policy(std::move(policy)); }
  void set_host_addresses(const std::vector<IpAddress>& addresses);
  void set_forwards(std::vector<net::ForwardedPort> forwards) {
    guard_.set_forwards(std::move(forwards));
  }
  /// Whether a rule of the policy allows this address by itself.
  bool names_address(const IpAddress& address) const;

  // -- for the resolver
  bool may_ask(std::string_view name, const IpAddress& from, Time now);
  void pin(const net::dns::Resolved& what, Time now);
  /// Private addresses of a public name were kept from the guest.
  void rebound(std::string_view name, const std::vector<IpAddress>& addresses);

  /// The NAT refused what the policy let pass.
  void refused(const net::Packet& packet, std::string_view why);

  std::uint64_t denied() const noexcept { return guard_.stats().denied_flows + refused_; }
  std::uint64_t flows() const noexcept { return guard_.flows().size(); }

 private:
  /// Ends the far side where that is needed, and puts into `frame` what the guest is told. False
  /// where it is told nothing.
  bool take_answer(net::Frame& frame, net::Decision decision);
  void sweep(Time now);

  OnEvent on_event_;
  OnAbort on_abort_;
  net::NetworkContext context_;
  net::PortGuard guard_;
  std::shared_ptr<net::FramePool> answers_ = net::FramePool::create(std::size_t{1} << 20);
  Time swept_{};
  std::uint64_t refused_ = 0;
};

}  // namespace capsa::network
