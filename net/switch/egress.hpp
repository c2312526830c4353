#pragma once

#include <cstddef>
#include <net/frame_port.hpp>

namespace capsa::net {

/// Where the frames go that a switch has for a port. Called on the switch's thread; blocks nowhere
/// and does not call the switch.
class Egress {
 public:
  virtual ~Egress() = default;
  /// How many frames send() is sure to take now.
  virtual std::size_t credit() const = 0;
  /// Takes frames from the front of `batch`, all of which are accepted by offloads(); at least as
  /// many as credit() said. What stays in `batch` is lost.
  virtual void send(FrameBatch& batch) = 0;
  /// What is taken as it is; may change from one batch to the next, as drivers come and go.
  virtual Offloads offloads() const = 0;
};

/// A FramePort at a switch. Who attaches to it gives what it receives to Switch::forward().
class PortEgress final : public Egress {
 public:
  /// `port` outlives this.
  explicit PortEgress(FramePort& port) noexcept : port_(port) {}
  std::size_t credit() const override { return port_.credit(); }
  void send(FrameBatch& batch) override { port_.send(batch); }
  Offloads offloads() const override { return port_.offloads(); }

 private:
  FramePort& port_;
};

}  // namespace capsa::net
