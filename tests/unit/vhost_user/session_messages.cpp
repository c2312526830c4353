#include <sys/mman.h>

#include <boost/test/unit_test.hpp>

#include "front_end.hpp"

using namespace capsa;
using test::operator+;
using test::Bytes;
using test::bytes_of;
using test::Conversation;
using test::vring;
using vhost_user::Request;

namespace {

const Bytes kAccepted = bytes_of(std::uint64_t{0});
const Bytes kRefused = bytes_of(std::uint64_t{1});

/// Refused with an answer where the front-end asked for one, and the conversation goes on; the end
/// of it where it did not.
void refused(Request request, const Bytes& payload, ErrorCode code = ErrorCode::BackendFailed) {
  Conversation asked;
  asked.agree();
  BOOST_TEST((asked.ask(request, payload, true) == kRefused));
  BOOST_TEST(!asked.host.failure.has_value());
  BOOST_TEST((asked.ask(Request::SetOwner, {}, true) == kAccepted));

  Conversation silent;
  silent.agree();
  silent.say(request, payload);
  BOOST_REQUIRE(silent.host.failure.has_value());
  BOOST_TEST((silent.host.failure->code() == code), silent.host.failure->what());
  BOOST_TEST(silent.ask(Request::GetFeatures).empty());
}

}  // namespace

BOOST_AUTO_TEST_SUITE(session_messages)

BOOST_AUTO_TEST_CASE(features_are_the_device_s_and_the_protocol_s) {
  Conversation talk;
  BOOST_TEST((talk.ask(Request::GetFeatures) ==
              bytes_of(test::EchoDevice::kFeatures | vhost_user::kFeatureProtocolFeatures)));
  BOOST_TEST((talk.ask(Request::GetProtocolFeatures) ==
              bytes_of(vhost_user::kProtocolAlways | vhost_user::kProtocolConfig)));
  BOOST_TEST((talk.ask(Request::GetQueueNum) == bytes_of(std::uint64_t{3})));
}

BOOST_AUTO_TEST_CASE(configuration_space_is_not_offered_for_a_file_system) {
  test::EchoDevice device;
  device.type = 26;
  test::RecordingHost host;
  vhost_user::Session session(device, host);
  session.feed(test::message(Request::GetProtocolFeatures));
  BOOST_TEST((Conversation::payload_of(host.take(), Request::GetProtocolFeatures) ==
              bytes_of(vhost_user::kProtocolAlways)));
}

BOOST_AUTO_TEST_CASE(features_that_were_not_offered_are_refused) {
  refused(Request::SetFeatures, bytes_of(std::uint64_t{1} << 26));
  refused(Request::SetFeatures, bytes_of(std::uint32_t{1}));
  refused(Request::SetProtocolFeatures, bytes_of(std::uint64_t{1} << 15));
  refused(Request::SetProtocolFeatures, {});
}

BOOST_AUTO_TEST_CASE(an_acknowledgement_is_sent_only_where_it_was_agreed_and_asked_for) {
  Conversation talk;
  BOOST_TEST(talk.ask(Request::SetOwner, {}, true).empty());
  talk.agree();
  BOOST_TEST((talk.ask(Request::SetOwner, {}, true) == kAccepted));
  BOOST_TEST((talk.ask(Request::ResetOwner, {}, true) == kAccepted));
  BOOST_TEST(talk.ask(Request::SetOwner).empty());
  BOOST_TEST(!talk.host.failure.has_value());
}

BOOST_AUTO_TEST_CASE(what_is_not_supported_is_refused) {
  refused(Request::SetLogBase, Bytes(16), ErrorCode::UnsupportedFeature);
  refused(Request::SetLogFd, {}, ErrorCode::UnsupportedFeature);
  refused(static_cast<Request>(37), Bytes(40), ErrorCode::UnsupportedFeature);
  refused(static_cast<Request>(0), {}, ErrorCode::UnsupportedFeature);
}

BOOST_AUTO_TEST_CASE(rings_that_do_not_exist_are_refused) {
  for (const std::uint32_t index : {3U, 255U, 256U, 0xffffffffU}) {
    refused(Request::SetVringNum, vring(index, 16));
    refused(Request::SetVringBase, vring(index, 0));
    refused(Request::SetVringEnable, vring(index, 1));
    refused(Request::SetVringAddr, bytes_of(vhost_user::VringAddress{index, 0, 0, 0, 0, 0}));
  }
  for (const std::uint64_t index : {3U, 255U}) {
    refused(Request::SetVringCall, bytes_of(index | vhost_user::kVringNoFd));
    refused(Request::SetVringErr, bytes_of(index | vhost_user::kVringNoFd));
    refused(Request::SetVringKick, bytes_of(index | vhost_user::kVringNoFd));
  }
}

BOOST_AUTO_TEST_CASE(numbers_out_of_range_are_refused) {
  for (const std::uint32_t size : {0U, 3U, 8192U, 0x10010U, 0xffffffffU}) {
    refused(Request::SetVringNum, vring(0, size));
  }
  refused(Request::SetVringBase, vring(0, 0x10000));
  refused(Request::SetVringEnable, vring(0, 2));
  refused(Request::SetVringNum, bytes_of(std::uint64_t{0}) + bytes_of(char{0}));
  refused(Request::SetVringAddr, bytes_of(vhost_user::VringAddress{0, 1, 0, 0, 0, 0}),
          ErrorCode::UnsupportedFeature);
  refused(Request::SetVringAddr, Bytes(39));
}

BOOST_AUTO_TEST_CASE(a_question_about_a_ring_that_does_not_exist_ends_the_session) {
  Conversation talk;
  talk.agree();
  BOOST_TEST(talk.ask(Request::GetVringBase, vring(3, 0), true).empty());
  BOOST_TEST(talk.host.failure.has_value());
}

BOOST_AUTO_TEST_CASE(a_kick_must_be_one_eventfd) {
  refused(Request::SetVringKick, bytes_of(std::uint64_t{0}));
  refused(Request::SetVringKick, bytes_of(vhost_user::kVringNoFd), ErrorCode::UnsupportedFeature);
  Conversation talk;
  const UniqueFd file(::open("/dev/null", O_RDWR | O_CLOEXEC));
  talk.notifier(Request::SetVringKick, 0, file);
  BOOST_TEST(talk.host.failure.has_value());
  BOOST_TEST(talk.host.kicks.empty());
}

BOOST_AUTO_TEST_CASE(a_kick_is_watched_until_another_takes_its_place) {
  Conversation talk;
  talk.agree();
  talk.notifier(Request::SetVringKick, 1, talk.kick);
  const int first = talk.host.kicks.at(1);
  talk.notifier(Request::SetVringKick, 1, talk.kick);
  BOOST_TEST(talk.host.kicks.size() == 1U);
  BOOST_TEST(::fcntl(talk.host.kicks.at(1), F_GETFD) != -1);
  BOOST_TEST((talk.host.kicks.at(1) == first || ::fcntl(first, F_GETFD) == -1));
}

BOOST_AUTO_TEST_CASE(configuration_space_is_read_and_written_in_pieces) {
  Conversation talk;
  const auto request = bytes_of(vhost_user::ConfigHeader{2, 4, 0}) + Bytes(4);
  const auto answer = talk.ask(Request::GetConfig, request);
  BOOST_TEST((answer ==
              bytes_of(vhost_user::ConfigHeader{2, 4, 0}) + bytes_of(std::uint32_t{0x45444342})));
  talk.say(Request::SetConfig,
           bytes_of(vhost_user::ConfigHeader{14, 4, 0}) + bytes_of(std::uint32_t{0x01020304}));
  BOOST_TEST(talk.device.config[14] == 4);
  BOOST_TEST(talk.device.config[15] == 3);
  BOOST_TEST(!talk.host.failure.has_value());
}

BOOST_AUTO_TEST_CASE(configuration_outside_its_space_is_refused) {
  Conversation talk;
  for (const auto& bad : {vhost_user::ConfigHeader{0, 257, 0}, vhost_user::ConfigHeader{253, 4, 0},
                          vhost_user::ConfigHeader{0xffffffff, 2, 0}}) {
    const auto answer = talk.ask(Request::GetConfig, bytes_of(bad));
    BOOST_TEST((answer == bytes_of(vhost_user::ConfigHeader{bad.offset, 0, 0})));
    refused(Request::SetConfig, bytes_of(bad) + Bytes(bad.size & 0xff));
  }
  refused(Request::SetConfig, bytes_of(vhost_user::ConfigHeader{0, 4, 0}) + Bytes(3));
  BOOST_TEST(talk.ask(Request::GetConfig, Bytes(11)).size() == 12U);
}

BOOST_AUTO_TEST_CASE(a_memory_table_that_is_not_what_it_says_is_refused) {
  using vhost_user::MemRegion;
  using vhost_user::MemTableHeader;
  const auto region = bytes_of(MemRegion{0, 4096, 0, 0});
  refused(Request::SetMemTable, {});
  refused(Request::SetMemTable, bytes_of(MemTableHeader{1, 0}));
  refused(Request::SetMemTable, bytes_of(MemTableHeader{1, 0}) + region);  // no descriptor
  refused(Request::SetMemTable, bytes_of(MemTableHeader{0, 0}) + region);
  refused(Request::SetMemTable, bytes_of(MemTableHeader{0xffffffff, 0}) + region);
  Conversation talk;
  std::vector<UniqueFd> fds;
  fds.push_back(test::duplicate(talk.driver.memory_fd()));
  talk.say(Request::SetMemTable,
           bytes_of(MemTableHeader{1, 0}) + bytes_of(MemRegion{0, 1ULL << 40, 0, 0}),
           std::move(fds));
  BOOST_REQUIRE(talk.host.failure.has_value());
  BOOST_TEST((talk.host.failure->code() == ErrorCode::InvalidConfig));
}

BOOST_AUTO_TEST_CASE(memory_that_its_owner_could_cut_off_is_refused) {
  Conversation talk;
  talk.agree();
  std::vector<UniqueFd> fds;
  fds.emplace_back(::memfd_create("test", MFD_CLOEXEC));
  BOOST_REQUIRE_EQUAL(::ftruncate(fds.front().get(), 4096), 0);
  talk.say(
      Request::SetMemTable,
      bytes_of(vhost_user::MemTableHeader{1, 0}) + bytes_of(vhost_user::MemRegion{0, 4096, 0, 0}),
      std::move(fds));
  BOOST_REQUIRE(talk.host.failure.has_value());
  BOOST_TEST((talk.host.failure->code() == ErrorCode::InvalidConfig));
}

BOOST_AUTO_TEST_SUITE_END()
