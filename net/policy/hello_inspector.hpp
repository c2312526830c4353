#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace capsa::net {

/// Which name the client of a TCP flow carries in its first bytes: the SNI of a TLS ClientHello
/// (RFC 8446, 4.1.2; RFC 6066, 3) or the Host of an HTTP/1 request (RFC 9112, 3.2), whatever the
/// port. Takes the stream in pieces, cut anywhere. What two servers might read differently is
/// Malformed: two names, folded headers, bare CRs. Pure.
class HelloInspector {
 public:
  enum class State : std::uint8_t {
    NeedMore,   ///< no answer yet
    Tls,        ///< a whole ClientHello
    Http,       ///< a whole head of a request
    Other,      ///< neither
    Malformed,  ///< it began as one of the two and went wrong, or is longer than kMaxBytes
  };
  /// What is kept at most. A ClientHello with post-quantum key shares has some 2 KiB, a head with
  /// cookies up to 8; common servers refuse heads over 8 to 16.
  static constexpr std::size_t kMaxBytes = 16 * 1024;

  /// The next bytes of the stream; none after the state is final.
  State feed(std::span<const std::byte> bytes);
  State state() const noexcept { return state_; }
  /// Of Tls and Http, in canonical form; empty where it carries none.
  const std::string& name() const noexcept { return name_; }
  /// Of Tls: an encrypted ClientHello is in it (RFC 9849), or what shall look like one. The name is
  /// the outer one, and need not be where the flow goes.
  bool has_ech() const noexcept { return ech_; }
  /// Everything that was fed, at most kMaxBytes and the piece that ended it.
  std::span<const std::byte> seen() const noexcept { return seen_; }

 private:
  State look();
  State look_at_tls();
  State look_at_http();

  std::vector<std::byte> seen_;
  std::size_t scanned_ = 0;  // of an HTTP head: no empty line before
  State state_ = State::NeedMore;
  std::string name_;
  bool ech_ = false;
};

/// The parts, for a whole ClientHello behind its four bytes of handshake header, and for a whole
/// head with its empty line. False where it is malformed.
struct HelloFacts {
  std::string name;
  bool ech = false;
};
bool read_client_hello(std::span<const std::byte> body, HelloFacts& out);
bool read_http_head(std::string_view head, HelloFacts& out);

}  // namespace capsa::net
