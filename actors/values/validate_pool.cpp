#include <actors/values/text.hpp>
#include <actors/values/validate_parts.hpp>
#include <actors/values/validate_pool.hpp>

namespace capsa {
namespace values {
namespace {

using text::quote;

const char* const kOneVm = "; only one VM can have it, and those of a pool are alike";

result<void> validate_disk(const std::string& field, const DiskImage& image) {
  if (image.is_read_only || image.is_overlay) return {};
  return refused(
      field,
      quote(image.path.native()) +
          " may be written to; what one VM of a pool writes another one would see",
      image.is_remote() ? "add read_only()" : "use DiskImage::overlay_of(), or add read_only()");
}

result<void> validate_pool_disks(const VmConfig& config, const PoolMember& member) {
  if (const auto* kernel = std::get_if<LinuxDirectBootConfig>(&member))
    if (kernel->root_disk)
      if (auto ok = validate_disk("root disk", *kernel->root_disk); !ok) return ok;
  if (const auto* uefi = std::get_if<UefiBootConfig>(&member)) {
    if (auto ok = validate_disk("boot disk", uefi->disk); !ok) return ok;
    if (uefi->efi_variable_store)
      return refused("efi_variable_store",
                     quote(uefi->efi_variable_store->native()) + " was given" + kOneVm,
                     "leave it out: each VM then has variables of its own");
  }
  for (std::size_t i = 0; i != config.disks.size(); ++i)
    if (auto ok = validate_disk("disk " + std::to_string(i + 1), config.disks[i]); !ok) return ok;
  return {};
}

result<void> validate_pool_shares(const VmConfig& config) {
  for (std::size_t i = 0; i != config.shares.size(); ++i) {
    const auto& share = config.shares[i];
    if (share.mode == MountMode::ReadOnly) continue;
    return refused("share " + std::to_string(i + 1),
                   quote(share.host_path.native()) +
                       " may be written to; what one VM of a pool writes another one would see",
                   "share it ReadOnly, and fetch what a VM has made by its agent");
  }
  return {};
}

result<void> validate_pool_ports(const VmConfig& config) {
  for (const auto& port : config.vsock_ports) {
    if (port.socket_path.empty()) continue;
    return refused("vsock port " + std::to_string(port.port),
                   "the socket path " + quote(port.socket_path.native()) + " was given" + kOneVm,
                   "leave it out; VsockSocket::path() tells the one that was chosen");
  }
  return {};
}

result<void> validate_forwards(const std::vector<PortForward>& forwards) {
  for (const auto& one : forwards) {
    if (one.host_port == 0) continue;
    return refused("network.port_forwards",
                   "host port " + std::to_string(one.host_port) + " was given" + kOneVm,
                   "give 0; VmNetwork::forwards() tells the one that was chosen");
  }
  return {};
}

result<void> validate_card(const std::string& mac) {
  if (mac.empty()) return {};
  return refused("network.mac", quote(mac) + " was given" + kOneVm,
                 "leave it out: each VM then has one of its own");
}

result<void> validate_pool_network(const NetworkMode& network) {
  if (const auto* nat = network.get_if<UserNatConfig>()) {
    if (auto ok = validate_card(nat->mac); !ok) return ok;
    return validate_forwards(nat->port_forwards);
  }
  if (const auto* cluster = network.get_if<ClusterMembership>()) {
    if (auto ok = validate_card(cluster->mac); !ok) return ok;
    if (cluster->address)
      return refused("network.address", cluster->address->to_string() + " was given" + kOneVm,
                     "leave it out: each VM then has one of the cluster's range");
    return validate_forwards(cluster->port_forwards);
  }
  if (const auto* host = network.get_if<HostNatConfig>()) {
    if (auto ok = validate_card(host->mac); !ok) return ok;
    if (!host->subnet.empty())
      return refused("network.subnet", quote(host->subnet) + " was given" + kOneVm,
                     "leave it out: each VM then has one that is free");
  }
  return {};
}

}  // namespace
}  // namespace values

result<void> validate_pool(const VmConfig& config, const PoolMember& member, std::size_t size) {
  using namespace values;
  if (size < 1 || size > kMaxPoolSize)
    return refused(
        "size",
        std::to_string(size) + " was given; 1 to " + std::to_string(kMaxPoolSize) + " are allowed",
        "call build() with a number in that range");
  if (config.name.size() > kMaxPoolName)
    return refused("name",
                   "it has " + std::to_string(config.name.size()) + " bytes; at most " +
                       std::to_string(kMaxPoolName) +
                       " are allowed, as the VMs of the pool are called by it and a number",
                   "choose a shorter name");
  if (auto ok = validate_pool_disks(config, member); !ok) return ok;
  if (auto ok = validate_pool_shares(config); !ok) return ok;
  if (auto ok = validate_pool_ports(config); !ok) return ok;
  return validate_pool_network(config.network);
}

}  // namespace capsa
