#include <agent/host/whole_file.hpp>

#include "scripted_guest.hpp"

using namespace capsa;
using namespace capsa::agent;
using namespace capsa::agent::test;

BOOST_AUTO_TEST_SUITE(host_session)

BOOST_AUTO_TEST_CASE(the_first_frame_is_a_hello_with_time_and_entropy) {
  ScriptedGuest guest;
  BOOST_REQUIRE(guest.sent.front().has_hello());
  Session another(guest);
  another.start({true, std::chrono::nanoseconds(5), std::vector<std::byte>(1000)});
  const auto& hello = guest.sent.back().hello();
  BOOST_TEST(hello.wall_clock_ns() == 5);
  BOOST_TEST(hello.entropy().size() == kMaxEntropy);
  BOOST_TEST(hello.controlling());
}

BOOST_AUTO_TEST_CASE(it_is_ready_with_the_guests_hello) {
  ScriptedGuest guest;
  BOOST_TEST(!guest.session.ready());
  guest.hello();
  BOOST_TEST(guest.session.ready());
  BOOST_TEST(guest.version->agent_version == "test");
}

BOOST_AUTO_TEST_CASE(another_major_version_ends_the_session_with_a_typed_error) {
  ScriptedGuest guest;
  std::optional<result<void>> answer;
  guest.session.ping(keep(answer));
  guest.hello(kProtocolMajor + 1);
  BOOST_TEST(guest.session.ended());
  BOOST_TEST(!guest.version);
  BOOST_TEST((answer->error().code() == ErrorCode::AgentProtocol));
  BOOST_TEST(answer->error().message().find("version 2") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_request_before_the_guests_hello_is_sent_at_once) {
  ScriptedGuest guest;
  std::optional<result<void>> answer;
  const auto id = guest.session.ping(keep(answer));
  BOOST_TEST(guest.sent.back().has_ping());
  guest.hello();
  BOOST_TEST(guest.done(id).ok());
  BOOST_TEST(answer->ok());
}

BOOST_AUTO_TEST_CASE(an_answer_split_at_every_position_is_understood) {
  wire::GuestFrame hello;
  hello.mutable_hello()->set_major(kProtocolMajor);
  wire::GuestFrame info;
  info.set_id(1);
  info.mutable_info_reply()->set_hostname("box");
  std::string stream;
  BOOST_REQUIRE(append_frame(hello, stream) && append_frame(info, stream));
  for (std::size_t at = 0; at <= stream.size(); ++at) {
    ScriptedGuest guest;
    std::optional<result<GuestInfo>> answer;
    guest.session.info(keep(answer));
    BOOST_TEST(guest.session.feed(as_bytes(stream).first(at)).ok());
    BOOST_TEST(guest.session.feed(as_bytes(stream).subspan(at)).ok());
    BOOST_REQUIRE(answer && answer->ok());
    BOOST_TEST((*answer)->hostname == "box");
  }
}

BOOST_AUTO_TEST_CASE(what_the_guests_kernel_refused_comes_with_its_errno) {
  ScriptedGuest guest;
  guest.hello();
  std::optional<result<bool>> answer;
  const auto id = guest.session.exists("/secret", keep(answer));
  BOOST_TEST(guest.fail(id, wire::Error::KIND_SYSTEM, EACCES).ok());
  BOOST_TEST((answer->error().code() == ErrorCode::GuestError));
  BOOST_TEST(answer->error().guest_errno() == EACCES);
  BOOST_TEST(answer->error().message() == "no?way");  // nothing that moves a terminal's cursor
}

BOOST_AUTO_TEST_CASE(output_beyond_the_credit_ends_the_session) {
  ScriptedGuest guest;
  guest.hello();
  std::optional<result<ExitStatus>> done;
  std::size_t got = 0;
  ExecEvents events;
  events.stdout_data = [&](auto bytes) { got += bytes.size(); };
  events.done = keep(done);
  const auto id = guest.session.exec(cat(), std::move(events), {10, 10});
  BOOST_TEST(guest.started(id).ok());
  BOOST_TEST(guest.data(id, wire::STREAM_OUTPUT, "0123456789").ok());
  guest.session.grant(id, Stream::Output, 5);
  BOOST_TEST(guest.sent.back().credit().amount() == 5u);
  BOOST_TEST(guest.data(id, wire::STREAM_OUTPUT, "01234").ok());
  BOOST_TEST(!guest.data(id, wire::STREAM_OUTPUT, "x").ok());
  BOOST_TEST(got == 15u);
  BOOST_TEST((done->error().code() == ErrorCode::AgentProtocol));
}

BOOST_AUTO_TEST_CASE(each_stream_has_its_own_credit) {
  ScriptedGuest guest;
  guest.hello();
  const auto id = guest.session.exec(cat(), {}, {10, 3});
  BOOST_TEST(guest.started(id).ok());
  BOOST_TEST(guest.data(id, wire::STREAM_ERROR, "abc").ok());
  BOOST_TEST(guest.data(id, wire::STREAM_OUTPUT, "0123456789").ok());
  BOOST_TEST(!guest.data(id, wire::STREAM_ERROR, "d").ok());
}

BOOST_AUTO_TEST_CASE(input_waits_for_room) {
  ScriptedGuest guest;
  guest.hello();
  std::size_t room = 0;
  ExecEvents events;
  events.stdin_room = [&](std::size_t bytes) { room = bytes; };
  const auto id = guest.session.exec(cat(), std::move(events));
  BOOST_TEST(guest.session.stdin_write(id, as_bytes("early")) == 0u);
  BOOST_TEST(guest.credit(id, 3).ok());
  BOOST_TEST(room == 3u);
  BOOST_TEST(guest.session.stdin_write(id, as_bytes("early")) == 3u);
  BOOST_TEST(guest.sent.back().data().bytes() == "ear");
  BOOST_TEST(guest.session.stdin_write(id, as_bytes("ly")) == 0u);
}

BOOST_AUTO_TEST_CASE(large_input_goes_in_chunks) {
  ScriptedGuest guest;
  guest.hello();
  const auto id = guest.session.exec(cat(), {});
  BOOST_TEST(guest.credit(id, 10 * kMaxChunk).ok());
  guest.sent.clear();
  const std::string input(2 * kMaxChunk + 1, 'x');
  BOOST_TEST(guest.session.stdin_write(id, as_bytes(input)) == input.size());
  BOOST_TEST(guest.sent.size() == 3u);
}

BOOST_AUTO_TEST_CASE(closed_input_takes_nothing) {
  ScriptedGuest guest;
  guest.hello();
  const auto id = guest.session.exec(cat(), {});
  BOOST_TEST(guest.credit(id, 100).ok());
  guest.session.stdin_close(id);
  BOOST_TEST(guest.sent.back().has_eof());
  const auto count = guest.sent.size();
  guest.session.stdin_close(id);
  BOOST_TEST(guest.session.stdin_write(id, as_bytes("x")) == 0u);
  BOOST_TEST(guest.sent.size() == count);
}

BOOST_AUTO_TEST_CASE(absurd_credit_ends_the_session) {
  ScriptedGuest guest;
  guest.hello();
  const auto id = guest.session.exec(cat(), {});
  BOOST_TEST(guest.credit(id, kMaxWindow).ok());
  BOOST_TEST(!guest.credit(id, UINT64_MAX).ok());
}

BOOST_AUTO_TEST_CASE(an_answer_to_nothing_ends_the_session) {
  ScriptedGuest guest;
  guest.hello();
  BOOST_TEST(!guest.done(99).ok());
  BOOST_TEST(guest.session.ended());
}

BOOST_AUTO_TEST_CASE(an_answer_of_the_wrong_kind_ends_the_session) {
  ScriptedGuest guest;
  guest.hello();
  std::optional<result<GuestInfo>> answer;
  const auto id = guest.session.info(keep(answer));
  BOOST_TEST(!guest.done(id).ok());
  BOOST_TEST((answer->error().code() == ErrorCode::AgentProtocol));
}

BOOST_AUTO_TEST_CASE(a_frame_that_is_no_message_ends_the_session) {
  ScriptedGuest guest;
  guest.hello();
  BOOST_TEST(!guest.session.feed(as_bytes("\x02\xff\xff")).ok());
}

BOOST_AUTO_TEST_CASE(a_cancelled_request_is_answered_at_once_and_its_late_frames_are_dropped) {
  ScriptedGuest guest;
  guest.hello();
  std::optional<result<ExitStatus>> done;
  ExecEvents events;
  events.stdout_data = [](auto) { BOOST_ERROR("output of a cancelled program"); };
  events.done = keep(done);
  const auto id = guest.session.exec(cat(), std::move(events), {10, 10});
  BOOST_TEST(guest.started(id).ok());
  guest.session.cancel(id);
  BOOST_TEST(guest.sent.back().has_cancel());
  BOOST_TEST((done->error().code() == ErrorCode::Canceled));
  BOOST_TEST(guest.data(id, wire::STREAM_OUTPUT, "late").ok());
  BOOST_TEST(guest.fail(id, wire::Error::KIND_CANCELED).ok());
  BOOST_TEST(!guest.fail(id, wire::Error::KIND_CANCELED).ok());  // a second last frame
}

BOOST_AUTO_TEST_CASE(a_broken_connection_answers_every_request_and_every_later_one) {
  ScriptedGuest guest;
  std::optional<result<void>> first;
  std::optional<result<void>> nested;
  std::optional<result<void>> later;
  guest.session.ping([&](result<void> got) {
    first = got;
    guest.session.ping(keep(nested));
  });
  guest.session.fail_all(error(ErrorCode::ConnectionClosed, "gone"));
  BOOST_TEST((first->error().code() == ErrorCode::ConnectionClosed));
  BOOST_TEST((nested->error().code() == ErrorCode::ConnectionClosed));
  BOOST_TEST(guest.session.ping(keep(later)) == 0u);
  BOOST_TEST((later->error().code() == ErrorCode::ConnectionClosed));
}

BOOST_AUTO_TEST_CASE(the_number_of_requests_is_bounded) {
  ScriptedGuest guest;
  guest.hello();
  for (std::size_t i = 0; i < kMaxRequests; ++i)
    guest.session.ping(nullptr);
  std::optional<result<void>> answer;
  BOOST_TEST(guest.session.ping(keep(answer)) == 0u);
  BOOST_TEST((answer->error().code() == ErrorCode::ResourceExhausted));
}

BOOST_AUTO_TEST_CASE(senseless_requests_are_refused_here) {
  ScriptedGuest guest;
  const auto count = guest.sent.size();
  const auto refused = [&](const ExecSpec& spec) {
    std::optional<result<ExitStatus>> done;
    ExecEvents events;
    events.done = keep(done);
    guest.session.exec(spec, std::move(events));
    return done && !done->ok() && done->error().code() == ErrorCode::InvalidConfig;
  };
  BOOST_TEST(refused({}));
  BOOST_TEST(refused(ExecSpec::command({""})));
  BOOST_TEST(refused(ExecSpec::command({std::string("a\0b", 3)})));
  auto both = ExecSpec::command({"ls"});
  both.shell = "ls";
  BOOST_TEST(refused(both));
  auto variable = ExecSpec::command({"ls"});
  variable.env["A=B"] = "c";
  BOOST_TEST(refused(variable));
  auto huge = ExecSpec::command({"echo", std::string(kMaxFrame, 'x')});
  BOOST_TEST(refused(huge));
  auto late = ExecSpec::command({"ls"});
  late.timeout = std::chrono::milliseconds(0);
  BOOST_TEST(refused(late));
  std::optional<result<bool>> exists;
  guest.session.exists("", keep(exists));
  BOOST_TEST((exists->error().code() == ErrorCode::InvalidConfig));
  BOOST_TEST(guest.sent.size() == count);
  BOOST_TEST(guest.session.pending() == 0u);
}

BOOST_AUTO_TEST_CASE(a_file_cannot_be_written_before_it_was_sent) {
  ScriptedGuest guest;
  guest.hello();
  std::optional<result<void>> done;
  const auto id = guest.session.write_file("/f", {}, {nullptr, keep(done)});
  BOOST_TEST(!guest.done(id).ok());
  BOOST_TEST(!done->ok());
}

BOOST_AUTO_TEST_CASE(a_file_larger_than_the_limit_is_not_read_into_memory) {
  ScriptedGuest guest;
  guest.hello();
  std::optional<result<std::vector<std::byte>>> content;
  const auto id = read_whole_file(guest.session, "/f", 4, keep(content));
  BOOST_TEST(guest.data(id, wire::STREAM_OUTPUT, "1234").ok());
  BOOST_TEST(guest.data(id, wire::STREAM_OUTPUT, "5").ok());
  BOOST_TEST((content->error().code() == ErrorCode::ResourceExhausted));
  BOOST_TEST(guest.sent.back().has_cancel());
}

BOOST_AUTO_TEST_CASE(the_exit_status_is_what_a_shell_makes_of_it) {
  BOOST_TEST((ExitStatus{3, 0, false}).shell_status() == 3);
  BOOST_TEST((ExitStatus{0, 9, false}).shell_status() == 137);
  BOOST_TEST((ExitStatus{}).success());
  BOOST_TEST(!(ExitStatus{0, 0, true}).success());
}

BOOST_AUTO_TEST_SUITE_END()
