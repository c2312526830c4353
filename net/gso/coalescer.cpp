#include <algorithm>
#include <cstring>
#include <net/gso/coalescer.hpp>
#include <net/gso/sum.hpp>
#include <net/offload.hpp>
#include <net/packet/wire.hpp>
#include <optional>
#include <utility>

namespace capsa::net::gso {
namespace {

using Span = std::span<const std::byte>;

constexpr std::size_t kMaxIpLength = 65535;

bool same(Span a, Span b, std::size_t at, std::size_t end) {
  return std::memcmp(a.data() + at, b.data() + at, end - at) == 0;
}

/// Of two TCP segments: addresses and ports.
bool same_flow(Span a, const TcpFrame& x, Span b, const TcpFrame& y) {
  if (x.ipv6 != y.ipv6 || x.network != y.network || x.transport != y.transport) return false;
  return same(a, b, x.network + (x.ipv6 ? 8 : 12), x.network + (x.ipv6 ? 40 : 20)) &&
         same(a, b, x.transport, x.transport + 4);
}

/// Of one flow: whether all is the same that is copied into every segment.
bool same_headers(Span a, const TcpFrame& x, Span b, const TcpFrame& y) {
  if (x.payload != y.payload || !same(a, b, 0, x.network)) return false;
  const std::size_t ip = x.network;
  // Not the length and, of IPv4, neither the identification nor the checksum.
  const bool ip_same = x.ipv6 ? same(a, b, ip, ip + 4) && same(a, b, ip + 6, ip + 8)
                              : same(a, b, ip, ip + 2) && same(a, b, ip + 6, ip + 10);
  const std::size_t at = x.transport;
  // Acknowledgement and data offset; window; urgent pointer and options.
  return ip_same && same(a, b, at + 8, at + 13) && same(a, b, at + 14, at + 16) &&
         same(a, b, at + 18, x.payload) &&
         ((wire::load8(a, at + kTcpFlags) ^ wire::load8(b, at + kTcpFlags)) &
          ~(kFin | kPsh | kCwr)) == 0;
}

/// The IP packet is the whole frame, without options or extensions, and its header is right.
bool plain_ip(Span bytes, const TcpFrame& tcp) {
  const std::size_t length = bytes.size() - tcp.network;
  if (tcp.ipv6)
    return tcp.transport == tcp.network + 40 && wire::load16(bytes, tcp.network + 4) == length - 40;
  if (tcp.transport != tcp.network + 20 || wire::load16(bytes, tcp.network + 2) != length)
    return false;
  Sum sum;
  sum.add(bytes.subspan(tcp.network, 20));
  return sum.folded() == 0xffff && wire::load16(bytes, tcp.network + 10) != 0xffff;
}

/// The receiver of a large segment never sees this checksum: a broken one must not be mended here.
bool right_checksum(const Frame& frame, const TcpFrame& tcp) {
  const FrameMeta& meta = frame.meta();
  if (meta.needs_checksum)
    return meta.checksum_start == tcp.transport && meta.checksum_offset == kTcpChecksum;
  if (meta.checksum_valid) return true;
  const Span bytes = frame.bytes();
  Sum sum;
  sum.add(pseudo_header_sum(bytes, tcp));
  sum.add(bytes.subspan(tcp.transport));
  // All ones means the same as zero, but is not what a Segmenter writes.
  return sum.folded() == 0xffff && wire::load16(bytes, tcp.transport + kTcpChecksum) != 0xffff;
}

/// A segment of data, and nothing besides.
bool is_data(const Frame& frame, const TcpFrame& tcp) {
  const std::uint8_t flags = wire::load8(frame.bytes(), tcp.transport + kTcpFlags);
  return frame.meta().gso == Gso::None && frame.size() > tcp.payload &&
         (flags & (kSyn | kRst | kUrg | kAck)) == kAck && plain_ip(frame.bytes(), tcp) &&
         right_checksum(frame, tcp);
}

}  // namespace

FrameBatch Coalescer::coalesce(FrameBatch batch, const Offloads& receiver) {
  if (!receiver.checksum || !(receiver.tso4 || receiver.tso6)) return batch;
  open_ = found_ = 0;
  const auto count = static_cast<std::uint16_t>(batch.size());
  for (std::uint16_t index = 0; index < count; ++index)
    look_at(batch, index, receiver);
  if (found_ == 0) return batch;

  FrameBatch out = pool_->batch();
  for (std::uint16_t index = 0; index < count; ++index) {
    const Plan& plan = plan_[index];
    if (plan.count == 0) continue;
    if (plan.count > 1) {
      if (Frame large = join(batch, index)) {
        ++made_;
        joined_ += plan.count;
        out.push(std::move(large));
        continue;
      }
      keep_apart(index);
    }
    out.push(std::move(batch[index]));
  }
  return out;
}

void Coalescer::look_at(const FrameBatch& batch, std::uint16_t index, const Offloads& receiver) {
  plan_[index] = {};
  const Frame& frame = batch[index];
  if (!frame) return;
  const auto tcp = find_tcp(frame.bytes());
  if (!tcp || !(tcp->ipv6 ? receiver.tso6 : receiver.tso4)) return;
  const bool data = is_data(frame, *tcp);
  for (std::size_t at = 0; at < open_; ++at) {
    Flow& flow = flows_[at];
    if (!same_flow(batch[flow.head].bytes(), plan_[flow.head].tcp, frame.bytes(), *tcp)) continue;
    if (data && extend(batch, flow, index, *tcp)) {
      const std::uint8_t flags = wire::load8(frame.bytes(), tcp->transport + kTcpFlags);
      if (frame.size() - tcp->payload < flow.size || (flags & (kFin | kPsh)) != 0) close(at);
      return;
    }
    // Whatever it is, what follows it must not be joined to what was before it.
    close(at);
    break;
  }
  const std::size_t payload = frame.size() - tcp->payload;
  const std::uint8_t flags = wire::load8(frame.bytes(), tcp->transport + kTcpFlags);
  if (!data || payload < kMinGsoSize || (flags & (kFin | kPsh)) != 0) return;
  if ((flags & kCwr) != 0 && !receiver.ecn) return;
  if (open_ == kFlows) close(0);
  plan_[index].tcp = *tcp;
  plan_[index].payload = payload;
  flows_[open_++] = {index, index, payload,
                     wire::load32(frame.bytes(), tcp->transport + kTcpSequence) +
                         static_cast<std::uint32_t>(payload),
                     static_cast<std::uint16_t>(wire::load16(frame.bytes(), tcp->network + 4) + 1)};
}

bool Coalescer::extend(const FrameBatch& batch, Flow& flow, std::uint16_t index,
                       const TcpFrame& tcp) {
  const Span bytes = batch[index].bytes();
  const std::size_t payload = bytes.size() - tcp.payload;
  Plan& plan = plan_[flow.head];
  if (payload > flow.size || !same_headers(batch[flow.head].bytes(), plan.tcp, bytes, tcp))
    return false;
  if (wire::load32(bytes, tcp.transport + kTcpSequence) != flow.sequence) return false;
  if (!tcp.ipv6 && wire::load16(bytes, tcp.network + 4) != flow.identification) return false;
  if ((wire::load8(bytes, tcp.transport + kTcpFlags) & kCwr) != 0) return false;
  const std::size_t length = tcp.payload + plan.payload + payload;
  if (length > kMaxFrame || length - tcp.network > kMaxIpLength) return false;
  plan.payload += payload;
  ++plan.count;
  plan_[flow.last].next = index;
  plan_[index].count = 0;
  flow.last = index;
  flow.sequence += static_cast<std::uint32_t>(payload);
  ++flow.identification;
  ++found_;
  return true;
}

/// Empty where the pool gives nothing.
Frame Coalescer::join(const FrameBatch& batch, std::uint16_t head) {
  const Plan& plan = plan_[head];
  const TcpFrame& tcp = plan.tcp;
  Frame large = pool_->make(tcp.payload + plan.payload);
  if (!large) return large;
  const std::span<std::byte> bytes = large.bytes();
  std::memcpy(bytes.data(), batch[head].bytes().data(), tcp.payload);
  std::size_t to = tcp.payload;
  std::uint8_t flags = 0;
  for (std::uint16_t index = head;; index = plan_[index].next) {
    const Span part = batch[index].bytes();
    std::memcpy(bytes.data() + to, part.data() + tcp.payload, part.size() - tcp.payload);
    to += part.size() - tcp.payload;
    flags |= wire::load8(part, tcp.transport + kTcpFlags);
    if (plan_[index].next == 0) break;
  }
  wire::store8(bytes, tcp.transport + kTcpFlags, flags);
  put_ip_length(bytes, tcp);
  wire::store16(bytes, tcp.transport + kTcpChecksum, pseudo_header_sum(bytes, tcp));

  FrameMeta& meta = large.meta();
  meta.needs_checksum = true;
  meta.checksum_start = static_cast<std::uint16_t>(tcp.transport);
  meta.checksum_offset = kTcpChecksum;
  meta.gso = tcp.ipv6 ? Gso::TcpV6 : Gso::TcpV4;
  meta.gso_size = static_cast<std::uint16_t>(batch[head].size() - tcp.payload);
  meta.header_length = static_cast<std::uint16_t>(tcp.payload);
  meta.ecn = (flags & kCwr) != 0;
  return large;
}

void Coalescer::keep_apart(std::uint16_t head) noexcept {
  for (std::uint16_t index = head;;) {
    plan_[index].count = 1;
    index = std::exchange(plan_[index].next, std::uint16_t{0});
    if (index == 0) break;
  }
}

}  // namespace capsa::net::gso
