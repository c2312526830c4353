#include <actors/network/flow_file.hpp>
#include <actors/network/flow_text.hpp>
#include <array>
#include <cstdio>
#include <ctime>
#include <net/packet/packet.hpp>
#include <span>

namespace capsa::network {

namespace {

/// "2026-11-28T23:59:59.123Z"
std::string to_text(std::chrono::system_clock::time_point when) {
  using namespace std::chrono;
  const auto whole = floor<seconds>(when);
  const auto milliseconds = duration_cast<std::chrono::milliseconds>(when - whole).count();
  const std::time_t seconds = system_clock::to_time_t(whole);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  std::array<char, 64> out{};
  const auto size = std::strftime(out.data(), out.size(), "%Y-%m-%dT%H:%M:%S", &utc);
  std::snprintf(out.data() + size, out.size() - size, ".%03dZ", static_cast<int>(milliseconds));
  return out.data();
}

/// A name is what a guest has sent, and a rule what a user has written: a line stays one.
std::string clean(const std::string& text) {
  std::string out = text.empty() ? "-" : text;
  for (char& c : out)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  return out;
}

}  // namespace

std::string flow_line(const net::FlowBegin& flow, std::chrono::system_clock::time_point when) {
  // What a ping has instead of ports is nobody's business.
  const auto protocol = protocol_text(flow.ip_protocol);
  const bool ports = protocol != "icmp";
  return to_text(when) + "\t" + (flow.allowed ? "allow" : "deny") + "\t" + protocol + "\t" +
         endpoint_text(flow.from, ports ? flow.from_port : std::uint16_t{0}) + "\t" +
         endpoint_text(flow.to, ports ? flow.to_port : std::uint16_t{0}) + "\t" + clean(flow.name) +
         "\t" + clean(flow.reason) + "\n";
}

void FlowFile::write(const net::FlowBegin& flow) {
  const auto now = std::chrono::system_clock::now();
  std::string text = flow_line(flow, now);
  if (lost_ != 0) text = to_text(now) + "\tlost\t" + std::to_string(lost_) + "\n" + text;
  if (out_.sink().write(std::as_bytes(std::span(text.data(), text.size()))))
    lost_ = 0;
  else
    ++lost_;
}

}  // namespace capsa::network
