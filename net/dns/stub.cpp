#include <algorithm>
#include <net/dns/record_data.hpp>
#include <net/dns/stub.hpp>
#include <utility>
#include <variant>

namespace capsa::net::dns {

DnsStub::DnsStub(StubHost& host, LocalNames names, StubOptions options)
    : host_(host), names_(std::move(names)), options_(std::move(options)) {}

// -- from clients

void DnsStub::on_query(const Client& client, std::span<const std::byte> message, Time now) {
  auto parsed = parse_query(message);
  if (const auto* bad = std::get_if<BadQuery>(&parsed)) {
    ++stats_.malformed;
    if (bad->rcode) host_.reply(client, encode_bad_query(*bad, *bad->rcode));
    return;
  }
  ++stats_.questions;
  on_question(client, std::get<Query>(std::move(parsed)), now);
}

void DnsStub::on_question(const Client& client, Query query, Time now) {
  if (const auto at_once = answer_at_once(client, query)) return reply(client, query, *at_once);
  // The C library sends the same datagram again after some seconds: one answer will do.
  if (is_repeated(client, query)) {
    ++stats_.repeated;
    return;
  }
  const auto mine = per_owner_.find(client.owner);
  if (pending_.size() >= options_.max_total ||
      (mine != per_owner_.end() && mine->second >= options_.max_per_owner)) {
    ++stats_.over_limit;
    return reply(client, query, Rcode::ServerFailure);
  }
  if (options_.upstreams == 0) {
    ++stats_.failed;
    return reply(client, query, Rcode::ServerFailure);
  }
  Pending pending;
  pending.client = client;
  pending.name = query.question.name.text();
  pending.query = std::move(query);
  pending.server = preferred_;
  ask_upstream(std::move(pending), now);
}

std::optional<Reply> DnsStub::answer_at_once(const Client& client, const Query& query) {
  Reply reply;
  const Question& question = query.question;
  if (query.edns_version != 0) {
    reply.rcode = Rcode::BadVersion;
    return reply;
  }
  // Types of which nothing is ever passed on are not asked for either: NULL, ANY and zone transfers
  // carry anything. Names that are no plain text could be read as another name by a rule.
  const bool https = question.type == Type::Https || question.type == Type::Svcb;
  if (question.cls != kClassInternet || (!https && !is_known_data(question.type)) ||
      question.name.is_root() || !question.name.is_plain()) {
    ++stats_.refused;
    reply.rcode = Rcode::Refused;
    return reply;
  }
  if (auto local = names_.answer(question, options_.allow_private_answers)) {
    ++stats_.local;
    Resolved resolved{question.name.text(), {}, {}, kMinPinTtl, true};
    for (const Record& record : local->answers) {
      if (const auto address = address_in(record)) resolved.addresses.push_back(*address);
    }
    if (!resolved.addresses.empty()) host_.resolved(client, resolved);
    return local;
  }
  if (!host_.judge(client, question.name.text())) {
    ++stats_.denied;
    reply.rcode = Rcode::Refused;
    return reply;
  }
  // These carry keys for encrypted client hellos and addresses in a form of their own. Without one
  // a client goes by A and AAAA.
  if (https) return reply;
  return std::nullopt;
}

bool DnsStub::is_repeated(const Client& client, const Query& query) const {
  if (!per_owner_.contains(client.owner)) return false;
  return std::any_of(pending_.begin(), pending_.end(), [&](const auto& entry) {
    const Pending& pending = entry.second;
    return pending.client == client && pending.query.id == query.id &&
           pending.query.question == query.question;
  });
}

void DnsStub::forget(const std::function<bool(const Client&)>& whose) {
  for (auto it = pending_.begin(); it != pending_.end();) {
    const auto here = it++;
    if (whose(here->second.client)) static_cast<void>(take(here));
  }
}

// -- to clients

void DnsStub::reply(const Client& client, const Query& query, const Reply& reply) {
  const std::size_t limit = client.transport == Transport::Udp ? query.udp_limit() : kMaxMessage;
  host_.reply(client, encode_reply(query, reply, limit));
}

void DnsStub::reply(const Client& client, const Query& query, Rcode rcode) {
  Reply empty;
  empty.rcode = rcode;
  reply(client, query, empty);
}

}  // namespace capsa::net::dns
