#include <net/dns/message.hpp>
#include <net/dns/wire.hpp>
#include <string_view>
#include <utility>

namespace capsa::net::dns {
namespace {

constexpr std::uint16_t kResponse = 0x8000, kAuthoritative = 0x0400, kTruncated = 0x0200,
                        kRecursionDesired = 0x0100, kRecursionAvailable = 0x0080;
// What a pointer can say (RFC 1035, 4.1.4).
constexpr std::size_t kMaxPointer = 0x3fff;

/// Writes owners so that what was written of a name before is pointed at. Compares bytes as they
/// are, case and all: nobody's spelling is changed.
class Writer {
 public:
  std::vector<std::byte> out;

  void name(const Name& name) {
    std::string_view left = name.wire();
    for (; left.size() > 1; left.remove_prefix(1U + static_cast<std::uint8_t>(left[0]))) {
      for (const auto& [suffix, at] : seen_) {
        if (suffix != left) continue;
        put_u16(out, static_cast<unsigned>(0xc000U | at));
        return;
      }
      if (out.size() <= kMaxPointer && seen_.size() < kMaxSeen)
        seen_.emplace_back(left, out.size());
      const std::size_t label = 1U + static_cast<std::uint8_t>(left[0]);
      for (const char c : left.substr(0, label))
        put_u8(out, static_cast<std::uint8_t>(c));
    }
    put_u8(out, 0);
  }

  void question(const Question& question) {
    name(question.name);
    put_u16(out, static_cast<unsigned>(question.type));
    put_u16(out, question.cls);
  }

  void record(const Record& record) {
    name(record.owner);
    put_u16(out, static_cast<unsigned>(record.type));
    put_u16(out, kClassInternet);
    put_u32(out, record.ttl);
    put_u16(out, static_cast<unsigned>(record.data.size()));
    out.insert(out.end(), record.data.begin(), record.data.end());
  }

  /// RFC 6891, 6.1.2.
  void opt(unsigned extended_rcode) {
    put_u8(out, 0);
    put_u16(out, static_cast<unsigned>(Type::Opt));
    put_u16(out, kEdnsUdp);
    put_u32(out, static_cast<std::uint32_t>(extended_rcode) << 24);
    put_u16(out, 0);
  }

 private:
  // Owners of one reply are the names of one chain; this bounds a search that is linear.
  static constexpr std::size_t kMaxSeen = 64;
  std::vector<std::pair<std::string_view, std::size_t>> seen_;
};

void header(std::vector<std::byte>& out, std::uint16_t id, unsigned flags, unsigned questions,
            std::size_t answers, unsigned authorities, unsigned additionals) {
  put_u16(out, id);
  put_u16(out, flags);
  put_u16(out, questions);
  put_u16(out, static_cast<unsigned>(answers));
  put_u16(out, authorities);
  put_u16(out, additionals);
}

std::vector<std::byte> encode(const Query& query, const Reply& reply, bool cut) {
  Writer writer;
  const auto rcode = static_cast<unsigned>(reply.rcode);
  const unsigned flags = kResponse | kRecursionAvailable | (cut ? kTruncated : 0U) |
                         (query.recursion_desired ? kRecursionDesired : 0U) |
                         (reply.authoritative ? kAuthoritative : 0U) | (rcode & 0xfU);
  const bool soa = reply.soa && !cut;
  header(writer.out, query.id, flags, 1, cut ? 0 : reply.answers.size(), soa ? 1 : 0,
         query.edns_size ? 1 : 0);
  writer.question(query.question);
  if (!cut) {
    for (const Record& record : reply.answers)
      writer.record(record);
  }
  if (soa) writer.record(*reply.soa);
  if (query.edns_size) writer.opt(rcode >> 4);
  return std::move(writer.out);
}

}  // namespace

std::vector<std::byte> encode_query(std::uint16_t id, const Question& question, bool edns) {
  Writer writer;
  header(writer.out, id, kRecursionDesired, 1, 0, 0, edns ? 1 : 0);
  writer.question(question);
  if (edns) writer.opt(0);
  return std::move(writer.out);
}

std::vector<std::byte> encode_reply(const Query& query, const Reply& reply, std::size_t limit) {
  auto bytes = encode(query, reply, false);
  if (bytes.size() > limit) bytes = encode(query, reply, true);
  return bytes;
}

std::vector<std::byte> encode_bad_query(const BadQuery& bad, Rcode rcode) {
  std::vector<std::byte> out;
  const auto flags =
      static_cast<unsigned>(kResponse | bad.opcode << 11 | static_cast<unsigned>(rcode));
  header(out, bad.id, flags, 0, 0, 0, 0);
  return out;
}

}  // namespace capsa::net::dns
