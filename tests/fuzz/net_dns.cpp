// DNS from both sides: what guests send to the stub, and what its upstreams, or whoever plays them,
// send back. Operations of one byte with their operands; messages have a length of one byte before
// them, of upstreams with the right ID and question where the operation says so.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <net/dns/record_data.hpp>
#include <net/dns/resolv_conf.hpp>
#include <net/dns/stub.hpp>
#include <net/dns/tcp_framing.hpp>
#include <optional>
#include <tests/support/fuzz_input.hpp>
#include <vector>

namespace {

using namespace capsa::net::dns;
using capsa::test::FuzzInput;
using Bytes = std::vector<std::byte>;

void require(bool holds) {
  if (!holds) std::abort();
}

struct Host final : StubHost {
  bool judge(const Client&, std::string_view name) override {
    require(Name::from_text(name).has_value());
    return !name.ends_with(".deny");
  }
  void resolved(const Client&, const Resolved& what) override {
    require(!what.addresses.empty() && what.chain.size() <= kMaxChain);
    require(what.ttl >= kMinPinTtl && what.ttl <= kMaxTtl);
    if (what.local) return;
    require(!what.name.ends_with(".deny"));
    for (const auto& address : what.addresses)
      require(!is_private_answer(address));
  }
  void private_answer(const Client&, std::string_view,
                      const std::vector<capsa::IpAddress>& addresses) override {
    require(!addresses.empty());
  }
  void reply(const Client& client, std::span<const std::byte> message) override {
    require(message.size() >= 12);
    require(message.size() <= (client.transport == Transport::Udp ? kEdnsUdp : kMaxMessage));
    require(message.size() == 12 || parse_response(message).has_value());  // a bare refusal
  }
  void ask(const UpstreamQuery& query) override {
    require(std::holds_alternative<Query>(parse_query(query.message)));
    last = query;
  }
  void forget(std::uint64_t key) override { require(key != 0); }

  std::optional<UpstreamQuery> last;
};

void codec(std::span<const std::byte> bytes) {
  if (const auto response = parse_response(bytes); response && response->question) {
    const auto checked = check_answer(*response->question, *response, false);
    require(checked.reply.answers.size() <= kMaxRecords + kMaxChain);
    Query query;
    query.question = *response->question;
    const auto again = parse_response(encode_reply(query, checked.reply, kMaxMessage));
    require(again && again->question == query.question);
    if (!again->truncated && checked.reply.answers.size() <= kMaxRecords)
      require(again->answers == checked.reply.answers);
  }
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  require(resolvers_from_resolv_conf(text).size() <= kMaxResolvers);
  if (const auto name = Name::from_text(text)) {
    require(Name::from_text(name->text()) == name);
    reverse_address(*name);
  }
}

std::size_t frames_in(std::span<const std::byte> stream, std::size_t piece) {
  TcpUnframer unframer;
  std::size_t sum = 0;
  while (!stream.empty()) {
    auto part = stream.first(std::min(piece, stream.size()));
    stream = stream.subspan(part.size());
    while (const auto message = unframer.next(part))
      sum = sum * 31 + message->size();
  }
  return sum;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto all = std::as_bytes(std::span(data, size));
  codec(all);
  require(frames_in(all, 1) == frames_in(all, SIZE_MAX));

  FuzzInput input(data, size);
  Host host;
  LocalNames names = LocalNames::create("capsa.internal").value();
  names.add("web", {capsa::IpAddress::v4(10, 0, 2, 15)}).value();
  StubOptions options;
  options.upstreams = 2;
  options.max_per_owner = 4;
  options.random_id = [] { return std::uint16_t{0x1234}; };
  DnsStub stub(host, std::move(names), options);
  DnsStub::Time now{};
  while (!input.empty()) {
    const auto operation = input.take<std::uint8_t>();
    Client client;
    client.owner = operation >> 6;
    client.transport = (operation & 8) != 0 ? Transport::Tcp : Transport::Udp;
    switch (operation % 6) {
      case 0:
        stub.on_query(client, input.bytes(input.take<std::uint8_t>()), now);
        break;
      case 1:
      case 2: {  // with a header and question that fit, and as many records as the peer says
        if (!host.last) break;
        Bytes message(host.last->message.begin(), host.last->message.end());
        if (message.size() > 12 && message[11] == std::byte{1}) message.resize(message.size() - 11);
        message[2] = std::byte{0x81};
        message[3] = input.take<std::byte>();
        message[7] = input.take<std::byte>();
        message[9] = input.take<std::byte>();
        message[11] = std::byte{0};
        const auto more = input.bytes(input.take<std::uint8_t>());
        message.insert(message.end(), more.begin(), more.end());
        stub.on_upstream(host.last->key, message, now);
        break;
      }
      case 3:
        if (host.last)
          stub.on_upstream(host.last->key, input.bytes(input.take<std::uint8_t>()), now);
        break;
      case 4:
        now += std::chrono::milliseconds(input.take<std::uint16_t>());
        stub.on_deadline(now);
        require(!stub.next_deadline() || *stub.next_deadline() > now);
        break;
      case 5:
        if (host.last) stub.on_upstream_failed(host.last->key, now);
        break;
    }
    require(stub.under_way() <= 16);
  }
  stub.forget([](const Client&) { return true; });
  require(stub.under_way() == 0 && !stub.next_deadline());
  return 0;
}
