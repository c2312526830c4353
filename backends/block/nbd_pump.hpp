#pragma once

#include <backends/block/libnbd.hpp>
#include <capsa/loop.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace capsa::block {

struct NbdClose {
  void operator()(nbd_handle* handle) const noexcept { libnbd().close(handle); }
};
using NbdHandle = std::unique_ptr<nbd_handle, NbdClose>;

/// Drives the state machine of a libnbd handle by the readiness of its socket.
class NbdPump {
 public:
  /// `moved` is called after each step of the machine; it may destroy the pump. `handle` outlives
  /// it.
  NbdPump(Loop& loop, nbd_handle* handle, std::function<void()> moved);
  NbdPump(const NbdPump&) = delete;
  NbdPump& operator=(const NbdPump&) = delete;
  ~NbdPump();

  /// Waits for what the machine waits for. After every call that may have moved it.
  void update();
  bool dead() const;
  bool ready() const { return libnbd().aio_is_ready(handle_) > 0; }
  /// What libnbd said when a step failed.
  const std::string& failure() const noexcept { return failure_; }

 private:
  void unwatch();
  void step(std::uint32_t events);

  Loop& loop_;
  nbd_handle* handle_;
  std::function<void()> moved_;
  int watched_ = -1;
  std::uint32_t events_ = 0;
  bool connected_ = false;
  std::string failure_;
};

}  // namespace capsa::block
