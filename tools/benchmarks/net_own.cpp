#include <actors/loop/loop_actor.hpp>
#include <actors/network/net_switch.hpp>
#include <actors/network/network_host.hpp>
#include <actors/network/network_plan.hpp>
#include <actors/protocol/defaults.hpp>
#include <actors/runtime/runtime_impl.hpp>
#include <actors/values/network_addresses.hpp>
#include <tools/benchmarks/net_path.hpp>
#include <tools/benchmarks/net_tap_card.hpp>

namespace capsa::bench {

namespace {

class Own final : public NetPath {
 public:
  Own() {
    const auto addresses = network_addresses(UserNatConfig{});
    if (!addresses.ok()) throw addresses.error();
    network::GatewayRequest gateway;
    gateway.addresses = *addresses;
    gateway.host_loopback = true;
    auto nat = network::plan_gateway(host_, gateway);
    if (!nat.ok()) throw nat.error();
    network::MemberRequest request;
    request.name = "bench";
    request.mac = host_.next_mac();
    request.address = kGuest;
    auto member = network::plan_member(host_, *nat, std::move(request));
    nat->stations.push_back(std::move(member.station));
    auto tap = space_.make_tap(kGuest, member.card.port.mac);
    // By the runtime's own thread, as a VM's.
    runtime_.add_listener("bench", [&] {
      auto& system = host_.system;
      switch_ = loop::spawn_on<protocol::SwitchUnit, network::NetSwitchState>(system, loop_);
      nat_ = loop::spawn_on<protocol::NatUnit, network::NatState>(system, loop_, std::move(*nat),
                                                                  switch_);
      card_ = loop::spawn_on<protocol::WireEndActor, TapCardState>(
          system, loop_, member.card.wire,
          std::make_shared<const protocol::PortSpec>(std::move(member.card.port)), std::move(tap),
          switch_);
      return caf::actor_cast<caf::strong_actor_ptr>(card_);
    });
  }

  ~Own() override {
    protocol::kill_now(card_);
    protocol::kill_now(nat_);
    protocol::kill_now(switch_);
  }

  std::string name() const override { return "capsa"; }
  std::chrono::nanoseconds cpu() const override { return loop_.cpu_time(); }

 private:
  // What comes later ends first: the runtime waits for whoever has its services.
  detail::RuntimeImpl runtime_{RuntimeOptions{}};
  std::shared_ptr<Services> services_ = runtime_.services();
  network::NetworkHost& host_ = services_->network();
  loop::EpollLoop& loop_ = host_.loop;
  protocol::SwitchUnit switch_;
  protocol::NatUnit nat_;
  protocol::WireEndActor card_;
};

}  // namespace

std::unique_ptr<NetPath> own_path() {
  return std::make_unique<Own>();
}

}  // namespace capsa::bench
