#include <actors/facade/impl.hpp>
#include <actors/network/clusters.hpp>
#include <actors/values/validate.hpp>
#include <capsa/runtime.hpp>

namespace capsa {

namespace {

using namespace actors;
using detail::kPatience;
using facade::Target;

/// Asks the switch about one member's port; `xs` come behind the port.
template <class T, class Atom, class... Ts>
future<T> ask_port(const std::shared_ptr<detail::RuntimeImpl>& runtime, const std::string& cluster,
                   const std::string& member, Atom atom, Ts... xs) {
  const auto services = runtime->services();
  if (!services)
    return future<T>::ready(capsa::error(ErrorCode::RuntimeShutdown, "the runtime was shut down"));
  for (const auto& one : services->clusters().members(cluster)) {
    if (one.shown.name != member) continue;
    const auto net_switch = services->clusters().switch_of(cluster);
    const auto target = Target::make(
        services->system, caf::actor_cast<caf::strong_actor_ptr>(net_switch), runtime->post());
    return target->template ask<T>(std::chrono::nanoseconds(kPatience), atom, SwitchPort{one.wire},
                                   std::move(xs)...);
  }
  return future<T>::ready(capsa::error(
      ErrorCode::NotFound, "cluster \"" + cluster + "\" has no member \"" + member + "\"",
      "Cluster::members() tells who is there"));
}

}  // namespace

Cluster Runtime::cluster(std::string name, const ClusterConfig& config) const {
  if (const auto valid = validate(name, config); !valid.ok()) throw valid.error();
  const auto services = impl_->services();
  if (!services) throw capsa::error(ErrorCode::RuntimeShutdown, "the runtime was shut down");
  if (const auto made = services->clusters().configure(name, config); !made.ok())
    throw made.error();
  return Cluster(impl_, std::move(name));
}

Cluster Runtime::cluster(std::string name) const {
  const auto services = impl_->services();
  if (services && services->clusters().switch_of(name)) return Cluster(impl_, std::move(name));
  return cluster(std::move(name), ClusterConfig{});
}

std::vector<ClusterMember> Cluster::members() const {
  std::vector<ClusterMember> out;
  if (const auto services = runtime_->services())
    for (auto& one : services->clusters().members(name_))
      out.push_back(std::move(one.shown));
  return out;
}

future<void> Cluster::set_link(const std::string& member, bool up) const {
  return ask_port<void>(runtime_, name_, member, link_atom_v, up);
}

future<void> Cluster::set_policy(const std::string& member, NetworkPolicy policy) const {
  return ask_port<void>(runtime_, name_, member, policy_atom_v, std::move(policy));
}

future<NetworkStats> Cluster::stats(const std::string& member) const {
  return ask_port<NetworkStats>(runtime_, name_, member, stats_atom_v);
}

}  // namespace capsa
