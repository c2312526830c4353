#include <actors/network/net_switch.hpp>
#include <actors/protocol/spawn.hpp>

namespace capsa::network {

NetSwitchState::NetSwitchState(Self self, loop::EpollLoop& loop) : self_(self), loop_(loop) {
  self_->set_down_handler([this](const caf::down_msg& down) {
    for (auto at = ports_.begin(); at != ports_.end();) {
      const auto wire = at++->first;
      if (find(wire)->egress.wire.peer().address() == down.source) unplug(wire);
    }
  });
}

void NetSwitchState::plug(protocol::WireId wire, const protocol::PortSpec& spec,
                          const protocol::WireEndActor& peer) {
  unplug(wire);
  auto port = std::make_unique<Port>(Port{spec, WireEgress(Wire(wire, peer)), {}, nullptr});
  net::PortOptions options;
  options.locked_mac = spec.mac;
  options.uplink = spec.uplink;
  options.isolated = spec.isolated;
  options.filter = spec.guard.get();
  const auto id = switch_.add_port(port->egress, options);
  // A switch that is full, or two stations of one name: whoever plugs in is told by the end.
  if (!id.ok())
    return protocol::kill_now(caf::actor_cast<caf::strong_actor_ptr>(peer),
                              protocol::to_caf(id.error()));
  port->id = *id;
  port->egress.wire.tell_offloads({.checksum = true, .tso4 = true, .tso6 = true, .ecn = true});
  ports_.emplace(wire, std::move(port));
  self_->monitor(peer);
}

void NetSwitchState::unplug(protocol::WireId wire) {
  const auto found = ports_.find(wire);
  if (found == ports_.end()) return;
  switch_.remove_port(found->second->id);
  stop_flow_log(*found->second);
  ports_.erase(found);
}

NetSwitchState::Port* NetSwitchState::find(protocol::WireId wire) {
  const auto found = ports_.find(wire);
  return found == ports_.end() ? nullptr : found->second.get();
}

caf::error NetSwitchState::no_port() const {
  return protocol::to_caf(
      {ErrorCode::NotFound, "the VM has left this network", "ask for VmHandle::network() again"});
}

caf::result<NetworkStats> NetSwitchState::stats(protocol::WireId wire) {
  const Port* port = find(wire);
  if (port == nullptr) return no_port();
  const auto seen = switch_.stats(port->id).value_or(net::PortStats{});
  NetworkStats out;
  out.sent_frames = seen.frames_in;
  out.sent_bytes = seen.bytes_in;
  out.received_frames = seen.frames_out;
  out.received_bytes = seen.bytes_out;
  out.dropped_frames = seen.dropped();
  if (port->spec.guard) {
    out.denied_flows = port->spec.guard->denied();
    out.flows = port->spec.guard->flows();
  }
  return out;
}

caf::result<void> NetSwitchState::set_policy(protocol::WireId wire, NetworkPolicy policy) {
  const Port* port = find(wire);
  if (port == nullptr) return no_port();
  if (const auto valid = policy.validate(); !valid) return protocol::to_caf(valid.error());
  if (!port->spec.guard)
    return protocol::to_caf({ErrorCode::UnsupportedFeature, "this port has no policy"});
  port->spec.guard->set_policy(std::move(policy));
  return caf::unit;
}

caf::result<void> NetSwitchState::capture(protocol::WireId wire, UniqueFd file) {
  Port* port = find(wire);
  if (port == nullptr) return no_port();
  switch_.set_observer(port->id, nullptr);
  port->capture.reset();
  if (!file) return caf::unit;
  port->capture = std::make_unique<Capture>(loop_, std::move(file), port->spec.name);
  switch_.set_observer(port->id, &port->capture->observer());
  return caf::unit;
}

caf::result<void> NetSwitchState::log_flows(protocol::WireId wire, UniqueFd file) {
  Port* port = find(wire);
  if (port == nullptr) return no_port();
  if (!port->spec.guard)
    return protocol::to_caf({ErrorCode::UnsupportedFeature, "this port knows no flows"});
  stop_flow_log(*port);
  if (!file) return caf::unit;
  port->flows = std::make_unique<FlowFile>(loop_, std::move(file));
  port->spec.guard->on_flow(
      [to = port->flows.get()](const net::FlowBegin& flow) { to->write(flow); });
  return caf::unit;
}

/// The guard outlives its port.
void NetSwitchState::stop_flow_log(Port& port) {
  if (!port.flows) return;
  port.spec.guard->on_flow(nullptr);
  port.flows.reset();
}

void NetSwitchState::on_exit() {
  while (!ports_.empty())
    unplug(ports_.begin()->first);
}

protocol::SwitchUnit::behavior_type NetSwitchState::make_behavior() {
  using namespace protocol;
  using namespace actors;
  return {
      // -- public
      [this](stats_atom, WireId wire) { return stats(wire); },
      [this](policy_atom, WireId wire, NetworkPolicy& policy) {
        return set_policy(wire, std::move(policy));
      },
      [this](link_atom, WireId wire, bool up) -> caf::result<void> {
        const Port* port = find(wire);
        if (port == nullptr) return no_port();
        switch_.set_link(port->id, up);
        return caf::unit;
      },
      [this](capture_atom, WireId wire, const actors::FdBox& file) {
        return capture(wire, file.take());
      },
      [this](flows_atom, WireId wire, const actors::FdBox& file) {
        return log_flows(wire, file.take());
      },
      // -- the wires
      [this](frames_atom, WireId wire, const FrameBox& box) {
        Port* port = find(wire);
        if (port == nullptr) return;
        port->egress.wire.handled(box.batch->size());
        switch_.forward(port->id, std::move(*box.batch), loop_.now());
        for (const auto& [id, one] : ports_) {
          if (one->capture) one->capture->flush();
          if (one->flows) one->flows->flush();
        }
      },
      [this](grant_atom, WireId wire, std::uint32_t frames) {
        if (Port* port = find(wire)) port->egress.wire.granted(frames);
      },
      [this](offloads_atom, WireId wire, const OffloadsBox& theirs) {
        if (Port* port = find(wire)) port->egress.wire.set_offloads(theirs.value);
      },
      // -- units of the network
      [this](plug_atom, WireId wire, const PortSpecBox& spec, const WireEndActor& peer) {
        plug(wire, *spec.value, peer);
      },
      [this](unplug_atom, WireId wire) { unplug(wire); },
  };
}

}  // namespace capsa::network
