#include <backends/qemu/qmp.hpp>
#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

using capsa::error;
using capsa::ErrorCode;
using capsa::result;
using capsa::qemu::QmpEvent;
using capsa::qemu::QmpSession;
using nlohmann::json;

namespace {

const std::string kGreeting =
    R"({"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "x"}, )"
    R"("capabilities": ["oob"]}})"
    "\r\n";
const std::string kNegotiated = "{\"return\": {}, \"id\": 0}\r\n";

struct Client {
  std::vector<QmpEvent> events;
  std::vector<result<json>> replies;
  QmpSession session{[this](const QmpEvent& event) { events.push_back(event); }};

  void command(const char* name, json arguments = nullptr) {
    session.command(name, std::move(arguments),
                    [this](result<json> reply) { replies.push_back(std::move(reply)); });
  }
  void negotiate() {
    BOOST_TEST(session.feed(kGreeting + kNegotiated).ok());
    session.take_output();
  }
};

void check_refused(const std::string& bytes, const std::string& message) {
  Client client;
  client.command("stop");
  const auto fed = client.session.feed(bytes);
  BOOST_TEST_REQUIRE(!fed.ok());
  BOOST_TEST((fed.error().code() == ErrorCode::BackendFailed));
  BOOST_TEST(fed.error().message().find(message) != std::string::npos, fed.error().message());
  BOOST_TEST(client.session.closed());
  BOOST_TEST_REQUIRE(client.replies.size() == 1u);
  BOOST_TEST(!client.replies[0].ok());
}

}  // namespace

BOOST_AUTO_TEST_SUITE(qmp)

BOOST_AUTO_TEST_CASE(capabilities_are_negotiated_and_commands_follow_at_once) {
  Client client;
  client.command("query-status");
  BOOST_TEST(client.session.take_output() ==
             "{\"execute\":\"qmp_capabilities\",\"id\":0}\n"
             "{\"execute\":\"query-status\",\"id\":1}\n");
  BOOST_TEST(client.session.feed(kGreeting).ok());
  BOOST_TEST(!client.session.ready());
  BOOST_TEST(client.session.feed(kNegotiated).ok());
  BOOST_TEST(client.session.ready());
}

BOOST_AUTO_TEST_CASE(a_conversation_is_understood_wherever_it_is_cut) {
  const std::string conversation =
      kGreeting + kNegotiated +
      R"({"timestamp": {"seconds": 1, "microseconds": 2}, "event": "STOP"})" + "\r\n" +
      R"({"return": {"status": "pau}sed\"{"}, "id": 1})" + "\r\n" +
      R"({"error": {"class": "GenericError", "desc": "no such thing"}, "id": 2})" + "\r\n" +
      R"({"event": "SHUTDOWN", "data": {"guest": true, "reason": "guest-reset"}})" + "\r\n";
  for (std::size_t cut = 0; cut <= conversation.size(); ++cut) {
    Client client;
    client.command("query-status");
    client.command("frobnicate");
    BOOST_TEST(client.session.feed(conversation.substr(0, cut)).ok());
    BOOST_TEST(client.session.feed(conversation.substr(cut)).ok());
    BOOST_TEST_REQUIRE(client.events.size() == 2u);
    BOOST_TEST(client.events[0].name == "STOP");
    BOOST_TEST(client.events[0].data.is_object());
    BOOST_TEST(client.events[1].data.at("reason") == "guest-reset");
    BOOST_TEST_REQUIRE(client.replies.size() == 2u);
    BOOST_TEST(client.replies[0].value().at("status") == "pau}sed\"{");
    BOOST_TEST(client.replies[1].error().message() == "QEMU refused frobnicate: no such thing");
  }
  Client bytewise;
  bytewise.command("query-status");
  bytewise.command("frobnicate");
  for (const char c : conversation)
    BOOST_TEST(bytewise.session.feed({&c, 1}).ok());
  BOOST_TEST(bytewise.events.size() == 2u);
  BOOST_TEST(bytewise.replies.size() == 2u);
}

BOOST_AUTO_TEST_CASE(replies_find_their_commands_in_any_order) {
  Client client;
  client.negotiate();
  std::string order;
  client.session.command("a", nullptr, [&](const result<json>&) { order += 'a'; });
  client.session.command("b", {{"x", 1}}, [&](const result<json>&) { order += 'b'; });
  BOOST_TEST(client.session.take_output() ==
             "{\"execute\":\"a\",\"id\":1}\n"
             "{\"arguments\":{\"x\":1},\"execute\":\"b\",\"id\":2}\n");
  BOOST_TEST(client.session.feed("{\"return\":{},\"id\":2}\n{\"return\":{},\"id\":1}\n").ok());
  BOOST_TEST(order == "ba");
}

BOOST_AUTO_TEST_CASE(a_reply_may_issue_the_next_command) {
  Client client;
  client.negotiate();
  client.session.command("stop", nullptr, [&](const result<json>&) { client.command("cont"); });
  client.session.take_output();
  BOOST_TEST(client.session.feed("{\"return\":{},\"id\":1}\n").ok());
  BOOST_TEST(client.session.take_output() == "{\"execute\":\"cont\",\"id\":2}\n");
}

BOOST_AUTO_TEST_CASE(nonsense_ends_the_session_and_answers_what_is_pending) {
  check_refused("hello\n", "not JSON");
  check_refused("{\"QMP\": 1}\n", "no greeting");
  check_refused("{\"event\": \"STOP\"}\n", "no greeting");
  check_refused("[]\n", "not an object");
  check_refused(kGreeting + "{\"return\": {}, \"id\": 99}\n", "not sent");
  check_refused(kGreeting + "{\"return\": {}, \"id\": -1}\n", "neither");
  check_refused(kGreeting + "{\"return\": {}, \"id\": \"0\"}\n", "neither");
  check_refused(kGreeting + "{\"return\": {}}\n", "neither");
  check_refused(kGreeting + "{\"id\": 0}\n", "neither a value");
  check_refused(kGreeting + "{\"id\": 1}\n", "neither a value");
  check_refused(kGreeting + "{\"error\": {\"desc\": \"what?\"}}\n", "to nothing: what?");
  check_refused(kGreeting + kNegotiated + "{\"return\": {}, \"id\": 0}\n", "not sent");
  check_refused(kGreeting + "{\"event\": 5}\n", "without a name");
  check_refused(kGreeting + "{\"event\": \"STOP\", \"data\": []}\n", "not an object");
  check_refused(kGreeting + "{\"event\": \"\xff\xfe\"}\n", "not JSON");
  check_refused(kGreeting + "{\"error\": {\"desc\": \"no\"}, \"id\": 0}\n", "qmp_capabilities: no");
}

BOOST_AUTO_TEST_CASE(deep_nesting_is_refused_before_it_is_parsed) {
  check_refused(kGreeting + "{\"event\":\"X\",\"data\":" + std::string(100000, '[') + "\n",
                "nests too deep");
  Client client;
  client.negotiate();
  // Brackets in a string are text.
  BOOST_TEST(
      client.session.feed("{\"event\":\"X\",\"data\":{\"a\":\"" + std::string(200, '[') + "\"}}\n")
          .ok());
}

BOOST_AUTO_TEST_CASE(a_line_without_end_is_refused_at_one_mebibyte) {
  Client client;
  client.negotiate();
  const std::string chunk(64 * 1024, ' ');
  std::size_t taken = 0;
  while (client.session.feed(chunk).ok())
    taken += chunk.size();
  BOOST_TEST(taken == QmpSession::kMaxLine);
}

BOOST_AUTO_TEST_CASE(a_closed_session_refuses_at_once_and_stays_silent) {
  Client client;
  client.negotiate();
  client.command("stop");
  client.session.close(error(ErrorCode::VmEnded, "gone"));
  client.session.close(error(ErrorCode::Internal, "never seen"));
  client.command("cont");
  BOOST_TEST_REQUIRE(client.replies.size() == 2u);
  BOOST_TEST(client.replies[0].error().message() == "gone");
  BOOST_TEST(client.replies[1].error().message() == "gone");
  BOOST_TEST(!client.session.feed("{\"event\":\"STOP\"}\n").ok());
  BOOST_TEST(client.events.empty());
}

BOOST_AUTO_TEST_CASE(an_event_handler_may_close_the_session) {
  QmpSession* at = nullptr;
  int events = 0;
  QmpSession session([&](const QmpEvent&) {
    ++events;
    at->close(error(ErrorCode::Canceled, "enough"));
  });
  at = &session;
  BOOST_TEST(!session.feed(kGreeting + "{\"event\":\"A\"}\n{\"event\":\"B\"}\n").ok());
  BOOST_TEST(events == 1);
}

BOOST_AUTO_TEST_SUITE_END()
