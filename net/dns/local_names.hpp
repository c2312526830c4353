#pragma once

#include <capsa/ip_address.hpp>
#include <capsa/result.hpp>
#include <map>
#include <net/dns/message.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace capsa::net::dns {

/// The address whose name a PTR question asks for: of in-addr.arpa (RFC 1035, 3.5) or ip6.arpa
/// (RFC 3596, 2.5). Nothing for any other name.
std::optional<IpAddress> reverse_address(const Name& name);

/// The names that never leave the host, and what they mean. Single-threaded.
class LocalNames {
 public:
  /// `search_domain` is what guests put behind a single label ("" for none). InvalidConfig where it
  /// is no domain name.
  static result<LocalNames> create(std::string_view search_domain);

  /// `name` is one label, and is known with and without the search domain; a name with dots is
  /// known as it is. What was known under it before is replaced. InvalidConfig where it is no
  /// domain name, or too long with the search domain.
  result<void> add(std::string_view name, std::vector<IpAddress> addresses);
  /// Nothing where it is unknown.
  void remove(std::string_view name);

  /// The whole reply where the question is ours: names that were added, everything else of a single
  /// label or below the search domain, localhost and the names of RFC 6761 and RFC 7686 that have
  /// no meaning outside, and the names of added and (without `ask_private`) of all private
  /// addresses.
  std::optional<Reply> answer(const Question& question, bool ask_private) const;

 private:
  LocalNames() = default;
  std::optional<Reply> answer_reverse(const Question& question, bool ask_private) const;
  const std::vector<IpAddress>* find(const Name& name) const;

  std::optional<Name> search_domain_;
  std::map<Name, std::vector<IpAddress>> names_;
};

}  // namespace capsa::net::dns
