#pragma once

#include <algorithm>
#include <backends/virtio/vsock/device.hpp>
#include <deque>
#include <string>
#include <tests/support/fake_driver.hpp>
#include <utility>
#include <vector>

namespace capsa::vsock::test {

using capsa::test::Bytes;
using capsa::test::FakeDriver;
using capsa::test::FakeDriverOptions;
using capsa::test::to_bytes;
using capsa::test::to_text;

inline constexpr std::uint64_t kGuestCid = 77;

/// A Host that writes down what it is told.
class RecordingHost final : public Host {
 public:
  bool accept(ConnectionKey key) override {
    note("accept", key);
    return accepts;
  }
  void connected(ConnectionKey key) override { note("connected", key); }
  void data(ConnectionKey key, std::span<const std::span<const std::byte>> pieces,
            std::size_t total) override {
    Bytes& bytes = received[key];
    const std::size_t before = bytes.size();
    for (const auto piece : pieces)
      bytes.insert(bytes.end(), piece.begin(), piece.end());
    if (bytes.size() - before != total) note("short", key);
    pieces_seen = std::max(pieces_seen, pieces.size());
    if (auto_consume && device != nullptr) device->consumed(key, total);
    if (on_data) on_data(key);
  }
  void writable(ConnectionKey key, std::size_t room) override {
    note("writable " + std::to_string(room), key);
    if (on_writable) on_writable(key, room);
  }
  void shutdown(ConnectionKey key, bool no_more_receive, bool no_more_send) override {
    note(std::string("shutdown ") + (no_more_receive ? "r" : "-") + (no_more_send ? "s" : "-"),
         key);
  }
  void closed(ConnectionKey key, CloseReason reason) override {
    note("closed " + std::string(to_string(reason)), key);
    if (on_closed) on_closed(key);
  }
  void processed(bool now) override { more = now; }

  /// What was noted since the last call, joined by "; ".
  std::string take() {
    std::string joined;
    for (const auto& event : std::exchange(events, {}))
      joined += (joined.empty() ? "" : "; ") + event;
    return joined;
  }

  VsockDevice* device = nullptr;
  bool accepts = true;
  bool auto_consume = true;
  std::function<void(ConnectionKey)> on_data;
  std::function<void(ConnectionKey, std::size_t)> on_writable;
  std::function<void(ConnectionKey)> on_closed;
  std::vector<std::string> events;
  std::map<ConnectionKey, Bytes> received;
  std::size_t pieces_seen = 0;
  bool more = false;  ///< as the last process() said

 private:
  void note(const std::string& what, ConnectionKey key) {
    events.push_back(what + " " + std::to_string(key.host_port) + ":" +
                     std::to_string(key.guest_port));
  }
};

struct Packet {
  Header header;
  Bytes payload;
};

/// A guest's driver and, on top of it, packets put together by hand.
class FakeGuest {
 public:
  explicit FakeGuest(VsockDevice& device, FakeDriverOptions options = {})
      : driver(device.identity(), options), device_(device) {}

  void boot(std::size_t rx_buffers = 64, std::size_t queues = 3) {
    driver.activate(device_, 0, queues);
    give(rx_buffers);
  }

  /// Provides rx buffers, as Linux does: one of a header and 4 KiB each. Kicks where asked for.
  void give(std::size_t count, std::vector<std::size_t> sizes = {4096 + kHeaderSize}) {
    for (std::size_t i = 0; i < count; ++i)
      driver.add(VsockDevice::kReceiveQueue, {}, sizes);
    if (driver.publish(VsockDevice::kReceiveQueue)) device_.process(VsockDevice::kReceiveQueue);
  }

  static Header header(ConnectionKey key, Op op) {
    Header header;
    header.src_cid = kGuestCid;
    header.dst_cid = kHostCid;
    header.src_port = key.guest_port;
    header.dst_port = key.host_port;
    header.op = op;
    header.buf_alloc = 256 * 1024;
    return header;
  }

  /// Puts a packet into the tx ring and kicks where asked for.
  void send(const Header& header, std::span<const std::byte> payload = {}) {
    const auto raw = encode(header);
    send_raw({Bytes(raw.begin(), raw.end()), Bytes(payload.begin(), payload.end())});
  }
  void send_raw(std::vector<Bytes> pieces) {
    std::erase_if(pieces, [](const Bytes& piece) { return piece.empty(); });
    driver.add(VsockDevice::kTransmitQueue, pieces, {});
    if (driver.publish(VsockDevice::kTransmitQueue)) device_.process(VsockDevice::kTransmitQueue);
    reclaim();
  }
  void send(ConnectionKey key, Op op) { send(header(key, op)); }
  void send_data(ConnectionKey key, std::span<const std::byte> payload, std::uint32_t fwd_cnt = 0) {
    Header packet = header(key, Op::ReadWrite);
    packet.len = static_cast<std::uint32_t>(payload.size());
    packet.fwd_cnt = fwd_cnt;
    send(packet, payload);
  }
  void reclaim() {
    while (driver.pop_used(VsockDevice::kTransmitQueue)) {
    }
  }

  /// What the device wrote, without giving new buffers.
  std::optional<Packet> next() {
    const auto used = driver.pop_used(VsockDevice::kReceiveQueue);
    if (!used) return std::nullopt;
    Packet packet;
    if (used->data.size() >= kHeaderSize) {
      packet.header = decode(std::span<const std::byte>(used->data).first<kHeaderSize>());
      packet.payload.assign(used->data.begin() + kHeaderSize, used->data.end());
    }
    return packet;
  }
  std::vector<Packet> all() {
    std::vector<Packet> packets;
    while (auto packet = next())
      packets.push_back(std::move(*packet));
    return packets;
  }
  /// "RESPONSE 1:2 len=0; …" of everything written since.
  std::string take() {
    static constexpr const char* kNames[] = {"INVALID",  "REQUEST", "RESPONSE", "RST",
                                             "SHUTDOWN", "RW",      "UPDATE",   "CREDIT?"};
    std::string joined;
    for (const auto& packet : all()) {
      const Header& h = packet.header;
      joined += (joined.empty() ? "" : "; ") + std::string(kNames[static_cast<int>(h.op) & 7]) +
                " " + std::to_string(h.src_port) + ":" + std::to_string(h.dst_port);
      if (h.op == Op::ReadWrite) joined += " " + std::to_string(h.len);
      if (h.op == Op::Shutdown) joined += " " + std::to_string(h.flags);
    }
    return joined;
  }

  FakeDriver driver;

 private:
  VsockDevice& device_;
};

/// Device, host and guest, with the guest booted.
struct Bench {
  explicit Bench(VsockLimits limits = {}, std::size_t rx_buffers = 64, std::size_t queues = 3,
                 FakeDriverOptions options = {})
      : device(kGuestCid, host, limits), guest(device, options) {
    host.device = &device;
    guest.boot(rx_buffers, queues);
  }

  /// The guest connects; both sides' notes of it are dropped.
  ConnectionKey open(std::uint32_t host_port = 1024, std::uint32_t guest_port = 5000,
                     std::uint32_t guest_buffer = 256 * 1024) {
    const ConnectionKey key{host_port, guest_port};
    Header request = FakeGuest::header(key, Op::Request);
    request.buf_alloc = guest_buffer;
    guest.send(request);
    guest.all();
    host.take();
    return key;
  }

  RecordingHost host;
  VsockDevice device;
  FakeGuest guest;
};

/// Bytes that tell where they belong.
inline Bytes pattern(std::size_t size, std::uint64_t offset = 0) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) {
    const std::uint64_t at = offset + i;
    bytes[i] = static_cast<std::byte>((at * 0x9e37'79b9'7f4a'7c15ULL) >> 56);
  }
  return bytes;
}

}  // namespace capsa::vsock::test
