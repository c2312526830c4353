#include <algorithm>
#include <net/dns/answer.hpp>
#include <net/dns/record_data.hpp>
#include <utility>

namespace capsa::net::dns {
namespace {

bool is_address(Type type) {
  return type == Type::A || type == Type::Aaaa;
}

/// Of the name where the chain stands; of several the first, all others are foreign.
const Record* find_cname(const Response& response, const Name& owner) {
  const auto found = std::find_if(
      response.answers.begin(), response.answers.end(),
      [&](const Record& record) { return record.type == Type::Cname && record.owner == owner; });
  return found == response.answers.end() ? nullptr : &*found;
}

/// Appends the chain to `answer` and gives its last name; nothing where it does not end well.
std::optional<Name> follow(const Question& question, const Response& response,
                           CheckedAnswer& answer) {
  Name at = question.name;
  while (const Record* cname = find_cname(response, at)) {
    auto target = name_in(*cname);
    if (!target || !target->is_plain() || target->is_root()) return std::nullopt;
    if (answer.chain.size() == kMaxChain || *target == question.name ||
        std::find(answer.chain.begin(), answer.chain.end(), *target) != answer.chain.end())
      return std::nullopt;
    // The owner in the spelling of whoever led here, so that names in the reply are one.
    answer.reply.answers.push_back({at, Type::Cname, cname->ttl, cname->data});
    answer.chain.push_back(*target);
    at = std::move(*target);
  }
  return at;
}

void take_records(const Question& question, const Response& response, const Name& end,
                  bool allow_private, CheckedAnswer& answer) {
  for (const Record& record : response.answers) {
    if (record.type == Type::Cname) continue;
    if (!(record.owner == end) || record.type != question.type) {
      ++answer.foreign_records;
      continue;
    }
    if (const auto address = address_in(record)) {
      if (!allow_private && is_private_answer(*address)) {
        answer.private_addresses.push_back(*address);
        continue;
      }
      answer.addresses.push_back(*address);
    }
    answer.reply.answers.push_back({end, record.type, record.ttl, record.data});
  }
}

/// One TTL for all: nobody may keep the address longer than the chain that leads to it holds.
void settle_ttl(CheckedAnswer& answer) {
  std::uint32_t ttl = kMaxTtl;
  for (const Record& record : answer.reply.answers)
    ttl = std::min(ttl, record.ttl);
  for (Record& record : answer.reply.answers)
    record.ttl = ttl;
  answer.pin_ttl = std::max(ttl, kMinPinTtl);
}

void take_soa(const Response& response, const Name& end, CheckedAnswer& answer) {
  for (const Record& soa : response.authorities) {
    if (!end.is_within(soa.owner)) continue;
    answer.reply.soa = soa;
    answer.reply.soa->ttl = std::min(soa.ttl, kMaxTtl);
    return;
  }
}

}  // namespace

bool is_private_answer(const IpAddress& address) noexcept {
  const IpAddress judged = address.embedded_v4().value_or(address);
  if (judged.is_v4() && (judged.to_v4() >> 24 == 0 || judged.to_v4() >> 28 == 0xf)) return true;
  return judged.is_unspecified() || judged.is_loopback() || judged.is_link_local() ||
         judged.is_private() || judged.is_multicast();
}

CheckedAnswer check_answer(const Question& question, const Response& response, bool allow_private) {
  CheckedAnswer answer;
  const auto end =
      question.type == Type::Cname ? question.name : follow(question, response, answer);
  if (!end) {
    answer = {};
    answer.reply.rcode = Rcode::ServerFailure;
    return answer;
  }
  answer.reply.rcode = response.rcode;
  if (question.type == Type::Cname) {
    if (const Record* cname = find_cname(response, question.name))
      answer.reply.answers.push_back({question.name, Type::Cname, cname->ttl, cname->data});
  } else if (response.rcode == Rcode::NoError) {
    take_records(question, response, *end, allow_private, answer);
  }
  if (is_address(question.type) && answer.addresses.empty() && !answer.private_addresses.empty()) {
    // No address at all fails at once; a chain to nowhere is of no use.
    answer.reply.answers.clear();
    answer.chain.clear();
    return answer;
  }
  settle_ttl(answer);
  const bool nothing = answer.reply.answers.size() == answer.chain.size();
  if (nothing) take_soa(response, *end, answer);
  return answer;
}

}  // namespace capsa::net::dns
