#include <net/gso/mss.hpp>
#include <net/gso/sum.hpp>
#include <net/gso/tcp_frame.hpp>
#include <net/packet/wire.hpp>

namespace capsa::net::gso {
namespace {

constexpr std::uint8_t kEnd = 0;
constexpr std::uint8_t kNothing = 1;
constexpr std::uint8_t kMss = 2;
constexpr std::uint8_t kMssLength = 4;

std::uint16_t swapped(std::uint16_t value) noexcept {
  return static_cast<std::uint16_t>(value << 8 | value >> 8);
}

/// RFC 1624, equation 3: HC' = ~(~HC + ~m + m').
void replace(std::span<std::byte> bytes, std::size_t checksum, std::size_t at, std::size_t start,
             std::uint16_t value) noexcept {
  std::uint16_t before = wire::load16(bytes, at);
  wire::store16(bytes, at, value);
  // A number that lies across two words of the sum counts with its bytes swapped (RFC 1071, 2.B).
  if ((at - start) % 2 != 0) {
    before = swapped(before);
    value = swapped(value);
  }
  Sum sum;
  sum.add(static_cast<std::uint16_t>(~wire::load16(bytes, checksum)));
  sum.add(static_cast<std::uint16_t>(~before));
  sum.add(value);
  wire::store16(bytes, checksum, static_cast<std::uint16_t>(~sum.folded()));
}

}  // namespace

bool set_mss(Frame& frame, std::uint16_t mss) noexcept {
  if (!frame) return false;
  const std::span<std::byte> bytes = frame.bytes();
  const auto tcp = find_tcp(bytes);
  if (!tcp || (wire::load8(bytes, tcp->transport + kTcpFlags) & kSyn) == 0) return false;
  bool changed = false;
  std::size_t at = tcp->transport + kTcpHeader;
  while (at < tcp->payload) {
    const std::uint8_t kind = wire::load8(bytes, at);
    if (kind == kEnd) break;
    if (kind == kNothing) {
      ++at;
      continue;
    }
    if (at + 2 > tcp->payload) break;
    const std::uint8_t length = wire::load8(bytes, at + 1);
    if (length < 2 || at + length > tcp->payload) break;
    if (kind == kMss && length == kMssLength) {
      const std::uint16_t announced = wire::load16(bytes, at + 2);
      if (announced != mss) {
        changed = true;
        // A checksum that is still to be made is made of what will be there then.
        if (frame.meta().needs_checksum)
          wire::store16(bytes, at + 2, mss);
        else
          replace(bytes, tcp->transport + kTcpChecksum, at + 2, tcp->transport, mss);
      }
    }
    at += length;
  }
  return changed;
}

}  // namespace capsa::net::gso
