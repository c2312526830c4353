#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <backends/vhost_user/session.hpp>
#include <cstdlib>
#include <tests/support/echo_device.hpp>
#include <tests/support/fuzz_input.hpp>
#include <tests/support/guest_file.hpp>

using namespace capsa;
using test::FuzzInput;

namespace {

constexpr std::uint64_t kMemory = 64 * 1024;

int guest_file() {
  static const UniqueFd file = test::make_guest_file(kMemory);
  return file.get();
}

class Host final : public vhost_user::SessionHost {
 public:
  void send(std::span<const std::byte> bytes) override {
    if (failed_ || bytes.size() < sizeof(vhost_user::Header)) std::abort();
  }
  void watch_kick(virtio::QueueIndex queue, int fd) override {
    if (::fcntl(fd, F_GETFD) < 0 || !kicks_.emplace(queue, fd).second) std::abort();
  }
  void unwatch_kick(virtio::QueueIndex queue) override {
    const auto kick = kicks_.find(queue);
    if (kick == kicks_.end() || ::fcntl(kick->second, F_GETFD) < 0) std::abort();
    kicks_.erase(kick);
  }
  void want_input(bool) override {}
  void failed(error) override {
    if (std::exchange(failed_, true)) std::abort();
  }

  std::map<virtio::QueueIndex, int> kicks_;
  bool failed_ = false;
};

std::vector<UniqueFd> descriptors(std::size_t count, unsigned kind) {
  std::vector<UniqueFd> fds;
  while (fds.size() < count) {
    switch (kind) {
      case 0:
        fds.emplace_back(::fcntl(guest_file(), F_DUPFD_CLOEXEC, 0));
        break;
      case 1:
        fds.emplace_back(::eventfd(0, EFD_CLOEXEC));
        break;
      case 2:
        // One that could be cut off under the mapping.
        fds.emplace_back(::memfd_create("fuzz", MFD_CLOEXEC));
        if (::ftruncate(fds.back().get(), kMemory) != 0) std::abort();
        break;
      default:
        fds.emplace_back(::open("/dev/null", O_RDWR | O_CLOEXEC));
        break;
    }
  }
  return fds;
}

void feed_message(vhost_user::Session& session, FuzzInput& input) {
  vhost_user::Header header;
  header.request = input.take<std::uint8_t>() % 48;
  const auto shape = input.take<std::uint8_t>();
  header.flags = vhost_user::kVersion | ((shape & 1) != 0 ? vhost_user::kFlagNeedReply : 0);
  const auto payload = input.bytes(input.take<std::uint16_t>() % 512);
  header.size = static_cast<std::uint32_t>(payload.size());
  session.feed(std::as_bytes(std::span(&header, 1)),
               descriptors((shape >> 1) & 7, (shape >> 4) & 3));
  session.feed(payload);
}

}  // namespace

/// A front-end and a guest that do what they like: messages with and without descriptors, raw
/// bytes, kicks, writes to guest memory, and a device that takes its time to come to rest.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  FuzzInput input(data, size);
  static void* const memory =
      ::mmap(nullptr, kMemory, PROT_READ | PROT_WRITE, MAP_SHARED, guest_file(), 0);
  std::memset(memory, 0, kMemory);
  Host host;
  test::EchoDevice device;
  auto session = std::make_unique<vhost_user::Session>(device, host);
  while (!input.empty() && session) {
    switch (input.take<std::uint8_t>() % 8) {
      case 0:
      case 1:
        feed_message(*session, input);
        break;
      case 2: {
        const auto bytes = input.bytes(input.take<std::uint8_t>());
        session->feed(bytes);
        break;
      }
      case 3:
        session->kicked(input.take<std::uint8_t>() % 4);
        break;
      case 4: {
        const auto offset = input.take<std::uint16_t>() & 0xfffe;
        const auto value = input.take<std::uint16_t>();
        std::memcpy(static_cast<std::byte*>(memory) + offset, &value, sizeof value);
        break;
      }
      case 5:
        device.slow = !device.slow;
        break;
      case 6:
        if (device.pending_rest) device.finish_rest();
        break;
      case 7: {
        bool closed = false;
        session->close([&closed] { closed = true; });
        while (device.pending_rest)
          device.finish_rest();
        if (!closed || !host.kicks_.empty() || device.active) std::abort();
        session.reset();
        break;
      }
    }
  }
  session.reset();
  if (!host.kicks_.empty()) std::abort();
  while (device.pending_rest)
    device.finish_rest();
  if (device.activations != 0 && device.resets == 0) std::abort();
  return 0;
}
