#include <sys/epoll.h>

#include <array>
#include <tests/unit/net/hostile/port.hpp>
#include <tests/unit/net/packet/frame_kit.hpp>

namespace capsa::net::test {
namespace {

const IpAddress kGuest = ip("10.0.2.15");
const IpAddress kGateway = ip("10.0.2.2");
const IpAddress kGateway6 = ip("fd00::2");
const IpNetwork kSubnet = IpNetwork::around(kGateway, 24);
const IpNetwork kPrefix6 = IpNetwork::around(kGateway6, 64);

// A program that has the usual 1024 descriptors gives half of them to guests.
constexpr std::size_t kSockets = 512;

GuardConfig guard_config() {
  GuardConfig out;
  out.identity.mac = kGuestMac;
  out.identity.ipv4 = kGuest;
  out.identity.ipv6_networks = {kPrefix6};
  out.network.gateway = {kGateway, ip("fe80::2"), kGateway6};
  out.policy = NetworkPolicy::allow_all();
  return out;
}

nat::NatConfig nat_config() {
  nat::NatConfig out;
  out.subnet = kSubnet;
  out.gateway = kGateway;
  out.prefix6 = kPrefix6;
  out.gateway6 = kGateway6;
  out.gateway_mac = kGatewayMac;
  out.limits.sockets = kSockets;
  return out;
}

dhcp::ServerOptions dhcp_options() {
  dhcp::ServerOptions out;
  out.server = kGateway;
  out.network = kSubnet;
  out.first = kGuest;
  out.last = ip("10.0.2.254");
  out.router = kGateway;
  out.dns = {kGateway};
  return out;
}

neighbor::GatewayOptions gateway_options() {
  neighbor::GatewayOptions out;
  out.mac = kGatewayMac;
  out.address = kGateway;
  neighbor::RouterFields router;
  router.link_local = ip("fe80::2");
  router.prefix = kPrefix6;
  router.resolvers = {kGateway6};
  out.ipv6 = std::move(router);
  out.ipv6_address = kGateway6;
  return out;
}

}  // namespace

class Port::GuestSide final : public Egress {
 public:
  explicit GuestSide(Port& port) : port_(port) {}
  std::size_t credit() const override { return FrameBatch::kMaxFrames; }
  void send(FrameBatch& batch) override {
    for (const Frame& frame : batch) {
      ++port_.totals_.frames_received;
      port_.totals_.bytes_received += frame.size();
    }
    batch.clear();
  }
  Offloads offloads() const override { return kAllOffloads; }

 private:
  Port& port_;
};

class Port::NetworkSide final : public Egress {
 public:
  explicit NetworkSide(Port& port) : port_(port) {}
  std::size_t credit() const override { return FrameBatch::kMaxFrames; }
  void send(FrameBatch& batch) override { port_.arrived_ = std::move(batch); }
  Offloads offloads() const override { return kAllOffloads; }

 private:
  Port& port_;
};

Port::Port()
    : now_(std::chrono::steady_clock::now()),
      nat_config_(nat_config()),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      guard_(guard_config()),
      dhcp_(dhcp::Server::create(dhcp_options()).value()),
      dns_(*this, dns::LocalNames::create("").value(), {}),
      gateway_(gateway_options(), &dhcp_, &dns_),
      nat_(nat::Nat::create(nat_config_, *this).value()),
      guest_(std::make_unique<GuestSide>(*this)),
      network_(std::make_unique<NetworkSide>(*this)) {
  PortOptions options;
  options.locked_mac = kGuestMac;
  options.isolated = true;
  options.filter = this;
  guest_port_ = switch_.add_port(*guest_, options).value();
  PortOptions uplink;
  uplink.locked_mac = kGatewayMac;
  uplink.uplink = true;
  gateway_port_ = switch_.add_port(*network_, uplink).value();
  dhcp_.reserve(kGuestMac, kGuest, "guest").value();
}

Port::~Port() = default;

// -- the guest's side

void Port::send(std::span<const std::byte> frame) {
  ++totals_.frames_sent;
  totals_.bytes_sent += frame.size();
  auto batch = pool_->batch();
  batch.push(pool_->make(frame));
  switch_.forward(guest_port_, std::move(batch), now_);
  settle();
}

void Port::elapse(std::chrono::milliseconds time) {
  now_ += time;
  guard_.sweep(now_);
  dns_.on_deadline(now_);
  gateway_.on_deadline(now_, [this](const FrameBytes& frame) { give_guest(frame); });
  settle();
}

FilterVerdict Port::on_ingress(Frame& frame, Time now) {
  const auto decision = guard_.on_guest_frame(frame.bytes(), now);
  if (decision.forwards()) return FilterVerdict::Pass;
  if (decision.to_guest.empty()) return FilterVerdict::Drop;
  frame = pool_->make(decision.to_guest);
  return FilterVerdict::Answer;
}

FilterVerdict Port::on_egress(Frame& frame, Time now) {
  const auto decision = guard_.on_frame_to_guest(frame.bytes(), now);
  if (decision.forwards()) return FilterVerdict::Pass;
  if (decision.to_guest.empty()) return FilterVerdict::Drop;
  frame = pool_->make(decision.to_guest);
  return FilterVerdict::Pass;
}

// -- the gateway's side

void Port::give_guest(std::span<const std::byte> frame) {
  auto batch = pool_->batch();
  batch.push(pool_->make(frame));
  switch_.forward(gateway_port_, std::move(batch), now_);
}

void Port::at_gateway(FrameBatch batch) {
  auto rest = pool_->batch();
  for (Frame& frame : batch) {
    const bool ended = gateway_.on_frame(frame.bytes(), frame.meta(), now_,
                                         [this](const FrameBytes& out) { give_guest(out); });
    if (!ended) rest.push(std::move(frame));
  }
  if (!rest.empty()) nat_->input(std::move(rest), now_);
}

/// Handles what has arrived, and what sockets have to say, until nobody says more at once.
void Port::settle() {
  if (!arrived_.empty()) at_gateway(std::exchange(arrived_, {}));
  std::array<epoll_event, 64> events{};
  const int count = ::epoll_wait(epoll_.get(), events.data(), events.size(), 0);
  for (int i = 0; i < count; ++i)
    nat_->ready(events[static_cast<std::size_t>(i)].data.fd,
                events[static_cast<std::size_t>(i)].events);
  nat_->step(now_);
  for (auto out = nat_->take_frames(); !out.empty(); out = nat_->take_frames())
    switch_.forward(gateway_port_, std::move(out), now_);
}

void Port::watch(int fd, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  if (events == 0) return unwatch(fd);
  const bool known = watched_.contains(fd);
  ::epoll_ctl(epoll_.get(), known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
  watched_[fd] = events;
}

void Port::unwatch(int fd) {
  if (watched_.erase(fd) != 0) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

void Port::refused(const Frame& frame, const Packet& packet, nat::Verdict verdict) {
  if (!nat::is_answered(verdict)) return;
  if (const auto answer = refusal_for(frame.bytes(), packet)) give_guest(*answer);
}

bool Port::judge(const dns::Client& client, std::string_view name) {
  return guard_.dns().may_ask(name, client.address, now_).allowed;
}

void Port::reply(const dns::Client& client, std::span<const std::byte> message) {
  gateway_.dns_reply(client, message, now_, [this](const FrameBytes& frame) { give_guest(frame); });
}

// -- what was seen

std::map<std::string, std::uint64_t> Port::drops() const {
  std::map<std::string, std::uint64_t> out;
  const auto count = [&out](const std::string& what, std::uint64_t number) {
    if (number != 0) out[what] += number;
  };
  const auto port = switch_.stats(guest_port_).value();
  for (const auto& [name, why] : {std::pair{"switch: bad source", FrameDrop::BadSource},
                                  {"switch: spoofed", FrameDrop::Spoofed},
                                  {"switch: reserved", FrameDrop::Reserved},
                                  {"switch: flooding", FrameDrop::Flooding},
                                  {"switch: own station", FrameDrop::OwnStation},
                                  {"switch: isolated", FrameDrop::Isolated},
                                  {"switch: no destination", FrameDrop::NoDestination}})
    count(name, port.dropped(why));
  const auto& seen = guard_.stats();
  for (std::size_t i = 0; i < seen.dropped.size(); ++i)
    count("guard: " + std::string(to_string(static_cast<DropReason>(i))), seen.dropped[i]);
  const auto& verdicts = nat_->verdicts();
  for (std::size_t i = 1; i < verdicts.size(); ++i)
    count("nat: " + std::string(nat::to_string(static_cast<nat::Verdict>(i))), verdicts[i]);
  const auto& gateway = gateway_.stats();
  count("gateway: malformed", gateway.malformed);
  count("gateway: foreign", gateway.foreign);
  count("gateway: dropped", gateway.dropped);
  count("gateway: limited", gateway.limited);
  return out;
}

Port::Totals Port::totals() const {
  Totals out = totals_;
  for (const auto& [what, number] : drops())
    out.dropped += number;
  return out;
}

}  // namespace capsa::net::test
