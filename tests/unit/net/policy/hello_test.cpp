#include <boost/test/unit_test.hpp>
#include <net/policy/conversation.hpp>
#include <net/policy/hello_inspector.hpp>
#include <tests/unit/net/packet/frame_kit.hpp>
#include <tests/unit/net/policy/hello_kit.hpp>

namespace capsa::net::test {

BOOST_AUTO_TEST_SUITE(net_policy_hello)

std::string state_of(const HelloInspector& inspector) {
  switch (inspector.state()) {
    case HelloInspector::State::NeedMore:
      return "more";
    case HelloInspector::State::Tls:
      return "tls " + inspector.name() + (inspector.has_ech() ? " ech" : "");
    case HelloInspector::State::Http:
      return "http " + inspector.name();
    case HelloInspector::State::Other:
      return "other";
    case HelloInspector::State::Malformed:
      return "malformed";
  }
  return "?";
}

/// The answer for a stream in one piece, in two pieces cut at every place, and byte by byte: it is
/// the same each time, or this says so.
std::string answer(const std::string& stream) {
  HelloInspector whole;
  whole.feed(bytes(stream));
  const std::string expected = state_of(whole);
  for (std::size_t cut = 1; cut < std::min<std::size_t>(stream.size(), 600); ++cut) {
    HelloInspector parts;
    parts.feed(bytes(stream).first(cut));
    parts.feed(bytes(stream).subspan(cut));
    if (state_of(parts) != expected)
      return "cut at " + std::to_string(cut) + ": " + state_of(parts);
  }
  HelloInspector single;
  for (std::size_t i = 0; i < stream.size(); ++i)
    single.feed(bytes(stream).subspan(i, 1));
  return state_of(single) == expected ? expected : "byte by byte: " + state_of(single);
}

BOOST_AUTO_TEST_CASE(the_name_of_a_client_hello_is_found_however_it_is_cut) {
  BOOST_TEST(answer(client_hello("Api.Example.COM")) == "tls api.example.com");
  BOOST_TEST(answer(client_hello("a.com.")) == "tls a.com");
  BOOST_TEST(answer(record(handshake(hello_body("")))) == "tls ");
  BOOST_TEST(answer(record(handshake(hello_body(extension(16, "x"))))) == "tls ");
  BOOST_TEST(answer(record(handshake(hello_body(sni("a.com") + extension(0xfe0d, "ech"))))) ==
             "tls a.com ech");
}

BOOST_AUTO_TEST_CASE(a_hello_may_lie_in_several_records) {
  const std::string hello = handshake(hello_body(sni("a.com")));
  for (std::size_t cut = 1; cut < hello.size(); ++cut)
    BOOST_TEST(answer(record(hello.substr(0, cut)) + record(hello.substr(cut))) == "tls a.com");
  std::string single;
  for (const char c : hello)
    single += record(std::string(1, c));
  BOOST_TEST(answer(single) == "tls a.com");
}

BOOST_AUTO_TEST_CASE(a_hello_that_can_be_read_in_two_ways_is_malformed) {
  const auto hello = [](const std::string& extensions) {
    return answer(record(handshake(hello_body(extensions))));
  };
  BOOST_TEST(hello(sni("a.com") + sni("b.com")) == "malformed");
  const std::string host = std::string(1, '\0') + sized("a.com", 2);
  BOOST_TEST(hello(extension(0, sized(host + host, 2))) == "malformed");
  BOOST_TEST(hello(extension(0, sized("\x01" + sized("a.com", 2), 2))) == "malformed");
  BOOST_TEST(hello(extension(0, sized(host, 2) + "x")) == "malformed");
  BOOST_TEST(hello(extension(0, "")) == "malformed");
  BOOST_TEST(hello(sni("")) == "malformed");
  BOOST_TEST(hello(sni(std::string("a.com\0.evil", 11))) == "malformed");
  BOOST_TEST(hello(sni("a.com") + "x") == "malformed");
  BOOST_TEST(answer(record(handshake(hello_body(sni("a.com")) + "x"))) == "malformed");
  BOOST_TEST(answer(record("\x02" + sized(hello_body(sni("a.com")), 3))) == "malformed");
  BOOST_TEST(answer(record("")) == "malformed");
  const std::string part = handshake(hello_body(sni("a.com"))).substr(0, 50);
  BOOST_TEST(answer(record(part) + "\x17\x03\x01" + sized("xx", 2)) == "malformed");
}

BOOST_AUTO_TEST_CASE(a_body_cut_at_any_length_names_nothing) {
  const std::string body = hello_body(extension(10, "xx") + sni("a.com"));
  HelloFacts facts;
  BOOST_TEST(read_client_hello(bytes(body), facts));
  for (std::size_t length = 0; length < body.size(); ++length) {
    HelloFacts cut;
    const bool ok = read_client_hello(bytes(body).first(length), cut);
    BOOST_TEST((!ok || cut.name.empty()));
  }
}

BOOST_AUTO_TEST_CASE(the_host_of_a_request_is_found_however_it_is_cut) {
  BOOST_TEST(answer("GET / HTTP/1.1\r\nHost: A.com\r\n\r\n") == "http a.com");
  BOOST_TEST(answer("\r\n\r\nGET / HTTP/1.1\r\nUser-Agent: x\r\nhOsT:\t a.com:8080 \r\n\r\nbody") ==
             "http a.com");
  BOOST_TEST(answer("POST /x HTTP/1.0\nHost:a.com.\n\n") == "http a.com");
  BOOST_TEST(answer("GET / HTTP/1.0\r\n\r\n") == "http ");
  BOOST_TEST(answer("GET http://b.com/x HTTP/1.1\r\nHost: b.com\r\n\r\n") == "http b.com");
  BOOST_TEST(answer("GET http://b.com HTTP/1.1\r\n\r\n") == "http b.com");
  BOOST_TEST(answer("CONNECT b.com:443 HTTP/1.1\r\n\r\n") == "http b.com");
  BOOST_TEST(answer("GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n") == "http [2001:db8::1]");
  BOOST_TEST(answer("GET /\r\n") == "http ");
  BOOST_TEST(answer("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") == "http ");
}

BOOST_AUTO_TEST_CASE(a_request_that_can_be_read_in_two_ways_is_malformed) {
  for (const char* head :
       {"GET / HTTP/1.1\r\nHost: a.com\r\nHost: b.com\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a.com\r\n b.com\r\n\r\n", "GET / HTTP/1.1\r\nHost : a.com\r\n\r\n",
        "GET / HTTP/1.1\r\nX: y\rHost: b.com\r\nHost: a.com\r\n\r\n",
        "GET http://b.com/ HTTP/1.1\r\nHost: a.com\r\n\r\n",
        "GET http://a.com@b.com/ HTTP/1.1\r\n\r\n", "GET / / HTTP/1.1\r\nHost: a.com\r\n\r\n",
        "GET / HTTP/1.1\r\n: a.com\r\n\r\n", "GET / HTTP/1.1\r\nnonsense\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a.com/b\r\n\r\n", "GET / HTTP/1.1\r\nHost: a.com:80x\r\n\r\n",
        "GET ?x HTTP/1.1\r\nHost: a.com\r\n\r\n"}) {
    BOOST_TEST(answer(head) == "malformed", head << answer(head));
  }
}

BOOST_AUTO_TEST_CASE(other_protocols_are_other) {
  for (const std::string& stream :
       {std::string("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"), std::string("EHLO host.example\r\n"),
        std::string("\x00\x01\x02", 3), std::string("*1\r\n$4\r\nPING\r\n"),
        std::string("\x16\x02\x00", 3), std::string(40, 'A') + " x"}) {
    BOOST_TEST(answer(stream) == "other");
  }
}

BOOST_AUTO_TEST_CASE(nothing_is_kept_beyond_the_cap) {
  const std::string head = "GET / HTTP/1.1\r\nHost: a.com\r\nX: ";
  HelloInspector http;
  http.feed(bytes(head + std::string(60000, 'x')));
  BOOST_TEST(state_of(http) == "malformed");
  BOOST_TEST(http.seen().size() <= HelloInspector::kMaxBytes + 1);
  HelloInspector slow;
  for (int i = 0; i < 20000; ++i)
    slow.feed(bytes(i < static_cast<int>(head.size()) ? head.substr(static_cast<std::size_t>(i), 1)
                                                      : "x"));
  BOOST_TEST(state_of(slow) == "malformed");
  HelloInspector tls;
  tls.feed(bytes(record("\x01" + number(20000, 3) + "x")));
  BOOST_TEST(state_of(tls) == "malformed");
}

BOOST_AUTO_TEST_CASE(what_was_said_once_is_not_said_differently) {
  using Step = Conversation::Step;
  std::size_t held = 0;
  {
    const std::string hello = client_hello("a.com");
    Conversation talk(0xfffffff0U, held);  // across the wrap
    const auto part = [&](std::size_t from, std::size_t count) {
      return talk.sent(0xfffffff0U + static_cast<std::uint32_t>(from),
                       bytes(hello).subspan(from, count));
    };
    BOOST_TEST((part(20, 10) == Step::Drop));
    BOOST_TEST((part(0, 30) == Step::Pass));
    BOOST_TEST((part(0, 30) == Step::Pass));
    BOOST_TEST((part(10, 40) == Step::Pass));
    BOOST_TEST((talk.sent(0xfffffff0U + 10, bytes("xx")) == Step::Differ));
    BOOST_TEST((talk.sent(0xffffffefU, bytes("?")) == Step::Pass));  // a keep-alive
    BOOST_TEST((part(50, hello.size() - 50) == Step::Pass));
    BOOST_TEST(state_of(talk.inspector()) == "tls a.com");
    BOOST_TEST((talk.sent(0xfffffff0U + 60, bytes("evil")) == Step::Differ));
    const auto end = 0xfffffff0U + static_cast<std::uint32_t>(hello.size());
    BOOST_TEST((talk.sent(end + 100, bytes("later")) == Step::Pass));
    BOOST_TEST(!talk.finished_by(end - 1));
    BOOST_TEST(talk.finished_by(end));
    BOOST_TEST(held == hello.size());
  }
  BOOST_TEST(held == 0U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::net::test
