#include <algorithm>
#include <array>
#include <net/dhcp/message.hpp>
#include <net/packet/wire.hpp>
#include <utility>

namespace capsa::net::dhcp {
namespace {

// RFC 2131, 2, figure 1.
constexpr std::size_t kOp = 0, kHardwareType = 1, kHardwareLength = 2, kTransaction = 4,
                      kSeconds = 8, kFlags = 10, kClient = 12, kYour = 16, kRelay = 24,
                      kHardware = 28, kServerName = 44, kServerNameSize = 64, kFile = 108,
                      kFileSize = 128, kCookie = 236, kOptions = 240;
constexpr std::uint8_t kEthernet = 1;
constexpr std::uint32_t kCookieValue = 0x63825363;

// Without these a reply is of no use, and together they fit into the least that a client takes.
constexpr std::array kFirst{Option::MessageType, Option::ServerId,   Option::LeaseTime,
                            Option::ClientId,    Option::SubnetMask, Option::Router};

using Options = std::map<std::uint8_t, std::vector<std::byte>>;

/// False where an option does not lie in the field. A field may go without an end.
bool read_options(std::span<const std::byte> field, Options& options) {
  for (std::size_t at = 0; at < field.size();) {
    const std::uint8_t code = wire::load8(field, at++);
    if (code == static_cast<std::uint8_t>(Option::Pad)) continue;
    if (code == static_cast<std::uint8_t>(Option::End)) return true;
    if (at == field.size()) return false;
    const std::size_t length = wire::load8(field, at++);
    if (field.size() - at < length) return false;
    const auto data = field.subspan(at, length);
    auto& option = options[code];
    option.insert(option.end(), data.begin(), data.end());
    at += length;
  }
  return true;
}

}  // namespace

const std::vector<std::byte>* Message::find(Option option) const {
  const auto found = options.find(static_cast<std::uint8_t>(option));
  return found == options.end() ? nullptr : &found->second;
}

std::optional<MessageType> Message::type() const {
  const auto* data = find(Option::MessageType);
  if (data == nullptr || data->size() != 1) return std::nullopt;
  const auto value = std::to_integer<std::uint8_t>(data->front());
  if (value < 1 || value > 8) return std::nullopt;
  return static_cast<MessageType>(value);
}

std::optional<IpAddress> Message::address(Option option) const {
  const auto* data = find(option);
  if (data == nullptr || data->size() != 4) return std::nullopt;
  return wire::load_v4(*data, 0);
}

std::optional<Message> parse_message(std::span<const std::byte> payload) {
  if (payload.size() < kOptions || wire::load32(payload, kCookie) != kCookieValue ||
      wire::load8(payload, kHardwareType) != kEthernet ||
      wire::load8(payload, kHardwareLength) != MacAddress::kSize)
    return std::nullopt;
  Message message;
  message.op = wire::load8(payload, kOp);
  message.transaction = wire::load32(payload, kTransaction);
  message.seconds = wire::load16(payload, kSeconds);
  message.flags = wire::load16(payload, kFlags);
  message.client = wire::load_v4(payload, kClient);
  message.your = wire::load_v4(payload, kYour);
  message.relay = wire::load_v4(payload, kRelay);
  message.hardware = wire::load_mac(payload, kHardware);
  if (!read_options(payload.subspan(kOptions), message.options)) return std::nullopt;
  // RFC 2132, 9.3: 1 for file, 2 for sname, 3 for both. One that stands in such a field itself does
  // not count.
  const auto* data = message.find(Option::Overload);
  const unsigned overload =
      data != nullptr && data->size() == 1 ? std::to_integer<unsigned>(data->front()) : 0;
  if ((overload & 1) != 0 && !read_options(payload.subspan(kFile, kFileSize), message.options))
    return std::nullopt;
  if ((overload & 2) != 0 &&
      !read_options(payload.subspan(kServerName, kServerNameSize), message.options))
    return std::nullopt;
  return message;
}

std::vector<std::byte> encode(const Message& message, std::size_t max_size) {
  std::vector<std::byte> out(kOptions);
  wire::store8(out, kOp, message.op);
  wire::store8(out, kHardwareType, kEthernet);
  wire::store8(out, kHardwareLength, MacAddress::kSize);
  wire::store32(out, kTransaction, message.transaction);
  wire::store16(out, kSeconds, message.seconds);
  wire::store16(out, kFlags, message.flags);
  wire::store_address(out, kClient, message.client);
  wire::store_address(out, kYour, message.your);
  wire::store_address(out, kRelay, message.relay);
  wire::store_mac(out, kHardware, message.hardware);
  wire::store32(out, kCookie, kCookieValue);
  const auto put = [&](std::uint8_t code, const std::vector<std::byte>& data) {
    // One byte is kept for the end.
    if (data.size() > 255 || out.size() + 2 + data.size() + 1 > max_size) return;
    out.push_back(static_cast<std::byte>(code));
    out.push_back(static_cast<std::byte>(data.size()));
    out.insert(out.end(), data.begin(), data.end());
  };
  for (const Option option : kFirst) {
    if (const auto* data = message.find(option)) put(static_cast<std::uint8_t>(option), *data);
  }
  for (const auto& [code, data] : message.options) {
    if (std::find(kFirst.begin(), kFirst.end(), static_cast<Option>(code)) == kFirst.end())
      put(code, data);
  }
  out.push_back(static_cast<std::byte>(Option::End));
  out.resize(std::max(out.size(), kLeastSize));
  return out;
}

}  // namespace capsa::net::dhcp
