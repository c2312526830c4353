#pragma once

#include <boost/test/unit_test.hpp>
#include <net/dns/record_data.hpp>
#include <net/dns/stub.hpp>
#include <set>
#include <string>
#include <tests/unit/net/dns/wire.hpp>
#include <utility>
#include <vector>

namespace capsa::net::dns::test {

/// Keeps all that a stub says, in one order.
struct FakeHost final : StubHost {
  bool judge(const Client&, std::string_view name) override {
    judged.emplace_back(name);
    log += "judge ";
    return !denied.contains(std::string(name));
  }
  void resolved(const Client& client, const Resolved& what) override {
    resolutions.emplace_back(client, what);
    log += "resolved ";
  }
  void private_answer(const Client&, std::string_view name,
                      const std::vector<IpAddress>& addresses) override {
    private_answers.emplace_back(name, addresses);
  }
  void reply(const Client& client, std::span<const std::byte> message) override {
    replies.emplace_back(client, Bytes(message.begin(), message.end()));
    log += "reply ";
  }
  void ask(const UpstreamQuery& query) override {
    asked.push_back(query);
    log += "ask ";
  }
  void forget(std::uint64_t key) override { forgotten.push_back(key); }

  std::set<std::string> denied;
  std::vector<std::string> judged;
  std::vector<std::pair<Client, Resolved>> resolutions;
  std::vector<std::pair<std::string, std::vector<IpAddress>>> private_answers;
  std::vector<std::pair<Client, Bytes>> replies;
  std::vector<UpstreamQuery> asked;
  std::vector<std::uint64_t> forgotten;
  std::string log;
};

struct StubFixture {
  using Time = DnsStub::Time;

  static LocalNames make_names() {
    auto names = LocalNames::create("capsa.internal").value();
    names.add("web", {IpAddress::v4(10, 0, 3, 15)}).value();
    return names;
  }
  StubOptions make_options() {
    StubOptions options;
    options.upstreams = 2;
    options.random_id = [this] { return next_id++; };
    return options;
  }

  void ask(const Bytes& message) { stub.on_query(client, message, now); }
  void ask(unsigned id, std::string_view name, unsigned type = 1) { ask(query(id, name, type)); }
  /// To the last query that went upstream, with its ID and question.
  Wire response(std::string_view name, unsigned answers, unsigned flags = 0x8180,
                unsigned type = 1) {
    return std::move(Wire()
                         .header(u16_at(host.asked.back().message, 0), flags, 1, answers)
                         .question(name, type));
  }
  void answer(const Wire& wire) { stub.on_upstream(host.asked.back().key, wire.out, now); }
  /// Of the last reply.
  Response last_reply() {
    BOOST_REQUIRE(!host.replies.empty());
    const auto reply = parse_response(host.replies.back().second);
    BOOST_REQUIRE(reply);
    return *reply;
  }
  void wait(std::chrono::milliseconds time) {
    now += time;
    stub.on_deadline(now);
  }

  std::uint16_t next_id = 0x4000;
  Time now{};
  FakeHost host;
  DnsStub stub{host, make_names(), make_options()};
  Client client{1, IpAddress::v4(10, 0, 3, 20), 5000, Transport::Udp,
                0, IpAddress::v4(10, 0, 3, 1)};
};

}  // namespace capsa::net::dns::test
