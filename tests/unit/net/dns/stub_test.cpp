#include <tests/unit/net/dns/stub_fixture.hpp>

namespace capsa::net::dns {

using test::Bytes;
using test::bytes;
using test::query;
using test::u16_at;
using test::Wire;

BOOST_FIXTURE_TEST_SUITE(net_dns_stub, test::StubFixture)

BOOST_AUTO_TEST_CASE(a_question_is_judged_before_it_is_asked_and_pinned_before_it_is_answered) {
  ask(7, "Www.Example.org");
  BOOST_TEST(host.log == "judge ask ");
  BOOST_TEST(host.judged.back() == "www.example.org");
  answer(response("www.example.org", 1).address("www.example.org", "192.0.3.1", 60));
  BOOST_TEST(host.log == "judge ask resolved reply ");
  BOOST_TEST(host.resolutions[0].second.name == "www.example.org");
  BOOST_TEST((host.resolutions[0].second.addresses == std::vector{IpAddress::v4(192, 0, 3, 1)}));
  BOOST_TEST(host.resolutions[0].second.ttl == 60U);
  BOOST_TEST(!host.resolutions[0].second.local);
  BOOST_TEST((host.resolutions[0].first == client));
  BOOST_TEST((host.replies[0].first == client));
}

BOOST_AUTO_TEST_CASE(the_upstream_sees_an_id_of_ours_and_nothing_that_the_client_added) {
  ask(Wire().header(7, 0x0130, 1, 0, 0, 1).question("A.Example", 28).opt(4096, 0, Bytes(30)).out);
  BOOST_TEST((host.asked.at(0).message ==
              bytes({0x40, 0x00, 0x01, 0x00, 0,    1,   0,   0,   0,   0,   0, 1,            //
                     1,    'a',  7,    'e',  'x',  'a', 'm', 'p', 'l', 'e', 0, 0, 28, 0, 1,  //
                     0,    0,    41,   0x04, 0xd0, 0,   0,   0,   0,   0,   0})));
  BOOST_TEST(host.asked.at(0).server == 0U);
  BOOST_TEST((host.asked.at(0).transport == Transport::Udp));
}

BOOST_AUTO_TEST_CASE(the_client_gets_its_own_id_and_its_own_spelling_back) {
  ask(0x1234, "A.Example");
  answer(response("a.example", 1).address("a.example", "192.0.3.1", 60));
  BOOST_TEST((host.replies.at(0).second ==
              bytes({0x12, 0x34, 0x81, 0x80, 0,   1,   0,   1,   0,   0,   0, 0,             //
                     1,    'A',  7,    'E',  'x', 'a', 'm', 'p', 'l', 'e', 0, 0, 1,   0, 1,  //
                     0xc0, 12,   0,    1,    0,   1,   0,   0,   0,   60,  0, 4, 192, 0, 3, 1})));
}

BOOST_AUTO_TEST_CASE(a_denied_name_is_refused_at_once_and_never_leaves) {
  host.denied.insert("evil.example");
  for (const unsigned type : {1U, 28U, 5U, 15U, 16U, 65U, 12U, 2U, 6U, 33U})
    ask(7, "EVIL.example", type);
  BOOST_TEST(host.asked.empty());
  BOOST_TEST(stub.stats().denied == 10U);
  BOOST_TEST(host.replies.size() == 10U);
  BOOST_TEST((last_reply().rcode == Rcode::Refused));
  BOOST_TEST(last_reply().id == 7);
}

BOOST_AUTO_TEST_CASE(a_text_tunnel_goes_through_the_same_judge) {
  const std::string data(60, 'x');
  host.denied.insert(data + ".tunnel.example");
  ask(7, data + ".tunnel.example", 16);
  BOOST_TEST((last_reply().rcode == Rcode::Refused));
  ask(8, "ok.example", 16);
  answer(response("ok.example", 1, 0x8180, 16).record("ok.example", 16, 9, bytes({2, 'h', 'i'})));
  BOOST_TEST((last_reply().answers.at(0).data == bytes({2, 'h', 'i'})));
}

BOOST_AUTO_TEST_CASE(types_that_carry_anything_are_refused_unjudged) {
  for (const unsigned type : {10U, 255U, 252U, 251U, 253U, 254U, 41U, 249U, 0U, 65280U, 43U})
    ask(7, "a.example", type);
  stub.on_query(client, query(7, "version.bind", 16, 3), now);
  stub.on_query(client, query(7, "", 2), now);
  stub.on_query(
      client, Wire().header(7, 0).raw(bytes({3, 'a', '.', 'b', 1, 'x', 0})).u16(1).u16(1).out, now);
  BOOST_TEST(stub.stats().refused == 14U);
  BOOST_TEST(host.judged.empty());
  BOOST_TEST(host.asked.empty());
  for (const auto& reply : host.replies)
    BOOST_TEST((parse_response(reply.second)->rcode == Rcode::Refused));
}

BOOST_AUTO_TEST_CASE(an_international_name_is_judged_in_its_ascii_form_and_refused_in_any_other) {
  ask(7,
      "b\xc3\xbc"
      "cher.example");
  BOOST_TEST((last_reply().rcode == Rcode::Refused));
  BOOST_TEST(host.judged.empty());
  ask(8, "XN--bcher-kva.example");
  BOOST_TEST(host.judged.back() == "xn--bcher-kva.example");
}

BOOST_AUTO_TEST_CASE(https_and_svcb_questions_are_answered_with_nothing) {
  for (const unsigned type : {64U, 65U}) {
    ask(7, "a.example", type);
    BOOST_TEST((last_reply().rcode == Rcode::NoError));
    BOOST_TEST(last_reply().answers.empty());
  }
  BOOST_TEST(host.asked.empty());
}

BOOST_AUTO_TEST_CASE(https_records_beside_an_answer_do_not_come_through) {
  ask(7, "a.example");
  answer(response("a.example", 2)
             .record("a.example", 65, 9, Bytes(20))
             .address("a.example", "192.0.3.1"));
  BOOST_TEST(u16_at(host.replies.at(0).second, 6) == 1U);
  BOOST_TEST((last_reply().answers.at(0).type == Type::A));
}

BOOST_AUTO_TEST_CASE(local_names_are_answered_at_once_and_never_leave) {
  host.denied.insert("web");
  ask(7, "web");
  BOOST_TEST(host.log == "resolved reply ");
  BOOST_TEST(host.resolutions.at(0).second.local);
  BOOST_TEST(last_reply().answers.size() == 1U);
  ask(8, "nobody");
  BOOST_TEST((last_reply().rcode == Rcode::NameError));
  ask(9, "1.1.168.192.in-addr.arpa", 12);
  BOOST_TEST((last_reply().rcode == Rcode::NameError));
  BOOST_TEST(host.asked.empty());
  BOOST_TEST(stub.stats().local == 3U);
}

BOOST_AUTO_TEST_CASE(a_private_answer_to_a_public_name_is_kept_from_the_client_and_reported) {
  ask(7, "rebind.example");
  answer(response("rebind.example", 1).address("rebind.example", "169.254.169.254"));
  BOOST_TEST(last_reply().answers.empty());
  BOOST_TEST((last_reply().rcode == Rcode::NoError));
  BOOST_TEST(host.resolutions.empty());
  BOOST_REQUIRE(host.private_answers.size() == 1U);
  BOOST_TEST(host.private_answers[0].first == "rebind.example");
  stub.set_allow_private_answers(true);
  ask(8, "rebind.example");
  answer(response("rebind.example", 1).address("rebind.example", "169.254.169.254"));
  BOOST_TEST(last_reply().answers.size() == 1U);
}

BOOST_AUTO_TEST_CASE(the_names_of_a_chain_are_told_with_the_addresses) {
  ask(7, "a.example");
  answer(
      response("a.example", 2).cname("a.example", "B.example").address("b.example", "192.0.3.1"));
  BOOST_TEST((host.resolutions.at(0).second.chain == std::vector<std::string>{"b.example"}));
  BOOST_TEST(last_reply().answers.size() == 2U);
}

BOOST_AUTO_TEST_CASE(malformed_queries_are_answered_by_a_header_or_not_at_all) {
  ask(bytes({1, 2, 3}));
  ask(Wire().header(7, 0x8000).question("a.example", 1).out);
  BOOST_TEST(host.replies.empty());
  ask(Wire().header(7, 0, 1).u8(9).out);
  BOOST_TEST((host.replies.at(0).second == bytes({0, 7, 0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0})));
  BOOST_TEST(stub.stats().malformed == 3U);
}

BOOST_AUTO_TEST_CASE(an_unknown_version_of_edns_is_told_so) {
  ask(Wire().header(7, 0, 1, 0, 0, 1).question("a.example", 1).opt(1232, 1).out);
  const Bytes& reply = host.replies.at(0).second;
  BOOST_TEST(u16_at(reply, 10) == 1U);
  BOOST_TEST((reply[reply.size() - 6] == std::byte{1}));
  BOOST_TEST(host.asked.empty());
}

BOOST_AUTO_TEST_CASE(a_large_answer_is_cut_over_udp_and_whole_over_tcp) {
  const auto many = [&] {
    Wire wire = response("a.example", 100);
    for (int i = 0; i < 100; ++i)
      wire.address("a.example", "192.0.3." + std::to_string(i));
    answer(wire);
  };
  ask(7, "a.example");
  many();
  BOOST_TEST(last_reply().truncated);
  BOOST_TEST(host.replies.back().second.size() <= 512U);
  client.transport = Transport::Tcp;
  ask(7, "a.example");
  many();
  BOOST_TEST(last_reply().answers.size() == 100U);
}

BOOST_AUTO_TEST_CASE(a_repeated_question_is_asked_once_and_answered_once) {
  ask(7, "a.example");
  ask(7, "a.example");
  BOOST_TEST(host.asked.size() == 1U);
  BOOST_TEST(stub.stats().repeated == 1U);
  ask(7, "a.example", 28);
  ask(8, "a.example");
  client.port = 5001;
  ask(7, "a.example");
  BOOST_TEST(host.asked.size() == 4U);
}

BOOST_AUTO_TEST_CASE(questions_under_way_are_bounded_for_each_owner_and_in_all) {
  for (unsigned i = 0; i < 64; ++i) {
    client.address = IpAddress::v4(0x0a000300U + i);  // another address does not help
    ask(i, "a.example");
  }
  BOOST_TEST(host.asked.size() == 64U);
  ask(100, "a.example");
  BOOST_TEST(host.asked.size() == 64U);
  BOOST_TEST((last_reply().rcode == Rcode::ServerFailure));
  answer(response("a.example", 1).address("a.example", "192.0.3.1"));
  ask(101, "a.example");
  BOOST_TEST(host.asked.size() == 65U);
  for (unsigned i = 0; i < 300; ++i) {
    client.owner = 2 + i;
    ask(i, "a.example");
  }
  BOOST_TEST(stub.under_way() == 256U);
  BOOST_TEST(stub.stats().over_limit == 1U + 300U - 192U);
}

BOOST_AUTO_TEST_CASE(who_left_is_forgotten_with_all_its_questions) {
  ask(7, "a.example");
  const auto key = host.asked.back().key;
  client.owner = 2;
  ask(7, "a.example");
  stub.forget([](const Client& who) { return who.owner == 1; });
  BOOST_TEST((host.forgotten == std::vector{key}));
  BOOST_TEST(stub.under_way() == 1U);
  stub.on_upstream(key, Bytes(12), now);
  BOOST_TEST(stub.stats().late == 1U);
  BOOST_TEST(host.replies.empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::net::dns
