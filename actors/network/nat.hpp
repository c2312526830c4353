#pragma once

#include <actors/loop/epoll_loop.hpp>
#include <actors/network/dns_sockets.hpp>
#include <actors/network/vm_guard.hpp>
#include <actors/network/wire.hpp>
#include <map>
#include <memory>
#include <net/dhcp/server.hpp>
#include <net/dns/stub.hpp>
#include <net/nat/nat.hpp>
#include <net/neighbor/gateway.hpp>
#include <optional>
#include <vector>

namespace capsa::network {

/// A VM that a gateway serves.
struct Station {
  protocol::WireId wire = 0;  ///< of its card
  std::string name;           ///< its host name
  net::MacAddress mac;
  IpAddress address;  ///< IPv4, given by DHCP
  std::vector<PortForward> forwards;
  std::shared_ptr<VmGuard> guard;  ///< never null
};

/// A virtual network as its gateway sees it.
struct NatPlan {
  net::nat::NatConfig nat;
  net::dhcp::ServerOptions dhcp;
  net::neighbor::GatewayOptions gateway;
  std::vector<Upstream> resolvers;  ///< at least one
  std::vector<Station> stations;
  protocol::WireId wire = 0;
  bool enabled = true;  ///< false: nothing leaves the network by this gateway
  /// Who leads out of it instead. Nothing comes in by port forwards then: the answers would leave
  /// by another way.
  std::optional<IpAddress> router;
};

/// The gateway of a virtual network: ARP, DHCP, router advertisements and DNS, and a NAT to the
/// host's sockets. An uplink port of the network's switch.
class NatState final : private net::nat::NatEdge, private net::dns::StubHost {
 public:
  static inline const char* name = "capsa.nat";
  using Self = protocol::NatUnit::base*;

  NatState(Self self, loop::EpollLoop& loop, NatPlan plan, protocol::SwitchUnit to);
  ~NatState() override;

  protocol::NatUnit::behavior_type make_behavior();
  void on_exit();

 private:
  struct Forward {
    PortForward spec;  ///< with the port that it got
    net::nat::ForwardId id = 0;
  };

  // -- net::nat::NatEdge
  void watch(int fd, std::uint32_t events) override;
  void unwatch(int fd) override;
  void refused(const net::Frame& frame, const net::Packet& packet,
               net::nat::Verdict verdict) override;

  // -- net::dns::StubHost
  bool judge(const net::dns::Client& client, std::string_view name) override;
  void resolved(const net::dns::Client& client, const net::dns::Resolved& what) override;
  void private_answer(const net::dns::Client& client, std::string_view name,
                      const std::vector<IpAddress>& addresses) override;
  void reply(const net::dns::Client& client, std::span<const std::byte> message) override;
  void ask(const net::dns::UpstreamQuery& query) override;
  void forget(std::uint64_t key) override { sockets_.forget(key); }

  result<void> open();
  void receive(net::FrameBatch batch);
  void emit(std::span<const std::byte> frame);
  void step_soon();
  void step();
  void flush();
  void rearm_timer();
  void refresh_host();
  result<void> enroll(const Station& station);
  void dismiss(protocol::WireId wire);
  void abort_flow(const net::FrameBytes& bytes);
  void refuse_all(net::FrameBatch batch);
  Station* station_of(const net::MacAddress& mac);
  Station* station_of(protocol::WireId wire);
  void tell_guard(const Station& station);
  result<Forward> open_forward(const Station& station, const PortForward& spec);
  result<PortForward> add_forward(protocol::WireId wire, const PortForward& spec);
  result<void> remove_forward(protocol::WireId wire, const PortForward& spec);

  Self self_;
  loop::EpollLoop& loop_;
  NatPlan plan_;
  protocol::SwitchUnit switch_;
  Wire wire_;
  std::optional<capsa::error> failure_;
  std::shared_ptr<net::FramePool> pool_ = net::FramePool::create();
  DnsSockets sockets_;
  std::optional<net::dhcp::Server> dhcp_;
  std::optional<net::dns::DnsStub> dns_;
  std::optional<net::neighbor::Gateway> gateway_;
  std::map<int, std::uint32_t> watched_;
  std::unique_ptr<net::nat::Nat> nat_;
  std::map<protocol::WireId, std::vector<Forward>> forwards_;
  net::FrameBatch outgoing_;  // there was no credit for it
  std::chrono::steady_clock::time_point host_refreshed_{};
  bool stepping_ = false;  // step() is posted
  std::optional<Loop::TimerId> timer_;
  std::chrono::steady_clock::time_point timer_at_{};
  // Expires with this: what is called back late finds nobody.
  std::shared_ptr<NatState*> alive_ = std::make_shared<NatState*>(this);
};

}  // namespace capsa::network
