#include <algorithm>
#include <net/packet/wire.hpp>
#include <net/policy/hello_inspector.hpp>
#include <string_view>

namespace capsa::net {
namespace {

constexpr std::uint8_t kHandshake = 22;
constexpr std::uint8_t kClientHello = 1;
constexpr std::size_t kRecordHeader = 5;
constexpr std::size_t kMaxRecord = 1 << 14;  // RFC 8446, 5.1
constexpr std::size_t kHandshakeHeader = 4;
/// The longest registered method has 17 (UPDATEREDIRECTREF); more is no method.
constexpr std::size_t kMaxMethod = 24;

bool is_token(char c) {  // RFC 9110, 5.6.2
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

/// Whether a first line is one of HTTP: it says so, or has a method of HTTP/0.9 or a usual one. The
/// others are greetings of other protocols, as EHLO or SSH-2.0.
bool is_request_line(std::string_view line, std::string_view method) {
  static constexpr std::string_view kMethods[] = {"GET",     "HEAD",    "POST",  "PUT",   "DELETE",
                                                  "CONNECT", "OPTIONS", "TRACE", "PATCH", "PRI"};
  return line.find(" HTTP/") != std::string_view::npos ||
         std::find(std::begin(kMethods), std::end(kMethods), method) != std::end(kMethods);
}

}  // namespace

HelloInspector::State HelloInspector::feed(std::span<const std::byte> bytes) {
  if (state_ != State::NeedMore || bytes.empty()) return state_;
  // One byte more than the cap is enough to know; the rest of a large segment is not kept.
  const std::size_t room = kMaxBytes + 1 - seen_.size();
  const auto kept = bytes.first(std::min(bytes.size(), room));
  seen_.insert(seen_.end(), kept.begin(), kept.end());
  state_ = look();
  if (state_ == State::NeedMore && seen_.size() > kMaxBytes) state_ = State::Malformed;
  return state_;
}

HelloInspector::State HelloInspector::look() {
  if (wire::load8(seen_, 0) == kHandshake) return look_at_tls();
  return look_at_http();
}

/// The ClientHello may lie in several records, cut anywhere (RFC 8446, 5.1).
HelloInspector::State HelloInspector::look_at_tls() {
  std::vector<std::byte> hello;
  std::size_t at = 0;
  while (at < seen_.size()) {
    const std::size_t left = seen_.size() - at;
    // Nothing else begins with a 22, but what is no TLS is none of ours.
    if (wire::load8(seen_, at) != kHandshake || (left > 1 && wire::load8(seen_, at + 1) != 3))
      return at == 0 ? State::Other : State::Malformed;
    if (left < kRecordHeader) return State::NeedMore;
    const std::size_t length = wire::load16(seen_, at + 3);
    if (length == 0 || length > kMaxRecord) return State::Malformed;
    const std::size_t there = std::min(length, left - kRecordHeader);
    const auto content = seen_.begin() + static_cast<std::ptrdiff_t>(at + kRecordHeader);
    hello.insert(hello.end(), content, content + static_cast<std::ptrdiff_t>(there));
    if (!hello.empty() && wire::load8(hello, 0) != kClientHello) return State::Malformed;
    if (hello.size() >= kHandshakeHeader) {
      const std::size_t whole = kHandshakeHeader + (wire::load32(hello, 0) & 0xffffff);
      if (whole > kMaxBytes) return State::Malformed;
      if (hello.size() >= whole) {
        HelloFacts facts;
        const auto body =
            std::span<const std::byte>(hello).subspan(kHandshakeHeader, whole - kHandshakeHeader);
        if (!read_client_hello(body, facts)) return State::Malformed;
        name_ = std::move(facts.name);
        ech_ = facts.ech;
        return State::Tls;
      }
    }
    if (there < length) return State::NeedMore;
    at += kRecordHeader + length;
  }
  return State::NeedMore;
}

HelloInspector::State HelloInspector::look_at_http() {
  std::string_view text(reinterpret_cast<const char*>(seen_.data()), seen_.size());
  // RFC 9112, 2.2: a server ignores empty lines in front.
  const auto start = text.find_first_not_of("\r\n");
  if (start == std::string_view::npos) return State::NeedMore;
  text.remove_prefix(start);
  const auto method =
      static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), is_token) - text.begin());
  if (method > kMaxMethod) return State::Other;
  if (method == text.size()) return State::NeedMore;
  if (method == 0 || text[method] != ' ') return State::Other;
  const auto first = text.find('\n');
  if (first == std::string_view::npos) return State::NeedMore;
  auto line = text.substr(0, first);
  if (!is_request_line(line, text.substr(0, method))) return State::Other;
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.find(' ', method + 1) == std::string_view::npos) return State::Http;  // HTTP/0.9
  // The head ends with an empty line: LF LF, or LF CR LF. It was not before what has been scanned.
  std::size_t from = std::max(scanned_, start) - start;
  for (;;) {
    const auto end = text.find('\n', from);
    if (end == std::string_view::npos) break;
    const auto next = text.substr(end + 1);
    std::size_t empty = 0;
    if (next.starts_with('\n')) empty = 1;
    if (next.starts_with("\r\n")) empty = 2;
    if (empty != 0) {
      HelloFacts facts;
      if (!read_http_head(text.substr(0, end + 1 + empty), facts)) return State::Malformed;
      name_ = std::move(facts.name);
      return State::Http;
    }
    from = end + 1;
  }
  // An empty line may begin with the last three bytes.
  scanned_ = seen_.size() > 3 ? seen_.size() - 3 : 0;
  return State::NeedMore;
}

}  // namespace capsa::net
