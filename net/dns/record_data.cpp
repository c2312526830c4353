#include <net/dns/record_data.hpp>
#include <net/dns/wire.hpp>
#include <utility>

namespace capsa::net::dns {
namespace {

/// Bytes before the first name, names, bytes behind the last.
struct Layout {
  std::size_t before = 0;
  std::size_t names = 0;
  std::size_t after = 0;
};

Layout layout_of(Type type) {
  switch (type) {
    case Type::A:
      return {4, 0, 0};
    case Type::Aaaa:
      return {16, 0, 0};
    case Type::Mx:
      return {2, 1, 0};
    case Type::Srv:
      return {6, 1, 0};
    case Type::Soa:
      return {0, 2, 20};
    default:  // Ns, Cname, Ptr
      return {0, 1, 0};
  }
}

void append(std::vector<std::byte>& out, std::span<const std::byte> bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

std::optional<std::vector<std::byte>> read_text(std::span<const std::byte> data) {
  if (data.empty()) return std::nullopt;
  for (std::size_t at = 0; at < data.size();) {
    const std::size_t length = 1 + std::to_integer<std::size_t>(data[at]);
    if (data.size() - at < length) return std::nullopt;
    at += length;
  }
  return std::vector<std::byte>(data.begin(), data.end());
}

}  // namespace

bool is_known_data(Type type) noexcept {
  switch (type) {
    case Type::A:
    case Type::Ns:
    case Type::Cname:
    case Type::Soa:
    case Type::Ptr:
    case Type::Mx:
    case Type::Txt:
    case Type::Aaaa:
    case Type::Srv:
      return true;
    default:
      return false;
  }
}

std::optional<std::vector<std::byte>> read_data(Type type, std::span<const std::byte> message,
                                                std::size_t at, std::size_t length) {
  if (at > message.size() || length > message.size() - at) return std::nullopt;
  // A name in it may point back to anywhere, but not run on behind the data.
  const auto upto = message.first(at + length);
  if (type == Type::Txt) return read_text(upto.subspan(at));
  const Layout layout = layout_of(type);
  std::vector<std::byte> out;
  if (length < layout.before) return std::nullopt;
  append(out, upto.subspan(at, layout.before));
  at += layout.before;
  for (std::size_t i = 0; i < layout.names; ++i) {
    const auto name = Name::read(upto, at);
    if (!name) return std::nullopt;
    append(out, std::as_bytes(std::span(name->wire())));
  }
  if (upto.size() - at != layout.after) return std::nullopt;
  append(out, upto.subspan(at));
  return out;
}

std::optional<Name> name_in(const Record& record) {
  // A pointer would have to lead into a header, which is not there: none is followed.
  std::size_t at = 0;
  auto name = Name::read(record.data, at);
  if (at != record.data.size()) return std::nullopt;
  return name;
}

std::optional<IpAddress> address_in(const Record& record) {
  const std::span<const std::byte> data(record.data);
  if (record.type == Type::A && data.size() == 4) return IpAddress::from_v4_bytes(data.first<4>());
  if (record.type == Type::Aaaa && data.size() == 16)
    return IpAddress::from_v6_bytes(data.first<16>());
  return std::nullopt;
}

Record address_record(const Name& owner, const IpAddress& address, std::uint32_t ttl) {
  Record record{owner, address.is_v4() ? Type::A : Type::Aaaa, ttl, {}};
  append(record.data, std::as_bytes(address.bytes()));
  return record;
}

Record pointer_record(const Name& owner, const Name& target, std::uint32_t ttl) {
  Record record{owner, Type::Ptr, ttl, {}};
  append(record.data, std::as_bytes(std::span(target.wire())));
  return record;
}

}  // namespace capsa::net::dns
