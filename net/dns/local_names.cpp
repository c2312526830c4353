#include <algorithm>
#include <net/dns/answer.hpp>
#include <net/dns/local_names.hpp>
#include <net/dns/record_data.hpp>
#include <utility>

namespace capsa::net::dns {
namespace {

// Seconds: members of a cluster come and go.
constexpr std::uint32_t kTtl = 5;

Name constant(std::string_view text) {
  return *Name::from_text(text);
}

error bad_name(std::string_view name) {
  return {ErrorCode::InvalidConfig, "\"" + std::string(name) + "\" is no domain name",
          "use labels of letters, digits and '-', at most 63 long, with dots between them"};
}

Reply unknown() {
  Reply reply;
  reply.rcode = Rcode::NameError;
  reply.authoritative = true;
  return reply;
}

Reply with_addresses(const Question& question, const std::vector<IpAddress>& addresses) {
  Reply reply;
  reply.authoritative = true;
  for (const IpAddress& address : addresses) {
    auto record = address_record(question.name, address, kTtl);
    if (record.type == question.type) reply.answers.push_back(std::move(record));
  }
  return reply;
}

/// One hexadecimal or decimal digit group of a reverse name.
std::optional<unsigned> number(std::string_view label, unsigned base, unsigned last) {
  if (label.empty() || label.size() > 3 || (label.size() > 1 && label[0] == '0'))
    return std::nullopt;
  unsigned value = 0;
  for (const char c : label) {
    const unsigned digit = c >= '0' && c <= '9'   ? static_cast<unsigned>(c - '0')
                           : c >= 'a' && c <= 'f' ? static_cast<unsigned>(c - 'a' + 10)
                                                  : 16;
    if (digit >= base) return std::nullopt;
    value = value * base + digit;
  }
  if (value > last) return std::nullopt;
  return value;
}

template <std::size_t N>
std::optional<std::array<std::uint8_t, N>> numbers(std::string_view text, unsigned base,
                                                   unsigned last) {
  std::array<std::uint8_t, N> out{};
  for (std::size_t i = N; i > 0; --i) {  // the last number comes first
    const std::size_t dot = text.find('.');
    const auto value = number(text.substr(0, dot), base, last);
    if (!value || (dot == std::string_view::npos) != (i == 1)) return std::nullopt;
    out[i - 1] = static_cast<std::uint8_t>(*value);
    if (i > 1) text.remove_prefix(dot + 1);
  }
  return out;
}

}  // namespace

std::optional<IpAddress> reverse_address(const Name& name) {
  if (!name.is_plain()) return std::nullopt;
  const std::string text = name.text();
  std::string_view left = text;
  constexpr std::string_view kV4 = ".in-addr.arpa", kV6 = ".ip6.arpa";
  if (left.ends_with(kV4)) {
    left.remove_suffix(kV4.size());
    if (const auto bytes = numbers<4>(left, 10, 255))
      return IpAddress::v4((*bytes)[0], (*bytes)[1], (*bytes)[2], (*bytes)[3]);
  } else if (left.ends_with(kV6)) {
    left.remove_suffix(kV6.size());
    if (const auto nibbles = numbers<32>(left, 16, 15)) {
      std::array<std::uint16_t, 8> groups{};
      for (std::size_t i = 0; i < nibbles->size(); ++i)
        groups[i / 4] = static_cast<std::uint16_t>(groups[i / 4] << 4 | (*nibbles)[i]);
      return IpAddress::v6(groups);
    }
  }
  return std::nullopt;
}

result<LocalNames> LocalNames::create(std::string_view search_domain) {
  LocalNames names;
  if (!search_domain.empty()) {
    names.search_domain_ = Name::from_text(search_domain);
    if (!names.search_domain_) return bad_name(search_domain);
  }
  return names;
}

result<void> LocalNames::add(std::string_view text, std::vector<IpAddress> addresses) {
  const auto name = Name::from_text(text);
  if (!name) return bad_name(text);
  if (search_domain_ && name->labels() == 1 && !name->joined(*search_domain_))
    return bad_name(text);
  names_[*name] = std::move(addresses);
  return {};
}

void LocalNames::remove(std::string_view text) {
  if (const auto name = Name::from_text(text)) names_.erase(*name);
}

const std::vector<IpAddress>* LocalNames::find(const Name& name) const {
  auto found = names_.find(name);
  if (found == names_.end() && search_domain_ && name.is_within(*search_domain_)) {
    for (auto it = names_.begin(); it != names_.end(); ++it) {
      if (it->first.labels() != 1 || !(it->first.joined(*search_domain_) == name)) continue;
      found = it;
      break;
    }
  }
  return found == names_.end() ? nullptr : &found->second;
}

std::optional<Reply> LocalNames::answer(const Question& question, bool ask_private) const {
  // Never destroyed: a static runtime answers until it ends, which is after other static objects.
  static const Name &localhost = *new Name(constant("localhost")),
                    &invalid = *new Name(constant("invalid")),
                    &onion = *new Name(constant("onion"));
  const Name& name = question.name;
  if (name.is_root()) return std::nullopt;
  if (const auto* addresses = find(name)) return with_addresses(question, *addresses);
  if (name.is_within(localhost))
    return with_addresses(question,
                          {IpAddress::v4(127, 0, 0, 1), IpAddress::v6({0, 0, 0, 0, 0, 0, 0, 1})});
  if (name.labels() == 1 || (search_domain_ && name.is_within(*search_domain_)) ||
      name.is_within(invalid) || name.is_within(onion))
    return unknown();
  return answer_reverse(question, ask_private);
}

std::optional<Reply> LocalNames::answer_reverse(const Question& question, bool ask_private) const {
  const auto address = reverse_address(question.name);
  if (!address) return std::nullopt;
  Reply reply;
  for (const auto& [name, addresses] : names_) {
    if (std::find(addresses.begin(), addresses.end(), *address) == addresses.end()) continue;
    reply.authoritative = true;
    if (question.type != Type::Ptr) return reply;
    const auto full = search_domain_ && name.labels() == 1 ? name.joined(*search_domain_) : name;
    reply.answers.push_back(pointer_record(question.name, full.value_or(name), kTtl));
    return reply;
  }
  // What the host's network calls its own machines is nobody's business (RFC 6303).
  if (!ask_private && is_private_answer(*address)) return unknown();
  return std::nullopt;
}

}  // namespace capsa::net::dns
