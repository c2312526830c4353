#include <algorithm>
#include <net/dns/resolv_conf.hpp>
#include <utility>

namespace capsa::net::dns {
namespace {

constexpr std::string_view kBlank = " \t\r";
// IFNAMSIZ without its end.
constexpr std::size_t kMaxZone = 15;

/// The first word; `line` goes on behind it.
std::string_view word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(kBlank), line.size()));
  const auto end = std::min(line.find_first_of(kBlank), line.size());
  const std::string_view out = line.substr(0, end);
  line.remove_prefix(end);
  return out;
}

}  // namespace

std::vector<Resolver> resolvers_from_resolv_conf(std::string_view text) {
  std::vector<Resolver> out;
  while (!text.empty() && out.size() < kMaxResolvers) {
    const auto end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    // resolv.conf(5): the keyword begins the line; '#' and ';' there make a comment.
    if (line.empty() || kBlank.find(line[0]) != std::string_view::npos) continue;
    if (word(line) != "nameserver") continue;
    const std::string_view server = word(line);
    const auto percent = server.find('%');
    const auto address = IpAddress::parse(server.substr(0, percent));
    if (!address) continue;
    Resolver resolver{*address, {}};
    if (percent != std::string_view::npos) {
      const std::string_view zone = server.substr(percent + 1);
      if (address->is_v4() || zone.empty() || zone.size() > kMaxZone) continue;
      resolver.zone = zone;
    }
    if (std::find(out.begin(), out.end(), resolver) == out.end())
      out.push_back(std::move(resolver));
  }
  return out;
}

}  // namespace capsa::net::dns
