#include <actors/network/host_network.hpp>
#include <actors/network/nat.hpp>
#include <actors/protocol/spawn.hpp>
#include <algorithm>

namespace capsa::network {

NatState::NatState(Self self, loop::EpollLoop& loop, NatPlan plan, protocol::SwitchUnit to)
    : self_(self),
      loop_(loop),
      plan_(std::move(plan)),
      switch_(std::move(to)),
      wire_(plan_.wire, caf::actor_cast<protocol::WireEndActor>(switch_)),
      sockets_(
          loop,
          [this](std::uint64_t key, std::span<const std::byte> message) {
            dns_->on_upstream(key, message, loop_.now());
            step_soon();
          },
          [this](std::uint64_t key) {
            dns_->on_upstream_failed(key, loop_.now());
            step_soon();
          }) {
  if (const auto opened = open(); !opened.ok()) {
    failure_ = opened.error();
    return;
  }
  auto port = std::make_shared<protocol::PortSpec>();
  port->name = "gateway";
  port->mac = plan_.gateway.mac;
  port->uplink = true;
  caf::anon_send(switch_, protocol::plug_atom_v, plan_.wire, protocol::PortSpecBox{port},
                 protocol::WireEndActor(protocol::NatUnit(self_)));
  wire_.tell_offloads({.checksum = true, .tso4 = true, .tso6 = true, .ecn = false});
  rearm_timer();
}

NatState::~NatState() = default;

result<void> NatState::open() {
  auto dhcp = net::dhcp::Server::create(plan_.dhcp);
  if (!dhcp.ok()) return dhcp.error();
  dhcp_.emplace(std::move(*dhcp));
  auto names = net::dns::LocalNames::create("");
  if (!names.ok()) return names.error();
  net::dns::StubOptions options;
  options.upstreams = plan_.resolvers.size();
  dns_.emplace(static_cast<net::dns::StubHost&>(*this), std::move(*names), std::move(options));
  gateway_.emplace(plan_.gateway, &*dhcp_, &*dns_);
  auto nat = net::nat::Nat::create(plan_.nat, *this);
  if (!nat.ok()) return nat.error();
  nat_ = std::move(*nat);
  nat_->sanitizer().set_allow_hook([this](const net::Packet& packet) {
    const auto* station = station_of(packet.source_mac);
    return station != nullptr && station->guard->names_address(packet.to);
  });
  refresh_host();
  for (const auto& station : plan_.stations)
    if (auto enrolled = enroll(station); !enrolled.ok()) return enrolled;
  return {};
}

void NatState::abort_flow(const net::FrameBytes& bytes) {
  // To another member it would go by the switch: its own flow times out.
  const auto parsed = net::parse(bytes);
  const auto* packet = std::get_if<net::Packet>(&parsed);
  if (packet == nullptr || packet->destination_mac != plan_.gateway.mac) return;
  auto batch = pool_->batch();
  batch.push(pool_->make(bytes));
  nat_->input(std::move(batch), loop_.now());
  step_soon();
}

void NatState::refuse_all(net::FrameBatch batch) {
  for (const auto& frame : batch) {
    const auto parsed = net::parse(frame.bytes());
    const auto* packet = std::get_if<net::Packet>(&parsed);
    if (packet == nullptr || !packet->is_ip()) continue;
    if (const auto answer = net::refusal_for(frame.bytes(), *packet)) emit(*answer);
  }
}

void NatState::refresh_host() {
  host_refreshed_ = loop_.now();
  const auto addresses = host_addresses();
  nat_->sanitizer().set_host_addresses(addresses);
  for (const auto& station : plan_.stations)
    station.guard->set_host_addresses(addresses);
}

// -- frames

void NatState::receive(net::FrameBatch batch) {
  const auto now = loop_.now();
  if (now - host_refreshed_ > kHostRefresh) refresh_host();
  auto rest = pool_->batch();
  for (auto& frame : batch) {
    const bool ended = gateway_->on_frame(frame.bytes(), frame.meta(), now,
                                          [this](const net::FrameBytes& reply) { emit(reply); });
    if (!ended) rest.push(std::move(frame));
  }
  if (!plan_.enabled)
    refuse_all(std::move(rest));
  else if (!rest.empty())
    nat_->input(std::move(rest), now);
  step();
}

void NatState::emit(std::span<const std::byte> bytes) {
  outgoing_.push(pool_->make(bytes));
}

void NatState::step_soon() {
  if (std::exchange(stepping_, true)) return;
  loop_.post([weak = std::weak_ptr(alive_)] {
    const auto alive = weak.lock();
    if (!alive) return;
    (*alive)->stepping_ = false;
    if ((*alive)->nat_) (*alive)->step();
  });
}

void NatState::step() {
  const auto now = loop_.now();
  if (const auto due = gateway_->next_deadline(); due && *due <= now)
    gateway_->on_deadline(now, [this](const net::FrameBytes& frame) { emit(frame); });
  if (const auto due = dns_->next_deadline(); due && *due <= now) dns_->on_deadline(now);
  nat_->step(now);
  flush();
  rearm_timer();
}

void NatState::flush() {
  while (true) {
    if (!outgoing_.empty()) {
      wire_.send(outgoing_);
      if (!outgoing_.empty()) return;
    }
    if (wire_.credit() == 0) return;
    outgoing_ = nat_->take_frames();
    if (outgoing_.empty()) return;
  }
}

void NatState::rearm_timer() {
  std::optional<std::chrono::steady_clock::time_point> next = nat_->next_deadline();
  for (const auto& other : {gateway_->next_deadline(), dns_->next_deadline()})
    if (other && (!next || *other < *next)) next = other;
  if (timer_ && next && *next == timer_at_) return;
  if (timer_) loop_.cancel(*timer_);
  timer_.reset();
  if (!next) return;
  timer_at_ = *next;
  const auto delay = std::max(*next - loop_.now(), std::chrono::nanoseconds(0));
  timer_ = loop_.call_after(delay, [this] {
    timer_.reset();
    step();
  });
}

// -- net::nat::NatEdge

void NatState::watch(int fd, std::uint32_t events) {
  if (!watched_.contains(fd))
    loop_.watch(fd, events, [this, fd](std::uint32_t ready) {
      nat_->ready(fd, ready);
      step_soon();
    });
  else
    loop_.rearm(fd, events);
  watched_[fd] = events;
}

void NatState::unwatch(int fd) {
  watched_.erase(fd);
  loop_.unwatch(fd);
}

void NatState::refused(const net::Frame& frame, const net::Packet& packet,
                       net::nat::Verdict verdict) {
  if (!net::nat::is_answered(verdict)) return;
  const auto* station = station_of(packet.source_mac);
  if (station != nullptr) station->guard->refused(packet, net::nat::to_string(verdict));
  if (const auto answer = net::refusal_for(frame.bytes(), packet)) emit(*answer);
}

// -- net::dns::StubHost

bool NatState::judge(const net::dns::Client& client, std::string_view asked) {
  const auto* station = station_of(net::neighbor::Gateway::mac_of(client.owner));
  return station != nullptr && station->guard->may_ask(asked, client.address, loop_.now());
}

void NatState::resolved(const net::dns::Client& client, const net::dns::Resolved& what) {
  const auto* station = station_of(net::neighbor::Gateway::mac_of(client.owner));
  if (station != nullptr) station->guard->pin(what, loop_.now());
}

void NatState::private_answer(const net::dns::Client& client, std::string_view asked,
                              const std::vector<IpAddress>& addresses) {
  const auto* station = station_of(net::neighbor::Gateway::mac_of(client.owner));
  if (station != nullptr) station->guard->rebound(asked, addresses);
}

void NatState::reply(const net::dns::Client& client, std::span<const std::byte> message) {
  gateway_->dns_reply(client, message, loop_.now(),
                      [this](const net::FrameBytes& frame) { emit(frame); });
}

void NatState::ask(const net::dns::UpstreamQuery& query) {
  sockets_.ask(query, plan_.resolvers[query.server % plan_.resolvers.size()]);
}

void NatState::on_exit() {
  if (timer_) loop_.cancel(*timer_);
  caf::anon_send(switch_, protocol::unplug_atom_v, wire_.id());
  alive_.reset();
  // Its sockets are unwatched by this, which is still there.
  nat_.reset();
}

protocol::NatUnit::behavior_type NatState::make_behavior() {
  using namespace protocol;
  using namespace actors;
  return {
      // -- public
      [this](forwards_atom, WireId wire) {
        std::vector<PortForward> out;
        for (const auto& one : forwards_[wire])
          out.push_back(one.spec);
        return out;
      },
      [this](forward_atom, WireId wire, const PortForward& spec) -> caf::result<PortForward> {
        if (!nat_) return to_caf(*failure_);
        auto opened = add_forward(wire, spec);
        if (!opened.ok()) return to_caf(opened.error());
        return *opened;
      },
      [this](remove_atom, WireId wire, const PortForward& spec) -> caf::result<void> {
        if (!nat_) return to_caf(*failure_);
        if (const auto removed = remove_forward(wire, spec); !removed.ok())
          return to_caf(removed.error());
        return caf::unit;
      },
      // -- its wire
      [this](frames_atom, WireId, const FrameBox& box) {
        wire_.handled(box.batch->size());
        if (nat_) receive(std::move(*box.batch));
      },
      [this](grant_atom, WireId, std::uint32_t frames) {
        wire_.granted(frames);
        if (nat_) flush();
      },
      [this](offloads_atom, WireId, const OffloadsBox& theirs) {
        wire_.set_offloads(theirs.value);
      },
      [this](enroll_atom, const StationBox& box) -> caf::result<void> {
        if (!nat_) return to_caf(*failure_);
        const auto& station = *box.value;
        plan_.stations.push_back(station);
        if (const auto enrolled = enroll(station); !enrolled.ok()) {
          dismiss(station.wire);
          return to_caf(enrolled.error());
        }
        step_soon();
        return caf::unit;
      },
      [this](dismiss_atom, WireId wire) {
        if (nat_) dismiss(wire);
      },
      // -- its VM
      [this](ready_atom) -> caf::result<void> {
        if (failure_) return to_caf(*failure_);
        return caf::unit;
      },
  };
}

}  // namespace capsa::network
