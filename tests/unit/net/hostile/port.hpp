#pragma once

#include <capsa/detail/unique_fd.hpp>
#include <map>
#include <memory>
#include <net/dhcp/server.hpp>
#include <net/dns/stub.hpp>
#include <net/nat/nat.hpp>
#include <net/neighbor/gateway.hpp>
#include <net/policy/port_guard.hpp>
#include <net/switch/switch.hpp>
#include <string>

namespace capsa::net::test {

/// A VM's port with all that is behind it in a network of its own, put together as the actors do:
/// the switch, the judge at the port, the gateway's services, and the NAT with real sockets of the
/// calling thread's network namespace. The guest may reach everything that its policy cannot
/// refuse, and the resolver's upstreams are silent.
class Port final : private Filter, private nat::NatEdge, private dns::StubHost {
 public:
  Port();
  ~Port() override;
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;

  /// One frame of the guest, and everything that comes of it at once.
  void send(std::span<const std::byte> frame);
  /// Lets time pass for everybody but the sockets.
  void elapse(std::chrono::milliseconds time);

  struct Totals {
    std::uint64_t frames_sent = 0;
    std::uint64_t bytes_sent = 0;
    std::uint64_t frames_received = 0;  ///< by the guest
    std::uint64_t bytes_received = 0;
    std::uint64_t dropped = 0;  ///< counted by somebody as not let through, or not understood
    std::uint64_t asked = 0;    ///< questions to the resolver's upstreams
  };
  Totals totals() const;
  /// What became of the guest's frames, by the names of the counters.
  std::map<std::string, std::uint64_t> drops() const;
  std::size_t sockets() const { return nat_->sockets(); }
  std::size_t flows() const { return guard_.flows().size(); }
  const nat::NatLimits& limits() const { return nat_config_.limits; }

 private:
  class GuestSide;
  class NetworkSide;

  // -- Filter
  FilterVerdict on_ingress(Frame& frame, Time now) override;
  FilterVerdict on_egress(Frame& frame, Time now) override;
  // -- nat::NatEdge
  void watch(int fd, std::uint32_t events) override;
  void unwatch(int fd) override;
  void refused(const Frame& frame, const Packet& packet, nat::Verdict verdict) override;
  // -- dns::StubHost
  bool judge(const dns::Client& client, std::string_view name) override;
  void resolved(const dns::Client&, const dns::Resolved&) override {}
  void private_answer(const dns::Client&, std::string_view,
                      const std::vector<IpAddress>&) override {}
  void reply(const dns::Client& client, std::span<const std::byte> message) override;
  void ask(const dns::UpstreamQuery&) override { ++totals_.asked; }
  void forget(std::uint64_t) override {}

  void give_guest(std::span<const std::byte> frame);
  void at_gateway(FrameBatch batch);
  void settle();

  std::shared_ptr<FramePool> pool_ = FramePool::create();
  TimePoint now_;
  Totals totals_;
  nat::NatConfig nat_config_;
  UniqueFd epoll_;
  std::map<int, std::uint32_t> watched_;
  PortGuard guard_;
  dhcp::Server dhcp_;
  dns::DnsStub dns_;
  neighbor::Gateway gateway_;
  std::unique_ptr<nat::Nat> nat_;
  std::unique_ptr<GuestSide> guest_;
  std::unique_ptr<NetworkSide> network_;
  FrameBatch arrived_;  // at the gateway
  Switch switch_;
  PortId guest_port_;
  PortId gateway_port_;
};

}  // namespace capsa::net::test
