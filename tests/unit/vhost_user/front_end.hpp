#pragma once

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <backends/vhost_user/session.hpp>
#include <string_view>
#include <tests/support/echo_device.hpp>

namespace capsa::test {

using vhost_user::Request;

inline UniqueFd make_eventfd() {
  return UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
}

inline UniqueFd duplicate(int fd) {
  return UniqueFd(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
}

template <class T>
Bytes bytes_of(const T& value) {
  const auto bytes = std::as_bytes(std::span(&value, 1));
  return {bytes.begin(), bytes.end()};
}

inline Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

/// A message as the front-end sends it.
inline Bytes message(Request request, const Bytes& payload = {}, bool need_reply = false,
                     std::uint32_t flags = vhost_user::kVersion) {
  const vhost_user::Header header{static_cast<std::uint32_t>(request),
                                  flags | (need_reply ? vhost_user::kFlagNeedReply : 0),
                                  static_cast<std::uint32_t>(payload.size())};
  return bytes_of(header) + payload;
}

inline Bytes vring(std::uint32_t index, std::uint32_t number) {
  return bytes_of(vhost_user::VringState{index, number});
}

/// The payload of SET_MEM_TABLE for the memory of `driver`; its descriptor goes with it.
inline Bytes mem_table(const FakeDriver& driver) {
  return bytes_of(vhost_user::MemTableHeader{1, 0}) +
         bytes_of(vhost_user::MemRegion{driver.options().guest_address, driver.memory()->size(),
                                        driver.options().user_address, 0});
}

inline Bytes vring_addr(const FakeDriver& driver, std::uint32_t index) {
  const auto& ring = driver.ring(static_cast<virtio::QueueIndex>(index));
  return bytes_of(vhost_user::VringAddress{index, 0, driver.user_address(ring.descriptors),
                                           driver.user_address(ring.used),
                                           driver.user_address(ring.available), 0});
}

/// Records what a session asks for.
class RecordingHost final : public vhost_user::SessionHost {
 public:
  void send(std::span<const std::byte> bytes) override {
    sent.insert(sent.end(), bytes.begin(), bytes.end());
  }
  void watch_kick(virtio::QueueIndex queue, int fd) override { kicks[queue] = fd; }
  void unwatch_kick(virtio::QueueIndex queue) override { kicks.erase(queue); }
  void want_input(bool wanted) override { input_wanted = wanted; }
  void failed(error why) override { failure = std::move(why); }

  /// What was sent since the last take.
  Bytes take() { return std::exchange(sent, {}); }

  Bytes sent;
  std::map<virtio::QueueIndex, int> kicks;
  bool input_wanted = true;
  std::optional<error> failure;
};

/// A front-end that talks to the session of a device, with a driver whose memory its messages
/// share.
struct FrontEnd {
  explicit FrontEnd(virtio::Device& device, FakeDriverOptions options = {})
      : driver(device.identity(), options), session(device, host) {}

  void say(Request request, const Bytes& payload = {}, std::vector<UniqueFd> fds = {}) {
    session.feed(message(request, payload), std::move(fds));
  }
  /// What came back for one message: the payload of the reply.
  Bytes ask(Request request, const Bytes& payload = {}, bool need_reply = false) {
    host.take();
    session.feed(message(request, payload, need_reply));
    return payload_of(host.take(), request);
  }
  static Bytes payload_of(const Bytes& reply, Request request) {
    vhost_user::Header header;
    if (reply.size() < sizeof header) return {};
    std::memcpy(&header, reply.data(), sizeof header);
    if (header.request != static_cast<std::uint32_t>(request) || header.flags != 5 ||
        header.size != reply.size() - sizeof header) {
      return {};
    }
    return {reply.begin() + sizeof header, reply.end()};
  }
  std::uint64_t features() const {
    return driver.queue_features() | vhost_user::kFeatureProtocolFeatures;
  }
  void agree(std::uint64_t agreed) { say(Request::SetFeatures, bytes_of(agreed)); }
  void agree() {
    agree(features());
    say(Request::SetProtocolFeatures, bytes_of(vhost_user::kProtocolAlways));
  }
  void give_memory() {
    std::vector<UniqueFd> fds;
    fds.push_back(duplicate(driver.memory_fd()));
    say(Request::SetMemTable, mem_table(driver), std::move(fds));
  }
  void notifier(Request request, std::uint64_t queue, const UniqueFd& fd) {
    std::vector<UniqueFd> fds;
    fds.push_back(duplicate(fd.get()));
    say(request, bytes_of(queue), std::move(fds));
  }
  void ring(std::uint32_t queue) {
    describe(queue, 0);
    notifier(Request::SetVringCall, queue, call);
  }
  void describe(std::uint32_t queue, std::uint32_t base) {
    say(Request::SetVringNum,
        vring(queue, driver.ring(static_cast<virtio::QueueIndex>(queue)).size));
    say(Request::SetVringBase, vring(queue, base));
    say(Request::SetVringAddr, vring_addr(driver, queue));
    notifier(Request::SetVringKick, queue, kick);
  }
  void enable(std::uint32_t queue, bool on = true) {
    say(Request::SetVringEnable, vring(queue, on ? 1 : 0));
  }
  /// The whole of what QEMU says until the device runs.
  void start(std::uint32_t queues = 2) {
    agree();
    give_memory();
    for (std::uint32_t i = 0; i < queues; ++i)
      ring(i);
    for (std::uint32_t i = 0; i < queues; ++i)
      enable(i);
  }
  /// What QEMU says when its machine is paused, and when the guest's driver resets the device.
  /// Gives the indices that it was told.
  std::vector<std::uint32_t> stop(std::uint32_t queues = 2) {
    for (std::uint32_t i = 0; i < queues; ++i)
      enable(i, false);
    std::vector<std::uint32_t> bases;
    for (std::uint32_t i = 0; i < queues; ++i) {
      vhost_user::VringState state;
      const Bytes answer = ask(Request::GetVringBase, vring(i, 0));
      if (answer.size() == sizeof state) std::memcpy(&state, answer.data(), sizeof state);
      bases.push_back(state.number);
    }
    return bases;
  }
  /// What QEMU says when the machine goes on, or when a driver starts the device once more. The
  /// notifiers are new ones. Calls come last: QEMU also sends them first where the transport is
  /// virtio-mmio, but nothing promises that.
  void go_on(const std::vector<std::uint32_t>& bases) {
    kick = make_eventfd();
    call = make_eventfd();
    agree(features());
    give_memory();
    for (std::uint32_t i = 0; i < bases.size(); ++i)
      describe(i, bases[i]);
    for (std::uint32_t i = 0; i < bases.size(); ++i)
      enable(i);
    for (std::uint32_t i = 0; i < bases.size(); ++i)
      notifier(Request::SetVringCall, i, call);
  }
  /// Sends a text through a queue and gives what came back.
  std::string echo(virtio::QueueIndex queue, std::string_view text) {
    driver.send(queue, {to_bytes(text)}, {text.size()});
    session.kicked(queue);
    const auto used = driver.pop_used(queue);
    return used ? std::string(to_text(used->data)) : "nothing";
  }

  FakeDriver driver;
  RecordingHost host;
  UniqueFd kick = make_eventfd();
  UniqueFd call = make_eventfd();
  vhost_user::Session session;
};

struct WithEchoDevice {
  EchoDevice device;
};

/// The same with a device that echoes. It comes first: the session outlives no device.
struct Conversation : WithEchoDevice, FrontEnd {
  explicit Conversation(bool event_idx = true) : FrontEnd(device, {.event_idx = event_idx}) {}
};

inline bool rang(const UniqueFd& fd) {
  std::uint64_t count = 0;
  return ::read(fd.get(), &count, sizeof count) == sizeof count;
}

}  // namespace capsa::test
