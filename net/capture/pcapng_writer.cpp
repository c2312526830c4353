#include <algorithm>
#include <net/capture/pcapng_writer.hpp>

namespace capsa::net {
namespace {

// Blocks (draft-ietf-opsawg-pcapng, 4).
constexpr std::uint32_t kSectionHeader = 0x0a0d0d0a;
constexpr std::uint32_t kInterfaceDescription = 1;
constexpr std::uint32_t kInterfaceStatistics = 5;
constexpr std::uint32_t kEnhancedPacket = 6;

constexpr std::uint32_t kByteOrder = 0x1a2b3c4d;
constexpr std::uint16_t kEthernet = 1;  // LINKTYPE_ETHERNET

constexpr std::uint16_t kEndOfOptions = 0;
constexpr std::uint16_t kApplication = 4;  // of the section
constexpr std::uint16_t kName = 2;         // of an interface
constexpr std::uint16_t kResolution = 9;
constexpr std::uint16_t kPacketFlags = 2;  // of a packet
constexpr std::uint16_t kStart = 2;        // of statistics
constexpr std::uint16_t kEnd = 3;
constexpr std::uint16_t kReceived = 4;
constexpr std::uint16_t kDropped = 5;

constexpr std::uint32_t kInbound = 1;  // as the interface sees it
constexpr std::uint32_t kOutbound = 2;

/// Header and trailer, interface and time, four options of 8 bytes, their end.
constexpr std::uint64_t kStatisticsBytes = 12 + 12 + 4 * 12 + 4;

}  // namespace

PcapngWriter::PcapngWriter(CaptureSink& sink, PcapngOptions options, SteadyTime now, WallTime wall)
    : sink_(sink),
      options_(std::move(options)),
      started_(now),
      wall_(std::chrono::duration_cast<std::chrono::nanoseconds>(wall.time_since_epoch()).count()) {
  begin(kSectionHeader);
  put32(kByteOrder);
  put16(1);  // version 1.0
  put16(0);
  put32(0xffffffff);  // the section's length is not known
  put32(0xffffffff);
  option(kApplication, options_.application);
  put32(kEndOfOptions);
  begun_ = end();
}

PcapngWriter::Interface PcapngWriter::add_interface(std::string_view name) {
  Counters counters;
  if (begun_ && !closed_) {
    begin(kInterfaceDescription);
    put16(kEthernet);
    put16(0);
    put32(options_.snap_length);
    option(kName, name);
    const std::byte nanoseconds{9};
    option(kResolution, std::span(&nanoseconds, 1));
    put32(kEndOfOptions);
    kept_free_ += kStatisticsBytes;
    counters.described = end();
    if (counters.described)
      counters.id = described_++;
    else
      kept_free_ -= kStatisticsBytes;
  }
  interfaces_.push_back(counters);
  return static_cast<Interface>(interfaces_.size() - 1);
}

void PcapngWriter::write(Interface interface, FrameDirection direction,
                         std::span<const std::byte> frame, SteadyTime now) {
  if (interface >= interfaces_.size() || closed_) return;
  Counters& counters = interfaces_[interface];
  ++counters.received;
  if (!counters.described) {
    ++counters.dropped;
    return;
  }
  const auto captured =
      options_.snap_length == 0
          ? frame
          : frame.first(std::min<std::size_t>(frame.size(), options_.snap_length));
  begin(kEnhancedPacket);
  put32(counters.id);
  put_time(now);
  put32(static_cast<std::uint32_t>(captured.size()));
  put32(static_cast<std::uint32_t>(frame.size()));
  block_.insert(block_.end(), captured.begin(), captured.end());
  pad();
  put16(kPacketFlags);
  put16(4);
  put32(direction == FrameDirection::Sent ? kOutbound : kInbound);
  put32(kEndOfOptions);
  if (!end()) ++counters.dropped;
}

void PcapngWriter::close(SteadyTime now) {
  if (std::exchange(closed_, true)) return;
  for (const Counters& counters : interfaces_) {
    if (!counters.described) continue;
    begin(kInterfaceStatistics);
    put32(counters.id);
    put_time(now);
    option_time(kStart, started_);
    option_time(kEnd, now);
    option64(kReceived, counters.received);
    option64(kDropped, counters.dropped);
    put32(kEndOfOptions);
    end(true);
  }
}

std::uint64_t PcapngWriter::written(Interface interface) const noexcept {
  return interfaces_[interface].received - interfaces_[interface].dropped;
}

std::uint64_t PcapngWriter::dropped(Interface interface) const noexcept {
  return interfaces_[interface].dropped;
}

// -- blocks: little-endian, all of a multiple of 4 bytes

void PcapngWriter::begin(std::uint32_t type) {
  block_.clear();
  put32(type);
  put32(0);  // the length, see end()
}

void PcapngWriter::put16(std::uint16_t value) {
  block_.push_back(static_cast<std::byte>(value));
  block_.push_back(static_cast<std::byte>(value >> 8));
}

void PcapngWriter::put32(std::uint32_t value) {
  put16(static_cast<std::uint16_t>(value));
  put16(static_cast<std::uint16_t>(value >> 16));
}

/// The higher half comes first.
void PcapngWriter::put_time(SteadyTime now) {
  const auto time = static_cast<std::uint64_t>(
      wall_ + std::chrono::duration_cast<std::chrono::nanoseconds>(now - started_).count());
  put32(static_cast<std::uint32_t>(time >> 32));
  put32(static_cast<std::uint32_t>(time));
}

void PcapngWriter::pad() {
  while (block_.size() % 4 != 0)
    block_.push_back(std::byte{0});
}

void PcapngWriter::option(std::uint16_t code, std::span<const std::byte> value) {
  put16(code);
  put16(static_cast<std::uint16_t>(value.size()));
  block_.insert(block_.end(), value.begin(), value.end());
  pad();
}

void PcapngWriter::option(std::uint16_t code, std::string_view value) {
  option(code, std::as_bytes(std::span(value.substr(0, kMaxName))));
}

void PcapngWriter::option64(std::uint16_t code, std::uint64_t value) {
  put16(code);
  put16(8);
  put32(static_cast<std::uint32_t>(value));
  put32(static_cast<std::uint32_t>(value >> 32));
}

void PcapngWriter::option_time(std::uint16_t code, SteadyTime now) {
  put16(code);
  put16(8);
  put_time(now);
}

/// Hands the block over. `reserved`: in the room that was kept free for it. False where the file
/// or the sink is full.
bool PcapngWriter::end(bool reserved) {
  const auto length = static_cast<std::uint32_t>(block_.size() + 4);
  for (std::size_t at = 0; at < 4; ++at)
    block_[4 + at] = static_cast<std::byte>(length >> (8 * at));
  put32(length);
  const std::uint64_t kept = reserved ? 0 : kept_free_;
  if (options_.max_bytes != 0 && bytes_ + length + kept > options_.max_bytes) return false;
  if (!sink_.write(block_)) return false;
  bytes_ += length;
  return true;
}

}  // namespace capsa::net
