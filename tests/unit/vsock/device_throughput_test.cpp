#include <backends/virtio/vsock/device.hpp>
#include <boost/test/unit_test.hpp>
#include <random>
#include <tests/unit/vsock/linux_socket.hpp>

namespace capsa::vsock::test {

namespace {

/// Order-sensitive digest of a stream (FNV-1a).
class Digest {
 public:
  void add(std::span<const std::byte> bytes) {
    for (const auto byte : bytes)
      value_ = (value_ ^ std::to_integer<std::uint64_t>(byte)) * 0x100'0000'01b3ULL;
    size_ += bytes.size();
  }
  std::uint64_t size() const { return size_; }
  bool operator==(const Digest&) const = default;

 private:
  std::uint64_t value_ = 0xcbf2'9ce4'8422'2325ULL;
  std::uint64_t size_ = 0;
};

struct Transfer {
  LinuxTraits guest;
  VsockLimits limits;
  std::uint64_t bytes = 0;  ///< each way
  std::size_t largest_write = 0;
  std::size_t rx_buffers = 64;
  std::uint32_t seed = 1;
  bool first_traffic = false;  ///< nothing was learnt from an earlier connection
};

/// Another connection carries a few bytes, as an agent's would before anything else.
void introduce(Bench& bench, LinuxTraits traits) {
  traits.buffer = 256 * 1024;
  const ConnectionKey key{52, 4000};
  LinuxSocket socket(bench.guest, key, traits);
  socket.connect();
  bench.guest.all();
  bench.device.send(key, pattern(20));
  for (const auto& packet : bench.guest.all())
    socket.receive(packet);
  BOOST_TEST(socket.read(20).size() == 20U);
  bench.guest.give(2);
}

/// Sends both ways at once with random sizes and delays. Fails where nothing moves any more.
void run(const Transfer& transfer) {
  Bench bench(transfer.limits, transfer.rx_buffers);
  bench.host.auto_consume = false;
  std::mt19937 random(transfer.seed);
  const auto upto = [&](std::size_t most) { return random() % most + 1; };
  const ConnectionKey key{1024, 5000};
  LinuxSocket socket(bench.guest, key, transfer.guest);

  Digest host_sent;
  Digest host_got;
  Digest guest_sent;
  Digest guest_got;
  std::size_t held = 0;
  bool host_may_send = true;
  bench.host.on_writable = [&](ConnectionKey, std::size_t) { host_may_send = true; };
  bench.host.on_data = [&](ConnectionKey at) {
    Bytes bytes = std::exchange(bench.host.received[at], {});
    host_got.add(bytes);
    held += bytes.size();
  };
  if (!transfer.first_traffic) introduce(bench, transfer.guest);
  socket.connect();

  const Bytes source = pattern(1 << 20);
  const auto chunk = [&](const Digest& sent) {
    const std::size_t at = random() % (source.size() / 2);
    return std::span<const std::byte>(source).subspan(
        at, std::min<std::uint64_t>(upto(std::min(transfer.largest_write, source.size() / 2)),
                                    transfer.bytes - sent.size()));
  };
  int idle = 0;
  const auto unfinished = [&] {
    return host_got.size() < transfer.bytes || guest_got.size() < transfer.bytes;
  };
  while (unfinished()) {
    const auto before = host_got.size() + guest_got.size();
    for (const auto& packet : bench.guest.all()) {
      socket.receive(packet);
      bench.guest.give(1);
    }
    BOOST_REQUIRE(!socket.reset());
    if (socket.connected()) {
      if (guest_sent.size() < transfer.bytes && random() % 4 != 0) {
        const auto bytes = chunk(guest_sent);
        guest_sent.add(bytes.first(socket.write(bytes)));
      }
      // The actor above sends until it is told to wait, and then waits.
      for (int i = 0; i < 8 && host_may_send && host_sent.size() < transfer.bytes; ++i) {
        const auto bytes = chunk(host_sent);
        const auto taken = bench.device.send(key, bytes);
        host_sent.add(bytes.first(taken));
        host_may_send = taken == bytes.size();
      }
    }
    if (random() % 3 == 0) guest_got.add(socket.read(upto(300'000)));
    if (held > 0 && random() % 3 == 0) {
      const auto count = upto(held);
      bench.device.consumed(key, count);
      held -= count;
    }
    idle = host_got.size() + guest_got.size() == before ? idle + 1 : 0;
    BOOST_REQUIRE_MESSAGE(idle < 500, "stalled at " << host_got.size() << " to the host and "
                                                    << guest_got.size() << " to the guest");
  }
  BOOST_TEST((host_got == guest_sent));
  BOOST_TEST((guest_got == host_sent));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(vsock_device_throughput)

BOOST_AUTO_TEST_CASE(a_hundred_mebibytes_go_both_ways_unharmed) {
  run({.guest = {}, .limits = {}, .bytes = 100 << 20, .largest_write = 256 * 1024});
}

BOOST_AUTO_TEST_CASE(a_hundred_mebibytes_go_both_ways_through_small_buffers) {
  run({.guest = {.buffer = 8 * 1024},
       .limits = {.receive_buffer = 5000, .send_queue = 3000},
       .bytes = 100 << 20,
       .largest_write = 20'000,
       .rx_buffers = 7,
       .seed = 2});
}

BOOST_AUTO_TEST_CASE(a_bulk_transfer_may_be_the_first_a_guest_ever_sees) {
  for (std::uint32_t seed = 1; seed < 20; ++seed) {
    run({.guest = {},
         .limits = {},
         .bytes = 2 << 20,
         .largest_write = 512 * 1024,
         .seed = seed,
         .first_traffic = true});
  }
}

BOOST_AUTO_TEST_CASE(small_writes_do_not_hit_a_guests_limit_of_packets) {
  run({.guest = {}, .limits = {}, .bytes = 4 << 20, .largest_write = 300, .seed = 3});
}

BOOST_AUTO_TEST_CASE(small_writes_reach_a_guest_that_rarely_reports) {
  for (const bool answers : {false, true}) {
    run({.guest = {.reports_drain = false,
                   .own_buffer_caps = false,
                   .charges_packets = false,
                   .answers_requests = answers},
         .limits = {},
         .bytes = 2 << 20,
         .largest_write = 100,
         .seed = 4});
  }
}

BOOST_AUTO_TEST_CASE(no_pair_of_buffer_sizes_deadlocks) {
  for (const std::uint32_t guest : {1U, 7U, 100U, 4096U, 65'536U, 240'000U, 262'144U, 1U << 20}) {
    for (const std::uint32_t host : {1U, 100U, 65'536U, 262'144U, 1U << 20}) {
      for (const bool recent : {false, true}) {
        const auto smallest = std::min(guest, host);
        BOOST_TEST_CONTEXT("guest " << guest << " host " << host << " recent " << recent) {
          run({.guest = {.buffer = guest,
                         .reports_drain = recent,
                         .own_buffer_caps = recent,
                         // A buffer that holds no packet head would never take a byte.
                         .charges_packets = recent && guest >= 4096},
               .limits = {.receive_buffer = host},
               .bytes = std::min<std::uint64_t>(std::uint64_t{smallest} * 40, 1 << 20),
               .largest_write = 1 << 19,
               .seed = guest ^ host});
        }
      }
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::vsock::test
