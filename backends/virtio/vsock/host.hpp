#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace capsa::vsock {

/// Names a connection on one guest's device.
struct ConnectionKey {
  std::uint32_t host_port = 0;
  std::uint32_t guest_port = 0;
  auto operator<=>(const ConnectionKey&) const =
      default;  // NOLINT(modernize-use-nullptr): clang-tidy 14 misreads it
};

/// Why a connection is no more.
enum class CloseReason : std::uint8_t {
  Refused,     ///< nobody listens on the guest's port
  PeerClosed,  ///< the guest closed both directions; all it sent was delivered
  PeerReset,   ///< the guest reset the connection
  Finished,    ///< our shutdown of both directions, and all data before it, is with the guest
  ProtocolViolation,  ///< the guest broke the protocol and was reset
  DeviceReset,        ///< the guest rebooted, or the transport was reset
};

constexpr std::string_view to_string(CloseReason reason) noexcept {
  switch (reason) {
    case CloseReason::Refused:
      return "refused";
    case CloseReason::PeerClosed:
      return "peer_closed";
    case CloseReason::PeerReset:
      return "peer_reset";
    case CloseReason::Finished:
      return "finished";
    case CloseReason::ProtocolViolation:
      return "protocol_violation";
    case CloseReason::DeviceReset:
      return "device_reset";
  }
  return "device_reset";
}

/// What lies above the device: who listens, and where the bytes go. Called on the device's thread,
/// only from inside VsockDevice::process(), reset(done) and transport_reset(). Every method of the
/// device's host side may be called from inside, for any connection; process(), process_more(),
/// activate(), suspend(), reset(done), transport_reset() and the destructor may not.
class Host {
 public:
  virtual ~Host() = default;

  /// The guest connects to `host_port`. False refuses (the guest sees ECONNRESET). Where true, the
  /// connection exists when this has returned, not before.
  virtual bool accept(ConnectionKey key) = 0;
  /// The guest answered connect().
  virtual void connected(ConnectionKey key) = 0;
  /// `total` bytes in one or more pieces. They lie in guest memory and the guest may change them at
  /// any time: copy them during the call, decide nothing by reading twice. They count against the
  /// connection's receive buffer until VsockDevice::consumed().
  virtual void data(ConnectionKey key, std::span<const std::span<const std::byte>> pieces,
                    std::size_t total) = 0;
  /// After a send() that took less than it was given: `room` bytes are sure to be taken now.
  virtual void writable(ConnectionKey key, std::size_t room) = 0;
  /// The guest will receive or send no more; the flags are the sum so far. All data it sent before
  /// was delivered. With both set there is no shutdown() but closed(PeerClosed).
  virtual void shutdown(ConnectionKey key, bool no_more_receive, bool no_more_send) = 0;
  /// The last call for `key`: the device has forgotten it, and the guest may use it again.
  virtual void closed(ConnectionKey key, CloseReason reason) = 0;

  /// The last call from inside a VsockDevice::process(): what data() gave in it can be handed on
  /// together. `more`: the guest fills its rings as fast as they are emptied and has had its turn.
  /// It was not asked for a kick, so VsockDevice::process_more() must be called, soon, and once all
  /// that shares the thread has had a turn as well.
  virtual void processed(bool more) { static_cast<void>(more); }
};

}  // namespace capsa::vsock
