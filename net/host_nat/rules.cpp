#include <charconv>
#include <net/host_nat/rules.hpp>

namespace capsa::net::host_nat {
namespace {

constexpr std::string_view kPrefix = "capsa_";

template <class T>
bool take_number(std::string_view& text, T& number) {
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc() || end == text.data() || text.front() == '-') return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

}  // namespace

std::string TableName::to_string() const {
  return std::string(kPrefix) + std::to_string(owner) + "_" + std::to_string(number);
}

std::optional<TableName> TableName::parse(std::string_view text) {
  if (!text.starts_with(kPrefix)) return std::nullopt;
  text.remove_prefix(kPrefix.size());
  TableName out;
  if (!take_number(text, out.owner) || !text.starts_with('_')) return std::nullopt;
  text.remove_prefix(1);
  if (!take_number(text, out.number) || !text.empty()) return std::nullopt;
  return out;
}

std::string ruleset(const Rules& rules) {
  const std::string table = "inet " + rules.table + " ";
  const std::string inside = "\"" + rules.interface + "\" ";
  const std::string guest = "ip saddr " + rules.guest.to_string() + " ";
  std::string out;
  const auto chain = [&](const std::string& name, const std::string& hook) {
    out += "add chain " + table + name + " { type " + hook + "; policy accept; }\n";
  };
  const auto rule = [&](const std::string& text) { out += "add rule " + table + text + "\n"; };
  // Not "add": a table of that name that is there is somebody's, and not to be joined.
  out += "create table inet " + rules.table + "\n";
  chain("leaving", "nat hook postrouting priority srcnat");
  rule("leaving " + guest + "oifname != " + inside + "masquerade");
  chain("passing", "filter hook forward priority filter");
  rule("passing iifname " + inside + guest + "accept");
  rule("passing oifname " + inside + "ct state established,related accept");
  rule("passing iifname " + inside + "drop");
  rule("passing oifname " + inside + "drop");
  return out;
}

std::string removal(const std::string& table) {
  // nft of Debian 12 has no "destroy", and to delete what is not there is an error.
  return "add table inet " + table + "\ndelete table inet " + table + "\n";
}

}  // namespace capsa::net::host_nat
