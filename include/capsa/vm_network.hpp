#pragma once

#include <capsa/future.hpp>
#include <capsa/network.hpp>
#include <filesystem>
#include <memory>
#include <vector>

namespace capsa {

namespace detail {
class NetworkImpl;
}  // namespace detail

/// The network of a running VM, for one boot. Copyable handle; thread-safe. NotRunning or NotFound
/// once the VM has ended.
class VmNetwork {
 public:
  /// Since this boot.
  future<NetworkStats> stats() const;

  /// In place of the policy of before, for connections that are open too: what it denies ends with
  /// its next packet. InvalidConfig where it is not valid.
  future<void> set_policy(NetworkPolicy policy) const;

  /// With the ports that the host gave.
  future<std::vector<PortForward>> forwards() const;
  /// Gives it with its port. ResourceExhausted where the port is in use, PermissionDenied below
  /// 1024 where this process may not; UnsupportedFeature behind NetworkMode::nat().
  future<PortForward> add_forward(PortForward forward) const;
  /// Connections that were made stay. NotFound where there is none like it.
  future<void> remove_forward(PortForward forward) const;

  /// Writes what the guest sends and receives from now on into a new file, as pcapng, which
  /// Wireshark and tcpdump read; in place of a capture of before.
  future<void> capture(const std::filesystem::path& file) const;
  /// Closes the file of capture(); no error where there is none.
  future<void> stop_capture() const;

  /// Writes a line for each connection that begins from now on into a new file, in place of a log
  /// of before: when (UTC), "allow" or "deny", the protocol, from whom, to whom, the name that it
  /// was for or "-", and which rule decided; with tabs between. Lines that a pipe's reader is too
  /// slow for are left out, and counted by the line that follows.
  future<void> log_flows(const std::filesystem::path& file) const;
  /// Closes the file of log_flows(); no error where there is none.
  future<void> stop_flow_log() const;

  /// Pulls the cable, or plugs it in again. The guest's card does not see it: frames are lost.
  future<void> set_link(bool up) const;

  /// Made by VmHandle::network().
  explicit VmNetwork(std::shared_ptr<detail::NetworkImpl> impl) : impl_(std::move(impl)) {}

 private:
  std::shared_ptr<detail::NetworkImpl> impl_;
};

}  // namespace capsa
