#include <capsa/network_policy.hpp>
#include <net/packet/wire.hpp>
#include <net/policy/hello_inspector.hpp>

namespace capsa::net {
namespace {

constexpr std::uint16_t kServerName = 0;
constexpr std::uint16_t kEncryptedClientHello = 0xfe0d;  // RFC 9849
constexpr std::uint16_t kEncryptedServerName = 0xffce;   // its drafts up to 6

/// A reader that fails for good where the bytes end.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : left_(bytes) {}
  bool ok() const { return ok_; }
  bool empty() const { return left_.empty(); }
  std::span<const std::byte> take(std::size_t count) {
    if (left_.size() < count) {
      ok_ = false;
      left_ = {};
      return {};
    }
    const auto out = left_.first(count);
    left_ = left_.subspan(count);
    return out;
  }
  std::size_t number(std::size_t bytes) {
    std::size_t value = 0;
    for (const std::byte byte : take(bytes))
      value = value << 8 | std::to_integer<std::size_t>(byte);
    return value;
  }
  /// A vector that says its length in so many bytes (RFC 8446, 3.4).
  std::span<const std::byte> vector(std::size_t bytes) { return take(number(bytes)); }

 private:
  std::span<const std::byte> left_;
  bool ok_ = true;
};

/// RFC 6066, 3: a list of names, of which one may be a host name.
bool read_server_name(std::span<const std::byte> extension, std::string& out) {
  Reader outer(extension);
  Reader list(outer.vector(2));
  if (!outer.ok() || !outer.empty() || list.empty()) return false;
  while (list.ok() && !list.empty()) {
    const auto type = list.number(1);
    const auto name = list.vector(2);
    if (!list.ok() || type != 0 || name.empty() || !out.empty()) return false;
    for (const std::byte byte : name) {
      const auto c = std::to_integer<char>(byte);
      if (c <= ' ' || c > '~') return false;
      out += c;
    }
  }
  return list.ok();
}

}  // namespace

bool read_client_hello(std::span<const std::byte> body, HelloFacts& out) {
  Reader hello(body);
  hello.take(2 + 32);                                 // version, random
  if (hello.vector(1).size() > 32) return false;      // session
  if (hello.vector(2).size() % 2 != 0) return false;  // cipher suites
  hello.vector(1);                                    // compression
  if (!hello.ok()) return false;
  if (hello.empty()) return true;  // RFC 5246, 7.4.1.2: extensions may be left out
  Reader extensions(hello.vector(2));
  if (!hello.ok() || !hello.empty()) return false;
  bool named = false;
  while (!extensions.empty()) {
    const auto type = extensions.number(2);
    const auto content = extensions.vector(2);
    if (!extensions.ok()) return false;
    if (type == kServerName) {
      if (named || !read_server_name(content, out.name)) return false;
      named = true;
    }
    if (type == kEncryptedClientHello || type == kEncryptedServerName) out.ech = true;
  }
  out.name = canonical_domain(out.name);
  return true;
}

}  // namespace capsa::net
