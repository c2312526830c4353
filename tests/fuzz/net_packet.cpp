#include <cstdlib>
#include <net/packet/build.hpp>
#include <net/policy/port_guard.hpp>
#include <tests/support/fuzz_input.hpp>

using namespace capsa;
using namespace capsa::net;
using capsa::test::FuzzInput;

namespace {

const MacAddress kGuest({0x52, 0x54, 0, 0, 0, 1});
const IpAddress kVm = IpAddress::v4(10, 0, 2, 15);
const IpAddress kGateway = IpAddress::v4(10, 0, 2, 2);

GuardConfig config(std::uint8_t which) {
  GuardConfig out;
  out.identity.mac = kGuest;
  out.identity.ipv4 = kVm;
  out.identity.ipv6_networks = {IpNetwork::around(IpAddress::v6({0xfd00}), 64)};
  out.network.gateway = {kGateway};
  out.forwards = {{Protocol::Tcp, 80}};
  if ((which & 1) != 0) out.policy.allow_domain("a.com");
  if ((which & 2) != 0) out.policy.deny_domain("evil.com");
  if ((which & 4) != 0) out.policy.rule(PolicyAction::Log, MatchCriteria::any());
  if ((which & 8) != 0) out.policy.allow_ip_range("0.0.0.0", 0);
  return out;
}

void require(bool holds) {
  if (!holds) std::abort();
}

/// What we build ourselves must be what we read.
void check_answer(const FrameBytes& frame) {
  if (frame.empty()) return;
  const auto parsed = parse(frame);
  const auto* packet = std::get_if<Packet>(&parsed);
  require(packet != nullptr && transport_checksum_ok(frame, *packet));
}

void check_packet(std::span<const std::byte> frame) {
  const auto parsed = parse(frame);
  const auto* packet = std::get_if<Packet>(&parsed);
  if (packet == nullptr) return;
  require(packet->network <= packet->transport && packet->transport <= packet->payload &&
          packet->payload <= packet->end && packet->end <= frame.size());
  transport_checksum_ok(frame, *packet);
  check_answer(tcp_reset_for(frame, *packet).value_or(FrameBytes()));
  check_answer(admin_prohibited_for(frame, *packet).value_or(FrameBytes()));
  check_answer(echo_reply_for(frame, *packet).value_or(FrameBytes()));
}

/// The headers that most frames need to come anywhere.
void mend(FrameBytes& frame, bool sent) {
  if (frame.size() < 34) return;
  const auto put = [&](std::size_t at, std::span<const std::uint8_t> bytes) {
    for (const std::uint8_t byte : bytes)
      frame[at++] = static_cast<std::byte>(byte);
  };
  put(sent ? 6 : 0, kGuest.bytes());
  const std::uint8_t start[] = {8, 0, 0x45};
  put(12, start);
  const auto length = frame.size() - 14;
  const std::uint8_t total[] = {static_cast<std::uint8_t>(length >> 8),
                                static_cast<std::uint8_t>(length)};
  put(16, total);
  put(sent ? 26 : 30, kVm.bytes());
  const std::uint8_t zero[] = {0, 0};
  put(20, zero);
  put(24, zero);
  const auto sum = internet_checksum(std::span(frame).subspan(14, 20));
  const std::uint8_t checksum[] = {static_cast<std::uint8_t>(sum >> 8),
                                   static_cast<std::uint8_t>(sum)};
  put(24, checksum);
}

}  // namespace

/// Frames in both directions: each is a byte of flags, a length of two, and its bytes. The first
/// byte chooses the policy.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  FuzzInput input(data, size);
  PortGuard guard(config(input.take<std::uint8_t>()));
  TimePoint now{std::chrono::seconds(1000)};
  const std::vector<IpAddress> pinned{IpAddress::v4(198, 51, 100, 1)};
  guard.dns().pin("a.com", pinned, std::chrono::minutes(1), now);
  while (!input.empty()) {
    const auto flags = input.take<std::uint8_t>();
    const auto bytes = input.bytes(input.take<std::uint16_t>() % 2000);
    FrameBytes frame(bytes.begin(), bytes.end());
    const bool sent = (flags & 1) != 0;
    if ((flags & 2) != 0) mend(frame, sent);
    check_packet(frame);
    const auto decision =
        sent ? guard.on_guest_frame(frame, now) : guard.on_frame_to_guest(frame, now);
    check_answer(decision.to_guest);
    check_answer(decision.to_network);
    require(decision.to_guest.empty() || decision.action == Decision::Action::Reject);
    require(decision.forwards() == (decision.reason == DropReason::None));
    now += std::chrono::milliseconds((flags >> 4) * 100);
    if ((flags & 12) == 12) guard.set_policy(config(flags >> 4).policy);
  }
  require(guard.denials().size() <= DenialLog::kCapacity);
  guard.reset();
  require(guard.held_bytes() == 0);
  return 0;
}
