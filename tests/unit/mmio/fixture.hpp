#pragma once

#include <unistd.h>

#include <atomic>
#include <backends/virtio/mmio/transport.hpp>
#include <boost/test/unit_test.hpp>
#include <tests/support/echo_device.hpp>
#include <tests/support/mmio_driver.hpp>
#include <tests/support/test_loop.hpp>
#include <thread>

namespace capsa::test {

/// An echo device on a loop that the test runs by hand, and a guest with rings for two
/// activations, whose vCPUs are threads of their own: writes may wait for the loop.
struct MmioFixture {
  using Register = virtio::mmio::Register;

  static constexpr virtio::QueueIndex kSecondLife = 3;  ///< the first ring of another activation

  tests::TestLoop loop;
  EchoDevice device;
  std::shared_ptr<virtio::mmio::Transport> transport =
      virtio::mmio::Transport::create(loop, device);
  FakeDriver guest{std::vector<std::uint16_t>(6, 16)};
  MmioDriver driver{*transport};

  MmioFixture() { transport->set_memory(guest.memory()); }
  ~MmioFixture() {
    transport->close([] {});
    if (device.pending_rest) device.finish_rest();
  }

  /// Does `work` on a vCPU, and the loop's part of it meanwhile.
  template <class F>
  void on_vcpu(F work) {
    std::atomic<bool> finished{false};
    std::thread vcpu([&] {
      work();
      finished = true;
      loop.post([] {});
    });
    const bool in_time = loop.run_until([&] { return finished.load(); });
    if (!in_time) transport->abandon();
    vcpu.join();
    BOOST_REQUIRE(in_time);
    loop.run_ready();
  }

  void start(virtio::QueueIndex first_ring = 0) {
    bool runs = false;
    on_vcpu([&] { runs = driver.start(guest, first_ring); });
    BOOST_REQUIRE(runs);
  }

  void write_on_vcpu(Register which, std::uint32_t value) {
    on_vcpu([&] { driver.write(which, value); });
  }

  /// Whether the guest was interrupted since it was asked last.
  bool interrupted() const {
    std::uint64_t count = 0;
    return ::read(transport->interrupt_fd(), &count, sizeof count) > 0;
  }
  /// What KVM does when the guest writes to QueueNotify.
  void kick(virtio::QueueIndex queue) const {
    const std::uint64_t one = 1;
    BOOST_REQUIRE(::write(transport->kick_fd(queue), &one, sizeof one) > 0);
  }
  /// Sends text through a ring, and gives what came back.
  std::string echo(virtio::QueueIndex queue, virtio::QueueIndex ring, std::string_view text) {
    guest.send(ring, {to_bytes(text)}, {text.size()});
    kick(queue);
    loop.run_ready();
    const auto used = guest.pop_used(ring);
    return used ? std::string(to_text(used->data)) : std::string("nothing");
  }
};

}  // namespace capsa::test
