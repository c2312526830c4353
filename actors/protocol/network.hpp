#pragma once

/// \file What the actors of a virtual network say to each other. Frames travel in batches, and each
/// end of a wire bounds with credits what it has not handled yet.

#include <capsa/actors.hpp>
#include <capsa/network.hpp>
#include <functional>
#include <memory>
#include <net/frame_batch.hpp>
#include <net/frame_meta.hpp>
#include <net/packet/mac_address.hpp>

namespace capsa::protocol {

/// Names a wire to a switch: unique in the runtime, chosen by whoever makes the wire.
using WireId = std::uint64_t;

/// A batch on its way: whoever receives the message moves it out.
struct FrameBox {
  std::shared_ptr<net::FrameBatch> batch;
};

/// What one end of a wire takes as it is.
struct OffloadsBox {
  net::Offloads value;
};

}  // namespace capsa::protocol

namespace capsa::network {
struct Station;
class VmGuard;
}  // namespace capsa::network

namespace capsa::protocol {

/// A port that a wire shall have at a switch.
struct PortSpec {
  std::string name;                         ///< for logs and captures
  std::optional<net::MacAddress> mac;       ///< of its one station
  bool uplink = false;                      ///< leads to the gateway
  bool isolated = false;                    ///< reaches uplinks only
  std::shared_ptr<network::VmGuard> guard;  ///< judges what passes; lives on the switch's loop
};
struct PortSpecBox {
  std::shared_ptr<const PortSpec> value;
};
/// A VM that a gateway shall serve.
struct StationBox {
  std::shared_ptr<const network::Station> value;
};

}  // namespace capsa::protocol

CAF_BEGIN_TYPE_ID_BLOCK(capsa_network, caf::first_custom_type_id + 760)

CAF_ADD_TYPE_ID(capsa_network, (capsa::protocol::FrameBox))
CAF_ADD_TYPE_ID(capsa_network, (capsa::protocol::OffloadsBox))
CAF_ADD_TYPE_ID(capsa_network, (capsa::protocol::PortSpecBox))
CAF_ADD_TYPE_ID(capsa_network, (capsa::protocol::StationBox))

CAF_ADD_ATOM(capsa_network, capsa::protocol, plug_atom, "plug")
CAF_ADD_ATOM(capsa_network, capsa::protocol, unplug_atom, "unplug")
CAF_ADD_ATOM(capsa_network, capsa::protocol, enroll_atom, "enroll")
CAF_ADD_ATOM(capsa_network, capsa::protocol, dismiss_atom, "dismiss")
CAF_ADD_ATOM(capsa_network, capsa::protocol, frames_atom, "frames")
CAF_ADD_ATOM(capsa_network, capsa::protocol, grant_atom, "grant")
CAF_ADD_ATOM(capsa_network, capsa::protocol, offloads_atom, "offloads")

CAF_END_TYPE_ID_BLOCK(capsa_network)

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(capsa::protocol::FrameBox)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(capsa::protocol::OffloadsBox)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(capsa::protocol::PortSpecBox)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(capsa::protocol::StationBox)

namespace capsa::protocol {

/// One end of a wire.
using WireEndActor =
    caf::typed_actor<caf::reacts_to<frames_atom, WireId, FrameBox>,
                     /// so many frames have been handled, and as many more may come
                     caf::reacts_to<grant_atom, WireId, std::uint32_t>,
                     caf::reacts_to<offloads_atom, WireId, OffloadsBox>>;

/// A switch as the units of its network see it.
using SwitchUnit = actors::NetSwitchActor::extend_with<WireEndActor>::extend<
    /// adds a port; it goes when the other end of the wire does
    caf::reacts_to<plug_atom, WireId, PortSpecBox, WireEndActor>,
    caf::reacts_to<unplug_atom, WireId>>;

/// A VM's network card.
using NetPortUnit = WireEndActor;

/// The way to the host's kernel.
using UplinkUnit = WireEndActor::extend<
    /// answered when the kernel is a NAT
    caf::reacts_to<actors::ready_atom>>;

/// The gateway of a network, with its services and the NAT.
using NatUnit = actors::NatActor::extend_with<WireEndActor>::extend<
    /// a VM joins, with its forwards open when this is answered; a VM leaves
    caf::reacts_to<enroll_atom, StationBox>, caf::reacts_to<dismiss_atom, WireId>,
    /// answered when its port forwards are open
    caf::reacts_to<actors::ready_atom>>;

}  // namespace capsa::protocol
