#pragma once

#include <actors/network/host_uplink.hpp>
#include <actors/network/network_plan.hpp>

namespace capsa::network {

/// A VM that shall be behind the NAT of the host's kernel.
struct HostNatRequest {
  HostNatConfig config;
  std::string name;                 ///< of the VM
  net::MacAddress mac;              ///< where the configuration has none
  std::filesystem::path directory;  ///< of the VM, private; what is to be removed is recorded there
  qemu::Spawner* spawner = nullptr;
  VmGuard::OnEvent on_event;
};

/// What the parts of its network are made of.
struct HostNatPlan {
  NatPlan nat;
  MemberPlan member;
  HostUplinkPlan uplink;
};

/// Chooses the subnet and makes the interface, which is the host's route to it, so that nobody else
/// chooses the same. PermissionDenied, NotFound and UnsupportedFeature as by
/// net::host_nat::check(), InvalidConfig for a subnet that the host has elsewhere.
result<HostNatPlan> plan_host_nat(NetworkHost& host, HostNatRequest request);

}  // namespace capsa::network
