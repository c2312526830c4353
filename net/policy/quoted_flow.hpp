#pragma once

#include <net/policy/flow_table.hpp>
#include <optional>

namespace capsa::net {

/// The packet that an ICMP error is about (RFC 792; RFC 4443, 3), as a flow of the VM. Nothing for
/// what is no such error, or quotes too little.
///
/// `by_vm`: the VM sends the error, about a packet that it got; else it gets one, about a packet
/// that it sent.
std::optional<FlowKey> quoted_flow(std::span<const std::byte> frame, const Packet& packet,
                                   bool by_vm) noexcept;

}  // namespace capsa::net
