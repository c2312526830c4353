#include <actors/network/host_network.hpp>
#include <actors/network/nat.hpp>
#include <algorithm>

namespace capsa::network {

namespace {

bool same(const PortForward& a, const PortForward& b) {
  return a.protocol == b.protocol && a.host_address == b.host_address &&
         a.host_port == b.host_port && (b.guest_port == 0 || a.guest_port == b.guest_port);
}

}  // namespace

result<void> NatState::enroll(const Station& station) {
  if (auto kept = dhcp_->reserve(station.mac, station.address, station.name); !kept.ok())
    return kept;
  if (auto named = dns_->names().add(station.name, {station.address}); !named.ok()) return named;
  for (const auto& spec : station.forwards) {
    auto opened = open_forward(station, spec);
    if (!opened.ok()) return opened.error();
    forwards_[station.wire].push_back(std::move(*opened));
  }
  station.guard->set_host_addresses(host_addresses());
  // What leads out instead ends its flows itself.
  if (plan_.router) return {};
  station.guard->on_abort([weak = std::weak_ptr(alive_)](const net::FrameBytes& frame) {
    if (const auto alive = weak.lock()) (*alive)->abort_flow(frame);
  });
  return {};
}

void NatState::dismiss(protocol::WireId wire) {
  const auto* station = station_of(wire);
  if (station == nullptr) return;
  for (const auto& one : std::exchange(forwards_[wire], {}))
    static_cast<void>(nat_->close_forward(one.id, loop_.now()));
  forwards_.erase(wire);
  nat_->forget(station->mac);
  gateway_->forget(station->mac);
  // Whoever comes back by this name is given the same address by Clusters.
  dhcp_->forget(station->mac);
  dns_->names().remove(station->name);
  std::erase_if(plan_.stations, [wire](const Station& one) { return one.wire == wire; });
  step_soon();
}

Station* NatState::station_of(const net::MacAddress& mac) {
  const auto found = std::find_if(plan_.stations.begin(), plan_.stations.end(),
                                  [&](const Station& one) { return one.mac == mac; });
  return found == plan_.stations.end() ? nullptr : &*found;
}

Station* NatState::station_of(protocol::WireId wire) {
  const auto found = std::find_if(plan_.stations.begin(), plan_.stations.end(),
                                  [&](const Station& one) { return one.wire == wire; });
  return found == plan_.stations.end() ? nullptr : &*found;
}

result<NatState::Forward> NatState::open_forward(const Station& station, const PortForward& spec) {
  // What comes in by a port is answered by the way out.
  if (!plan_.enabled)
    return capsa::error(ErrorCode::InvalidConfig,
                        "port_forwards: " + to_string(spec) +
                            " was given, and this network has no "
                            "NAT",
                        "leave ClusterConfig::nat at true, or reach the guest by vsock");
  net::nat::ForwardSpec wanted;
  wanted.protocol = spec.protocol == Protocol::Udp ? net::nat::ForwardProtocol::Udp
                                                   : net::nat::ForwardProtocol::Tcp;
  wanted.bind_address = spec.host_address;
  wanted.host_port = spec.host_port;
  wanted.guest = station.mac;
  wanted.guest_address = station.address;
  wanted.guest_port = spec.guest_port;
  const auto opened = nat_->open_forward(wanted, loop_.now());
  if (!opened.ok()) return opened.error();
  Forward out{spec, opened->id};
  out.spec.host_port = opened->host_port;
  return out;
}

void NatState::tell_guard(const Station& station) {
  std::vector<net::ForwardedPort> ports;
  for (const auto& one : forwards_[station.wire])
    ports.push_back({one.spec.protocol, one.spec.guest_port});
  station.guard->set_forwards(std::move(ports));
}

result<PortForward> NatState::add_forward(protocol::WireId wire, const PortForward& spec) {
  const auto* station = station_of(wire);
  if (station == nullptr)
    return capsa::error(ErrorCode::NotFound, "the VM has left this network",
                        "ask for VmHandle::network() again");
  if (plan_.router)
    return capsa::error(ErrorCode::UnsupportedFeature,
                        "port forward " + to_string(spec) +
                            ": nobody reaches a guest behind the "
                            "host's own NAT",
                        "use NetworkMode::user_nat()");
  auto opened = open_forward(*station, spec);
  if (!opened.ok()) return opened.error();
  forwards_[wire].push_back(*opened);
  tell_guard(*station);
  step_soon();
  return opened->spec;
}

result<void> NatState::remove_forward(protocol::WireId wire, const PortForward& spec) {
  auto& all = forwards_[wire];
  const auto found = std::find_if(all.begin(), all.end(),
                                  [&](const Forward& one) { return same(one.spec, spec); });
  if (found == all.end())
    return capsa::error(ErrorCode::NotFound, "there is no port forward " + to_string(spec),
                        "VmNetwork::forwards() tells which there are");
  auto closed = nat_->close_forward(found->id, loop_.now());
  all.erase(found);
  if (const auto* station = station_of(wire)) tell_guard(*station);
  step_soon();
  return closed;
}

}  // namespace capsa::network
