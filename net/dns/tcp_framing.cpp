#include <algorithm>
#include <net/dns/tcp_framing.hpp>
#include <net/dns/wire.hpp>

namespace capsa::net::dns {

std::optional<std::span<const std::byte>> TcpUnframer::next(std::span<const std::byte>& stream) {
  if (given_) held_.clear();
  given_ = false;
  for (;;) {
    std::size_t wanted = 2;
    if (held_.size() >= 2) wanted += Reader(held_).u16();
    const auto part = stream.first(std::min(wanted - held_.size(), stream.size()));
    held_.insert(held_.end(), part.begin(), part.end());
    stream = stream.subspan(part.size());
    if (held_.size() < wanted) return std::nullopt;
    if (wanted == 2) {
      // No message is empty: it would be a header less than one.
      if (Reader(held_).u16() == 0) held_.clear();
      continue;
    }
    given_ = true;
    return std::span<const std::byte>(held_).subspan(2);
  }
}

std::vector<std::byte> frame_for_tcp(std::span<const std::byte> message) {
  std::vector<std::byte> out;
  out.reserve(2 + message.size());
  put_u16(out, static_cast<unsigned>(message.size()));
  out.insert(out.end(), message.begin(), message.end());
  return out;
}

}  // namespace capsa::net::dns
