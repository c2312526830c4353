// A hostile guest at the registers of a transport: any register and any byte of configuration in
// any width at any moment, rings anywhere, memory that changes between any two steps, kicks, and a
// host that closes amid it all. The first byte chooses the device behind it.
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <backends/virtio/mmio/transport.hpp>
#include <backends/virtio/vsock/device.hpp>
#include <cstdlib>
#include <exception>
#include <map>
#include <tests/support/echo_device.hpp>
#include <tests/support/fuzz_input.hpp>
#include <tests/support/mmio_driver.hpp>

using namespace capsa;                // NOLINT: this is a program
using namespace capsa::virtio::mmio;  // NOLINT

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

/// Does what is posted at once, and the rest when it is told to. So the vCPU, which waits for the
/// loop with the registers' lock held, and the loop are one thread here: the loop never takes that
/// lock.
class InlineLoop final : public Loop {
 public:
  void watch(int fd, std::uint32_t /*events*/, ReadyCallback ready) override {
    require(watches_.emplace(fd, std::move(ready)).second);
  }
  void rearm(int fd, std::uint32_t /*events*/) override { require(watches_.contains(fd)); }
  void unwatch(int fd) override { require(watches_.erase(fd) == 1); }
  TimerId call_after(std::chrono::nanoseconds, Callback) override { std::abort(); }
  void cancel(TimerId) override {}
  void post(Callback callback) override { callback(); }
  std::chrono::steady_clock::time_point now() const override { return {}; }

  /// Everything that is ready once.
  void step() {
    std::vector<int> fds;
    for (const auto& [fd, ready] : watches_)
      fds.push_back(fd);
    for (const int fd : fds) {
      pollfd one{fd, POLLIN, 0};
      const auto found = watches_.find(fd);
      if (found != watches_.end() && ::poll(&one, 1, 0) == 1) found->second(EPOLLIN);
    }
  }
  std::size_t watches() const { return watches_.size(); }

 private:
  std::map<int, ReadyCallback> watches_;
};

/// Takes every connection, and gives back what comes.
class Mirror final : public vsock::Host {
 public:
  bool accept(vsock::ConnectionKey) override { return true; }
  void connected(vsock::ConnectionKey) override {}
  void data(vsock::ConnectionKey key, std::span<const std::span<const std::byte>> pieces,
            std::size_t total) override {
    for (const auto piece : pieces)
      device->send(key, piece);
    device->consumed(key, total);
  }
  void writable(vsock::ConnectionKey, std::size_t) override {}
  void shutdown(vsock::ConnectionKey, bool, bool) override {}
  void closed(vsock::ConnectionKey, vsock::CloseReason) override {}

  vsock::VsockDevice* device = nullptr;
};

class Guest {
 public:
  Guest(virtio::Device& device, test::FuzzInput input)
      : input_(input),
        identity_(device.identity()),
        transport_(Transport::create(loop_, device)),
        memory_(std::vector<std::uint16_t>(2 * identity_.queue_sizes.size(), 16),
                {.memory_mib = 1}),
        driver_(*transport_) {
    transport_->set_memory(memory_.memory());
  }
  ~Guest() {
    if (!closed_) close();
  }

  void play() {
    while (!input_.empty()) {
      step();
      check();
    }
  }

 private:
  void step() {
    switch (input_.take<std::uint8_t>() % 12) {
      case 0:
        driver_.write(static_cast<Register>(input_.take<std::uint8_t>() & 0xfc),
                      input_.take<std::uint32_t>());
        return;
      case 1:
        driver_.read(static_cast<Register>(input_.take<std::uint8_t>() & 0xfc));
        return;
      case 2: {  // any access
        const auto offset = input_.take<std::uint16_t>() % kWindow;
        const auto size = std::size_t{1} << (input_.take<std::uint8_t>() % 4);
        test::Bytes bytes(size);
        const auto given = input_.bytes(size);
        std::copy(given.begin(), given.end(), bytes.begin());
        transport_->write(offset, bytes);
        return;
      }
      case 3: {
        const auto offset = input_.take<std::uint64_t>();
        test::Bytes bytes(std::size_t{1} << (input_.take<std::uint8_t>() % 4));
        transport_->read(offset, bytes);
        return;
      }
      case 4:
        driver_.start(memory_, static_cast<virtio::QueueIndex>(input_.take<std::uint8_t>() %
                                                               (transport_->queues() + 1)));
        return;
      case 5: {  // one step of it, with a queue that lies where it likes
        test::FakeDriver::Ring ring{input_.take<std::uint16_t>(), input_.take<std::uint64_t>(),
                                    input_.take<std::uint32_t>(), input_.take<std::uint32_t>()};
        driver_.set_queue(input_.take<std::uint8_t>() % 4, ring);
        return;
      }
      case 6:
        driver_.add_status(input_.take<std::uint8_t>());
        return;
      case 7: {  // what lies in memory
        const auto queue = ring_index();
        const auto& ring = memory_.ring(queue);
        const auto at = ring.descriptors + input_.take<std::uint16_t>() % 0x800;
        memory_.memory()->write(at, input_.bytes(16));
        return;
      }
      case 8: {  // a well-formed chain, or an empty buffer
        const auto queue = ring_index();
        const auto bytes = input_.bytes(input_.take<std::uint8_t>());
        if (memory_.free_descriptors(queue) >= 2)
          memory_.send(
              queue, std::vector<test::Bytes>(bytes.empty() ? 0 : 1, {bytes.begin(), bytes.end()}),
              {64});
        return;
      }
      case 9: {
        const std::uint64_t one = 1;
        const auto queue = input_.take<std::uint8_t>() % transport_->queues();
        require(::write(transport_->kick_fd(static_cast<virtio::QueueIndex>(queue)), &one,
                        sizeof one) == sizeof one);
        return;
      }
      case 10:
        loop_.step();
        return;
      default:
        // Rarely, as little happens afterwards.
        if (input_.take<std::uint8_t>() < 8 && !closed_)
          close();
        else
          driver_.write(Register::Status, 0);
        return;
    }
  }

  void close() {
    transport_->close([this] { closed_ = true; });
    require(closed_);  // neither of the devices is slow
  }

  void check() {
    require(driver_.read(Register::Magic) == kMagic);
    const auto status = driver_.status();
    require(status <= 0xff);  // 8 bits are defined or reserved
    require((status & kStatusDriverOk) == 0 || (status & kStatusFeaturesOk) != 0);
    // A device is watched for while it runs, and only then.
    const bool runs = (status & (kStatusDriverOk | kStatusNeedsReset)) == kStatusDriverOk;
    if (closed_)
      require(loop_.watches() == 0);
    else
      require(runs == (loop_.watches() > 0));
    test::Bytes beyond(8, std::byte{0xee});
    transport_->read(kConfigOffset + identity_.config_size, beyond);
    require(beyond == test::Bytes(8, std::byte{0}));
  }

  virtio::QueueIndex ring_index() {
    return static_cast<virtio::QueueIndex>(input_.take<std::uint8_t>() %
                                           (2 * identity_.queue_sizes.size()));
  }

  static constexpr std::uint64_t kWindow = 0x1000;

  test::FuzzInput input_;
  const virtio::DeviceIdentity identity_;
  InlineLoop loop_;
  std::shared_ptr<Transport> transport_;
  test::FakeDriver memory_;
  test::MmioDriver driver_;
  bool closed_ = false;
};

void play(virtio::Device& device, const test::FuzzInput& input) {
  Guest guest(device, input);
  try {
    guest.play();
  } catch (const std::exception&) {
    // The fake driver refuses what it cannot do itself: no descriptors, no memory.
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  test::FuzzInput input(data, size);
  if (input.take<std::uint8_t>() % 2 == 0) {
    test::EchoDevice echo;
    play(echo, input);
  } else {
    Mirror mirror;
    vsock::VsockDevice device(3, mirror, {});
    mirror.device = &device;
    play(device, input);
  }
  return 0;
}
