#include <algorithm>
#include <net/dns/stub.hpp>
#include <random>
#include <utility>

namespace capsa::net::dns {
namespace {

// Of one try. Nobody honest sends any; who guesses has 2^16 IDs to go through, and cannot do so
// over TCP at all (RFC 5452, 9.3).
constexpr unsigned kMaxWrong = 8;

/// Whether it is about what was asked. Some servers leave the question out when they refuse.
bool answers(const Response& response, const Question& question) {
  if (response.question) return *response.question == question;
  return response.rcode != Rcode::NoError && response.rcode != Rcode::NameError;
}

}  // namespace

std::uint16_t DnsStub::fresh_id() {
  if (options_.random_id) return options_.random_id();
  static thread_local std::random_device device;
  return static_cast<std::uint16_t>(device());
}

void DnsStub::ask_upstream(Pending pending, Time now) {
  const std::uint64_t key = next_key_++;
  pending.server %= options_.upstreams;
  pending.id = fresh_id();
  pending.wrong = 0;
  pending.deadline = now + options_.timeout;
  const UpstreamQuery query{key, pending.server, pending.transport,
                            encode_query(pending.id,
                                         {pending.query.question.name.lower_case(),
                                          pending.query.question.type, kClassInternet},
                                         pending.edns)};
  deadlines_.emplace(pending.deadline, key);
  ++per_owner_[pending.client.owner];
  pending_.emplace(key, std::move(pending));
  ++stats_.asked;
  host_.ask(query);
}

DnsStub::Pending DnsStub::take(PendingMap::iterator at) {
  const std::uint64_t key = at->first;
  Pending pending = std::move(at->second);
  pending_.erase(at);
  deadlines_.erase({pending.deadline, key});
  const auto mine = per_owner_.find(pending.client.owner);
  if (--mine->second == 0) per_owner_.erase(mine);
  host_.forget(key);
  return pending;
}

void DnsStub::on_upstream(std::uint64_t key, std::span<const std::byte> message, Time now) {
  const auto found = pending_.find(key);
  if (found == pending_.end()) {
    ++stats_.late;
    return;
  }
  const auto response = parse_response(message);
  if (!response || response->id != found->second.id ||
      !answers(*response, found->second.query.question))
    return on_wrong(found, now);
  Pending pending = take(found);
  if (response->truncated) {
    if (pending.transport == Transport::Tcp) return try_next(std::move(pending), now);
    pending.transport = Transport::Tcp;
    return ask_upstream(std::move(pending), now);
  }
  switch (response->rcode) {
    case Rcode::NoError:
    case Rcode::NameError:
      return on_answer(std::move(pending), *response);
    case Rcode::FormatError:
    case Rcode::NotImplemented:
      // An old server that does not know EDNS (RFC 6891, 7).
      if (!pending.edns) return try_next(std::move(pending), now);
      pending.edns = false;
      return ask_upstream(std::move(pending), now);
    default:
      return try_next(std::move(pending), now);
  }
}

void DnsStub::on_wrong(PendingMap::iterator at, Time now) {
  ++stats_.wrong;
  Pending& pending = at->second;
  // A stream cannot be spoofed: its other end is broken, and goes on to be.
  if (pending.transport == Transport::Tcp) return try_next(take(at), now);
  if (++pending.wrong < kMaxWrong) return;
  Pending again = take(at);
  again.transport = Transport::Tcp;
  ask_upstream(std::move(again), now);
}

void DnsStub::on_upstream_failed(std::uint64_t key, Time now) {
  const auto found = pending_.find(key);
  if (found != pending_.end()) try_next(take(found), now);
}

void DnsStub::try_next(Pending pending, Time now) {
  if (++pending.tries >= std::max(options_.tries, options_.upstreams) || options_.upstreams == 0) {
    ++stats_.failed;
    return reply(pending.client, pending.query, Rcode::ServerFailure);
  }
  ++pending.server;
  pending.transport = Transport::Udp;
  pending.edns = true;
  ask_upstream(std::move(pending), now);
}

void DnsStub::on_answer(Pending pending, const Response& response) {
  preferred_ = pending.server;
  const auto checked =
      check_answer(pending.query.question, response, options_.allow_private_answers);
  stats_.private_addresses += checked.private_addresses.size();
  stats_.foreign_records += checked.foreign_records;
  if (!checked.private_addresses.empty())
    host_.private_answer(pending.client, pending.name, checked.private_addresses);
  if (!checked.addresses.empty()) {
    Resolved resolved{pending.name, {}, checked.addresses, checked.pin_ttl, false};
    for (const Name& name : checked.chain)
      resolved.chain.push_back(name.text());
    host_.resolved(pending.client, resolved);
  }
  reply(pending.client, pending.query, checked.reply);
}

// -- time

std::optional<DnsStub::Time> DnsStub::next_deadline() const {
  if (deadlines_.empty()) return std::nullopt;
  return deadlines_.begin()->first;
}

void DnsStub::on_deadline(Time now) {
  // What is asked again has a deadline after `now`, so that this ends.
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    ++stats_.timeouts;
    try_next(take(pending_.find(deadlines_.begin()->second)), now);
  }
}

}  // namespace capsa::net::dns
