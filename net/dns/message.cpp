#include <algorithm>
#include <net/dns/message.hpp>
#include <net/dns/record_data.hpp>
#include <net/dns/wire.hpp>
#include <utility>

namespace capsa::net::dns {
namespace {

constexpr std::size_t kHeader = 12;

// The flags word (RFC 1035, 4.1.1).
constexpr std::uint16_t kResponse = 0x8000, kTruncated = 0x0200, kRecursionDesired = 0x0100;

struct Header {
  std::uint16_t id, flags, questions, answers, authorities, additionals;

  unsigned opcode() const { return flags >> 11 & 0xf; }
};

Header read_header(Reader& reader) {
  Header header{};
  header.id = reader.u16();
  header.flags = reader.u16();
  header.questions = reader.u16();
  header.answers = reader.u16();
  header.authorities = reader.u16();
  header.additionals = reader.u16();
  return header;
}

std::optional<Name> read_name(std::span<const std::byte> message, Reader& reader) {
  std::size_t at = reader.at();
  auto name = Name::read(message, at);
  if (name) reader.seek(at);
  return name;
}

std::optional<Question> read_question(std::span<const std::byte> message, Reader& reader) {
  auto name = read_name(message, reader);
  if (!name) return std::nullopt;
  Question question;
  question.name = std::move(*name);
  question.type = static_cast<Type>(reader.u16());
  question.cls = reader.u16();
  if (!reader.ok()) return std::nullopt;
  return question;
}

struct RawRecord {
  Name owner;
  Type type{};
  std::uint16_t cls = 0;
  std::uint32_t ttl = 0;
  std::size_t data = 0;  // position in the message
  std::size_t length = 0;
};

std::optional<RawRecord> read_record(std::span<const std::byte> message, Reader& reader) {
  auto owner = read_name(message, reader);
  if (!owner) return std::nullopt;
  RawRecord record;
  record.owner = std::move(*owner);
  record.type = static_cast<Type>(reader.u16());
  record.cls = reader.u16();
  record.ttl = reader.u32();
  record.length = reader.u16();
  record.data = reader.at();
  reader.bytes(record.length);
  if (!reader.ok()) return std::nullopt;
  return record;
}

/// False where it is malformed. Keeps of `wanted` only, or of all types that are known.
bool read_section(std::span<const std::byte> message, Reader& reader, std::size_t count,
                  std::optional<Type> wanted, std::vector<Record>& out) {
  if (count > kMaxRecords) return false;
  for (; count > 0; --count) {
    auto raw = read_record(message, reader);
    if (!raw) return false;
    if (raw->cls != kClassInternet || !is_known_data(raw->type)) continue;
    if (wanted && raw->type != *wanted) continue;
    auto data = read_data(raw->type, message, raw->data, raw->length);
    if (!data) return false;
    // RFC 2181, 8: a time with the topmost bit set counts as none.
    if (raw->ttl > 0x7fff'ffff) raw->ttl = 0;
    out.push_back({std::move(raw->owner), raw->type, raw->ttl, std::move(*data)});
  }
  return true;
}

}  // namespace

std::size_t Query::udp_limit() const noexcept {
  return std::clamp<std::size_t>(edns_size.value_or(kPlainUdp), kPlainUdp, kEdnsUdp);
}

std::variant<Query, BadQuery> parse_query(std::span<const std::byte> message) {
  Reader reader(message);
  const Header header = read_header(reader);
  if (!reader.ok() || (header.flags & kResponse) != 0) return BadQuery{};
  BadQuery bad{header.id, Rcode::FormatError, static_cast<std::uint8_t>(header.opcode())};
  if (header.opcode() != 0) {
    bad.rcode = Rcode::NotImplemented;
    return bad;
  }
  if ((header.flags & kTruncated) != 0 || header.questions != 1 || header.answers != 0 ||
      header.authorities != 0 || header.additionals > 1)
    return bad;
  auto question = read_question(message, reader);
  if (!question) return bad;
  Query query;
  query.id = header.id;
  query.recursion_desired = (header.flags & kRecursionDesired) != 0;
  query.question = std::move(*question);
  if (header.additionals == 1) {
    const auto opt = read_record(message, reader);
    if (!opt || opt->type != Type::Opt || !opt->owner.is_root()) return bad;
    // The options in it (cookies, client subnets) are between the guest and nobody: they end here.
    query.edns_size = opt->cls;
    query.edns_version = static_cast<std::uint8_t>(opt->ttl >> 16);
  }
  if (!reader.at_end()) return bad;
  return query;
}

std::optional<Response> parse_response(std::span<const std::byte> message) {
  Reader reader(message);
  const Header header = read_header(reader);
  if (!reader.ok() || (header.flags & kResponse) == 0 || header.opcode() != 0 ||
      header.questions > 1)
    return std::nullopt;
  Response response;
  response.id = header.id;
  response.truncated = (header.flags & kTruncated) != 0;
  response.rcode = static_cast<Rcode>(header.flags & 0xf);
  if (header.questions == 1) {
    response.question = read_question(message, reader);
    if (!response.question) return std::nullopt;
  }
  // One that says it was cut may be cut anywhere; nothing of it but that is used.
  if (response.truncated) return response;
  if (!read_section(message, reader, header.answers, std::nullopt, response.answers) ||
      !read_section(message, reader, header.authorities, Type::Soa, response.authorities))
    return std::nullopt;
  // Additional records are never used, so they need not be well-formed.
  return response;
}

}  // namespace capsa::net::dns
