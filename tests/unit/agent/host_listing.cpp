#include "scripted_guest.hpp"

using namespace capsa;
using namespace capsa::agent;
using namespace capsa::agent::test;

BOOST_AUTO_TEST_SUITE(host_listing)

BOOST_AUTO_TEST_CASE(a_listing_that_never_ends_is_given_up) {
  ScriptedGuest guest;
  guest.hello();
  std::optional<result<std::vector<DirEntry>>> listing;
  const auto id = guest.session.list_dir("/", keep(listing));
  // Few entries, and as many bytes as the guest can make of them.
  const std::string target(4096, 'x');
  for (int frames = 0; frames < 1000 && !listing; ++frames) {
    wire::GuestFrame frame;
    frame.set_id(id);
    for (int i = 0; i < 200; ++i) {
      auto& entry = *frame.mutable_entries()->add_entries();
      entry.set_name(std::to_string(i));
      entry.mutable_stat()->set_link_target(target);
    }
    BOOST_TEST_REQUIRE(guest.say(frame).ok());
  }
  BOOST_TEST_REQUIRE(listing.has_value());
  BOOST_TEST((listing->error().code() == ErrorCode::ResourceExhausted));
  BOOST_TEST(guest.sent.back().has_cancel());
  BOOST_TEST(guest.session.pending() == 0U);
}

BOOST_AUTO_TEST_CASE(a_listing_is_sorted_and_gets_credit_as_it_comes) {
  ScriptedGuest guest;
  guest.hello();
  std::optional<result<std::vector<DirEntry>>> listing;
  const auto id = guest.session.list_dir("/", keep(listing));
  wire::GuestFrame frame;
  frame.set_id(id);
  for (const char* name : {"b", "a"})
    frame.mutable_entries()->add_entries()->set_name(name);
  BOOST_TEST(guest.say(frame).ok());
  BOOST_TEST(guest.sent.back().credit().amount() == 2u);
  BOOST_TEST(guest.done(id).ok());
  BOOST_TEST((*listing)->at(0).name == "a");
  BOOST_TEST((*listing)->at(1).name == "b");
}

BOOST_AUTO_TEST_CASE(an_entry_that_is_no_name_ends_the_session) {
  for (const auto& name : {std::string("../x"), std::string(".."), std::string(),
                           std::string("a\0b", 3), std::string(256, 'x')}) {
    ScriptedGuest guest;
    guest.hello();
    const auto id = guest.session.list_dir("/", nullptr);
    wire::GuestFrame frame;
    frame.set_id(id);
    frame.mutable_entries()->add_entries()->set_name(name);
    BOOST_TEST(!guest.say(frame).ok());
  }
}

BOOST_AUTO_TEST_SUITE_END()
