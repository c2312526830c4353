#include <tests/unit/net/dns/stub_fixture.hpp>

namespace capsa::net::dns {

using namespace std::chrono_literals;
using test::Bytes;
using test::Wire;

BOOST_FIXTURE_TEST_SUITE(net_dns_stub_upstream, test::StubFixture)

BOOST_AUTO_TEST_CASE(an_answer_with_the_wrong_id_is_dropped_and_the_right_one_still_counts) {
  ask(7, "a.example");
  answer(Wire()
             .header(0x4001, 0x8180, 1, 1)
             .question("a.example", 1)
             .address("a.example", "192.0.3.9"));
  BOOST_TEST(host.replies.empty());
  BOOST_TEST(stub.stats().wrong == 1U);
  answer(response("a.example", 1).address("a.example", "192.0.3.1"));
  BOOST_TEST(host.resolutions.at(0).second.addresses.at(0) == IpAddress::v4(192, 0, 3, 1));
}

BOOST_AUTO_TEST_CASE(an_answer_to_another_question_is_dropped) {
  ask(7, "a.example");
  answer(response("b.example", 1).address("b.example", "192.0.3.9"));
  answer(response("a.example", 0, 0x8180, 28));
  answer(std::move(Wire().header(0x4000, 0x8180, 1).question("a.example", 1, 3)));
  answer(std::move(Wire().header(0x4000, 0x8180, 0)));                         // no question at all
  answer(response("a.example", 1, 0x0100).address("a.example", "192.0.3.9"));  // not an answer
  answer(response("a.example", 1, 0x8180 | 4 << 11).address("a.example", "192.0.3.9"));
  answer(response("a.example", 9));  // malformed
  BOOST_TEST(stub.stats().wrong == 7U);
  BOOST_TEST(host.replies.empty());
  answer(response("A.eXample", 1).address("a.example", "192.0.3.1"));
  BOOST_TEST(host.replies.size() == 1U);
}

BOOST_AUTO_TEST_CASE(an_answer_by_the_socket_of_an_earlier_try_is_late) {
  ask(7, "a.example");
  const auto first = host.asked.back();
  wait(2s);
  BOOST_TEST(host.asked.size() == 2U);
  BOOST_TEST(host.asked.back().key != first.key);
  stub.on_upstream(first.key, response("a.example", 0).out, now);
  BOOST_TEST(stub.stats().late == 1U);
  BOOST_TEST(host.replies.empty());
}

BOOST_AUTO_TEST_CASE(a_flood_of_wrong_answers_makes_it_ask_by_tcp) {
  ask(7, "a.example");
  for (int i = 0; i < 8; ++i)
    answer(Wire().header(0x1111, 0x8180, 1).question("a.example", 1));
  BOOST_REQUIRE(host.asked.size() == 2U);
  BOOST_TEST((host.asked.back().transport == Transport::Tcp));
  BOOST_TEST(host.asked.back().server == 0U);
  answer(response("a.example", 1).address("a.example", "192.0.3.1"));
  BOOST_TEST(host.resolutions.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_truncated_answer_is_asked_for_by_tcp) {
  ask(7, "a.example");
  answer(response("a.example", 1, 0x8380).address("a.example", "192.0.3.9"));
  BOOST_REQUIRE(host.asked.size() == 2U);
  BOOST_TEST((host.asked.back().transport == Transport::Tcp));
  BOOST_TEST(host.asked.back().server == 0U);
  BOOST_TEST(host.asked[0].message != host.asked[1].message);  // another ID
  answer(response("a.example", 1).address("a.example", "192.0.3.1"));
  BOOST_TEST(host.resolutions.at(0).second.addresses.at(0) == IpAddress::v4(192, 0, 3, 1));
  BOOST_TEST(host.forgotten.size() == 2U);
}

BOOST_AUTO_TEST_CASE(an_answer_that_is_truncated_over_tcp_too_goes_to_the_next) {
  ask(7, "a.example");
  answer(response("a.example", 0, 0x8380));
  answer(response("a.example", 0, 0x8380));
  BOOST_TEST(host.asked.back().server == 1U);
  BOOST_TEST((host.asked.back().transport == Transport::Udp));
}

BOOST_AUTO_TEST_CASE(a_server_that_is_silent_is_followed_by_the_next_and_then_by_a_failure) {
  BOOST_TEST(!stub.next_deadline().has_value());
  ask(7, "a.example");
  BOOST_TEST((stub.next_deadline() == now + 2s));
  wait(1999ms);
  BOOST_TEST(host.asked.size() == 1U);
  wait(1ms);
  BOOST_TEST(host.asked.size() == 2U);
  BOOST_TEST(host.asked.back().server == 1U);
  wait(2s);
  BOOST_TEST((last_reply().rcode == Rcode::ServerFailure));
  BOOST_TEST(!stub.next_deadline().has_value());
  BOOST_TEST(stub.stats().timeouts == 2U);
  BOOST_TEST(stub.stats().failed == 1U);
}

BOOST_AUTO_TEST_CASE(a_server_that_fails_or_refuses_is_followed_by_the_next_at_once) {
  for (const unsigned rcode : {2U, 5U, 9U}) {
    ask(rcode, "a.example");
    const auto server = host.asked.back().server;
    answer(response("a.example", 0, 0x8180 | rcode));
    BOOST_TEST(host.asked.back().server == 1 - server);
    answer(response("a.example", 1).address("a.example", "192.0.3.1"));
    BOOST_TEST(last_reply().id == rcode);
    BOOST_TEST((last_reply().rcode == Rcode::NoError));
  }
}

BOOST_AUTO_TEST_CASE(a_refusal_without_the_question_counts_where_the_id_is_right) {
  ask(7, "a.example");
  answer(std::move(Wire().header(0x4000, 0x8182, 0)));
  BOOST_TEST(host.asked.size() == 2U);
}

BOOST_AUTO_TEST_CASE(a_socket_that_failed_is_followed_by_the_next) {
  ask(7, "a.example");
  stub.on_upstream_failed(host.asked.back().key, now);
  BOOST_TEST(host.asked.back().server == 1U);
  stub.on_upstream_failed(host.asked.back().key, now);
  BOOST_TEST((last_reply().rcode == Rcode::ServerFailure));
  stub.on_upstream_failed(host.asked.back().key, now);
  BOOST_TEST(host.replies.size() == 1U);
}

BOOST_AUTO_TEST_CASE(the_server_that_answered_last_is_asked_first) {
  ask(7, "a.example");
  wait(2s);
  answer(response("a.example", 0));
  ask(8, "b.example");
  BOOST_TEST(host.asked.back().server == 1U);
}

BOOST_AUTO_TEST_CASE(an_old_server_is_asked_again_without_edns) {
  ask(7, "a.example");
  const auto with = host.asked.back().message.size();
  answer(response("a.example", 0, 0x8181));
  BOOST_TEST(host.asked.back().server == 0U);
  BOOST_TEST(host.asked.back().message.size() == with - 11);
  answer(response("a.example", 0, 0x8181));
  BOOST_TEST(host.asked.back().server == 1U);
}

BOOST_AUTO_TEST_CASE(a_name_that_does_not_exist_is_believed_at_once) {
  ask(7, "a.example");
  answer(response("a.example", 0, 0x8183));
  BOOST_TEST(host.asked.size() == 1U);
  BOOST_TEST((last_reply().rcode == Rcode::NameError));
}

BOOST_AUTO_TEST_CASE(without_a_server_a_question_fails_at_once) {
  ask(6, "a.example");
  stub.set_upstreams(0);
  ask(7, "a.example");
  BOOST_TEST((last_reply().rcode == Rcode::ServerFailure));
  BOOST_TEST(last_reply().id == 7);
  wait(2s);
  BOOST_TEST(last_reply().id == 6);
  BOOST_TEST(host.asked.size() == 1U);
}

BOOST_AUTO_TEST_CASE(fewer_servers_than_before_are_asked_in_turn) {
  ask(7, "a.example");
  wait(2s);
  answer(response("a.example", 0));
  stub.set_upstreams(1);
  ask(8, "a.example");
  BOOST_TEST(host.asked.back().server == 0U);
}

BOOST_AUTO_TEST_CASE(ids_differ_where_nobody_injects_them) {
  DnsStub other(host, make_names());
  std::set<unsigned> ids;
  for (unsigned i = 0; i < 32; ++i) {
    other.on_query(client, test::query(i, "a.example"), now);
    ids.insert(test::u16_at(host.asked.back().message, 0));
  }
  BOOST_TEST(ids.size() > 24U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::net::dns
