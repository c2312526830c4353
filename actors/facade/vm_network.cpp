#include <fcntl.h>

#include <actors/facade/impl.hpp>
#include <actors/values/validate.hpp>
#include <capsa/vm_network.hpp>

namespace capsa {

using namespace actors;
using detail::kPatience;

/// Behind VmNetwork.
class detail::NetworkImpl {
 public:
  std::shared_ptr<VmImpl> vm;
  std::shared_ptr<Target> net_switch;
  std::shared_ptr<Target> nat;
  SwitchPort port = 0;
};

future<VmNetwork> VmHandle::network() const {
  return detail::ask_map<VmNetwork, VmNetworkActors>(
      impl_->target(), impl_->limit(kPatience),
      [vm = impl_](const VmNetworkActors& actors) {
        return VmNetwork(std::make_shared<detail::NetworkImpl>(detail::NetworkImpl{
            vm, vm->target_of(actors.net_switch), vm->target_of(actors.nat), actors.port}));
      },
      network_atom_v);
}

future<NetworkStats> VmNetwork::stats() const {
  return impl_->net_switch->ask<NetworkStats>(impl_->vm->limit(kPatience), stats_atom_v,
                                              impl_->port);
}

future<void> VmNetwork::set_policy(NetworkPolicy policy) const {
  return impl_->net_switch->ask<void>(impl_->vm->limit(kPatience), policy_atom_v, impl_->port,
                                      std::move(policy));
}

future<std::vector<PortForward>> VmNetwork::forwards() const {
  return impl_->nat->ask<std::vector<PortForward>>(impl_->vm->limit(kPatience), forwards_atom_v,
                                                   impl_->port);
}

future<PortForward> VmNetwork::add_forward(PortForward forward) const {
  if (const auto valid = validate(forward); !valid.ok())
    return future<PortForward>::ready(valid.error());
  return impl_->nat->ask<PortForward>(impl_->vm->limit(kPatience), forward_atom_v, impl_->port,
                                      std::move(forward));
}

future<void> VmNetwork::remove_forward(PortForward forward) const {
  return impl_->nat->ask<void>(impl_->vm->limit(kPatience), remove_atom_v, impl_->port,
                               std::move(forward));
}

namespace {

/// In the caller's thread: this may wait for a disk, or a reader of a pipe.
result<FdBox> open_new(const std::filesystem::path& file, const std::string& doing) {
  UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd) return error_from_errno(errno, doing + " " + file.string());
  return FdBox(std::move(fd));
}

}  // namespace

future<void> VmNetwork::capture(const std::filesystem::path& file) const {
  auto opened = open_new(file, "capture into");
  if (!opened.ok()) return future<void>::ready(opened.error());
  return impl_->net_switch->ask<void>(impl_->vm->limit(kPatience), capture_atom_v, impl_->port,
                                      std::move(*opened));
}

future<void> VmNetwork::stop_capture() const {
  return impl_->net_switch->ask<void>(impl_->vm->limit(kPatience), capture_atom_v, impl_->port,
                                      FdBox());
}

future<void> VmNetwork::log_flows(const std::filesystem::path& file) const {
  auto opened = open_new(file, "log flows into");
  if (!opened.ok()) return future<void>::ready(opened.error());
  return impl_->net_switch->ask<void>(impl_->vm->limit(kPatience), flows_atom_v, impl_->port,
                                      std::move(*opened));
}

future<void> VmNetwork::stop_flow_log() const {
  return impl_->net_switch->ask<void>(impl_->vm->limit(kPatience), flows_atom_v, impl_->port,
                                      FdBox());
}

future<void> VmNetwork::set_link(bool up) const {
  return impl_->net_switch->ask<void>(impl_->vm->limit(kPatience), link_atom_v, impl_->port, up);
}

}  // namespace capsa
