#include <boost/test/unit_test.hpp>
#include <net/capture/port_capture.hpp>
#include <string>
#include <tests/unit/net/frames.hpp>

namespace capsa::net::test {

namespace {

using namespace std::chrono_literals;

struct Memory final : CaptureSink {
  bool write(std::span<const std::byte> bytes) override {
    if (full) return false;
    file.insert(file.end(), bytes.begin(), bytes.end());
    return true;
  }
  Bytes file;
  bool full = false;
};

constexpr PcapngWriter::SteadyTime kStart{1000s};
const PcapngWriter::WallTime kWall{
    std::chrono::duration_cast<PcapngWriter::WallTime::duration>(1'700'000'000s)};

std::uint64_t number(const Bytes& bytes, std::size_t at, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t byte = size; byte > 0; --byte)
    value = value << 8 | std::to_integer<std::uint64_t>(bytes.at(at + byte - 1));
  return value;
}

struct Block {
  std::uint64_t type;
  Bytes body;
};

/// Checks what all blocks have in common.
std::vector<Block> blocks(const Bytes& file) {
  std::vector<Block> all;
  for (std::size_t at = 0; at < file.size();) {
    const std::size_t length = number(file, at + 4, 4);
    BOOST_REQUIRE(length % 4 == 0);
    BOOST_REQUIRE(length >= 12U);
    BOOST_REQUIRE(at + length <= file.size());
    BOOST_TEST(number(file, at + length - 4, 4) == length);
    const auto from = file.begin() + static_cast<std::ptrdiff_t>(at);
    all.push_back(
        {number(file, at, 4), {from + 8, from + static_cast<std::ptrdiff_t>(length - 4)}});
    at += length;
  }
  return all;
}

/// Of the options from `at`; empty where it is not there.
Bytes option(const Block& block, std::size_t at, unsigned code) {
  for (;;) {
    const auto found = number(block.body, at, 2);
    const std::size_t length = number(block.body, at + 2, 2);
    if (found == 0) {
      BOOST_TEST(at + 4 == block.body.size());
      return {};
    }
    const auto from = block.body.begin() + static_cast<std::ptrdiff_t>(at + 4);
    if (found == code) return {from, from + static_cast<std::ptrdiff_t>(length)};
    at += 4 + (length + 3) / 4 * 4;
  }
}

std::string text(const Bytes& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(net_pcapng)

BOOST_AUTO_TEST_CASE(a_file_has_its_section_its_interfaces_frames_and_counters) {
  Memory memory;
  PcapngWriter writer(memory, {.application = "test"}, kStart, kWall);
  const auto a = writer.add_interface("vm-a");
  const auto b = writer.add_interface("vm-bcd");
  const Bytes frame = pattern(61);
  writer.write(a, FrameDirection::Sent, frame, kStart + 1ns);
  writer.write(b, FrameDirection::Received, pattern(64), kStart + 3s);
  writer.close(kStart + 10s);
  writer.close(kStart + 11s);
  writer.write(a, FrameDirection::Sent, frame, kStart + 12s);

  const auto all = blocks(memory.file);
  BOOST_REQUIRE(all.size() == 7U);
  BOOST_TEST(all[0].type == 0x0a0d0d0aU);
  BOOST_TEST(number(all[0].body, 0, 4) == 0x1a2b3c4dU);
  BOOST_TEST(number(all[0].body, 4, 2) == 1U);
  BOOST_TEST(number(all[0].body, 6, 2) == 0U);
  BOOST_TEST(number(all[0].body, 8, 8) == ~std::uint64_t{0});
  BOOST_TEST(text(option(all[0], 16, 4)) == "test");

  BOOST_TEST(all[1].type == 1U);
  BOOST_TEST(number(all[1].body, 0, 2) == 1U);
  BOOST_TEST(number(all[1].body, 4, 4) == 0U);
  BOOST_TEST(text(option(all[1], 8, 2)) == "vm-a");
  BOOST_TEST((option(all[1], 8, 9) == Bytes{std::byte{9}}));
  BOOST_TEST(text(option(all[2], 8, 2)) == "vm-bcd");

  const auto time = [](const Block& block) {
    return number(block.body, 4, 4) << 32 | number(block.body, 8, 4);
  };
  BOOST_TEST(all[3].type == 6U);
  BOOST_TEST(number(all[3].body, 0, 4) == 0U);
  BOOST_TEST(time(all[3]) == 1'700'000'000'000'000'001U);
  BOOST_TEST(number(all[3].body, 12, 4) == 61U);
  BOOST_TEST(number(all[3].body, 16, 4) == 61U);
  BOOST_TEST((Bytes(all[3].body.begin() + 20, all[3].body.begin() + 81) == frame));
  BOOST_TEST(number(option(all[3], 84, 2), 0, 4) == 2U);  // outbound
  BOOST_TEST(number(all[4].body, 0, 4) == 1U);
  BOOST_TEST(number(option(all[4], 84, 2), 0, 4) == 1U);  // inbound

  BOOST_TEST(all[5].type == 5U);
  BOOST_TEST(number(all[5].body, 0, 4) == 0U);
  BOOST_TEST(time(all[5]) == 1'700'000'010'000'000'000U);
  BOOST_TEST(number(option(all[5], 12, 4), 0, 8) == 1U);
  BOOST_TEST(number(option(all[5], 12, 5), 0, 8) == 0U);
  BOOST_TEST(number(all[6].body, 0, 4) == 1U);
  BOOST_TEST(writer.bytes() == memory.file.size());
}

BOOST_AUTO_TEST_CASE(long_frames_are_cut_and_their_length_is_told) {
  Memory memory;
  PcapngWriter writer(memory, {.snap_length = 50}, kStart, kWall);
  const auto port = writer.add_interface("p");
  writer.write(port, FrameDirection::Sent, pattern(1000), kStart);
  writer.write(port, FrameDirection::Sent, pattern(20), kStart);
  const auto all = blocks(memory.file);
  BOOST_TEST(number(all[1].body, 4, 4) == 50U);
  BOOST_TEST(number(all[2].body, 12, 4) == 50U);
  BOOST_TEST(number(all[2].body, 16, 4) == 1000U);
  BOOST_TEST(number(all[3].body, 12, 4) == 20U);
}

BOOST_AUTO_TEST_CASE(a_full_file_counts_what_is_missing_and_still_gets_its_counters) {
  Memory memory;
  PcapngWriter writer(memory, {.max_bytes = 1000}, kStart, kWall);
  const auto port = writer.add_interface("p");
  for (int at = 0; at < 20; ++at)
    writer.write(port, FrameDirection::Sent, pattern(100), kStart);
  BOOST_TEST(writer.written(port) >= 3U);
  BOOST_TEST(writer.dropped(port) == 20U - writer.written(port));
  // A small one may fit where a large one did not, and a new interface does not.
  const auto late = writer.add_interface(std::string(200, 'x'));
  writer.write(late, FrameDirection::Sent, pattern(14), kStart);
  BOOST_TEST(writer.dropped(late) == 1U);
  writer.close(kStart);
  BOOST_TEST(memory.file.size() <= 1000U);
  const auto all = blocks(memory.file);
  BOOST_REQUIRE(all.back().type == 5U);
  BOOST_TEST(number(option(all.back(), 12, 4), 0, 8) == 20U);
  BOOST_TEST(number(option(all.back(), 12, 5), 0, 8) == writer.dropped(port));
}

BOOST_AUTO_TEST_CASE(what_the_sink_refuses_is_missing) {
  Memory memory;
  PcapngWriter writer(memory, {}, kStart, kWall);
  const auto a = writer.add_interface("a");
  memory.full = true;
  const auto b = writer.add_interface("b");
  writer.write(a, FrameDirection::Sent, pattern(60), kStart);
  memory.full = false;
  const auto c = writer.add_interface("c");
  writer.write(a, FrameDirection::Sent, pattern(60), kStart);
  writer.write(b, FrameDirection::Sent, pattern(60), kStart);
  writer.write(c, FrameDirection::Sent, pattern(60), kStart);
  BOOST_TEST(writer.dropped(a) == 1U);
  BOOST_TEST(writer.dropped(b) == 1U);
  BOOST_TEST(writer.written(c) == 1U);
  // Interfaces count in the file as they stand there.
  BOOST_TEST(number(blocks(memory.file).back().body, 0, 4) == 1U);
}

BOOST_AUTO_TEST_CASE(a_port_of_a_switch_is_an_interface) {
  Memory memory;
  const auto pool = FramePool::create();
  PcapngWriter writer(memory, {}, kStart, kWall);
  PortCapture port(writer, "vm");
  port.observe(FrameDirection::Received, make_frame(*pool, pattern(60)), kStart);
  BOOST_TEST(writer.written(port.interface()) == 1U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::net::test
