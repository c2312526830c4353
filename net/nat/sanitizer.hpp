#pragma once

#include <functional>
#include <net/frame_batch.hpp>
#include <net/nat/config.hpp>
#include <net/nat/verdict.hpp>
#include <net/packet/packet.hpp>
#include <unordered_set>
#include <variant>
#include <vector>

namespace capsa::net::nat {

/// What stands in front of libslirp: whole TCP segments, UDP datagrams and echo requests of guests
/// of the virtual network pass, nothing else does. libslirp trusts what it is given, so that all of
/// it is hostile here. It keeps no state of flows. Single-threaded.
class Sanitizer {
 public:
  /// Whether a rule of the policy names this very destination by its address. Asked only about
  /// those that are out of reach without one.
  using AllowHook = std::function<bool(const Packet& packet)>;

  /// `config` outlives this.
  explicit Sanitizer(const NatConfig& config) : config_(config) {}

  void set_allow_hook(AllowHook hook) { allow_ = std::move(hook); }
  /// All addresses of the host's interfaces, in place of those of before. They change while the
  /// host runs: whoever owns this asks again from time to time.
  void set_host_addresses(const std::vector<IpAddress>& addresses);

  /// The frame itself: what it is, and whom it is from. On Verdict::Pass `packet` describes it.
  Verdict check_frame(std::span<const std::byte> frame, Packet& packet) const;
  /// Where it goes to. Not to be asked about what belongs to a flow that exists: a guest answers
  /// through a port forward to addresses that it could not reach by itself.
  Verdict check_destination(const Packet& packet) const;

  /// What is to be done to a frame that passed, with its checksum complete: takes out the urgent
  /// pointer, through which libslirp 4.7 sends the host's heap.
  static void clean(std::span<std::byte> frame, Packet& packet) noexcept;

 private:
  Verdict forbidden(const IpAddress& to) const;
  bool is_gateway(const IpAddress& to) const noexcept;
  bool is_inside(const IpAddress& address) const noexcept;

  const NatConfig& config_;
  AllowHook allow_;
  std::unordered_set<IpAddress> host_;
};

}  // namespace capsa::net::nat
