#include <actors/console/core/waiters.hpp>
#include <boost/test/unit_test.hpp>

using namespace capsa::console;
using capsa::ConsoleMatch;
using capsa::ErrorCode;
using capsa::result;

namespace {

/// Sends "hello", takes everything through a "!" and is done; nudges after a second.
class Greeting : public Conversation {
 public:
  Step open(std::string_view tail, TimePoint now) override {
    seen_tail = tail;
    due_ = now + std::chrono::seconds(1);
    return {0, "hello", false};
  }
  Step feed(std::string_view bytes, TimePoint) override {
    const std::size_t end = bytes.find('!');
    if (end == std::string_view::npos) return {bytes.size(), {}, false};
    return {end + 1, "thanks", true};
  }
  Step poke(TimePoint) override {
    due_.reset();
    return {0, "hello?", false};
  }
  std::optional<TimePoint> wakeup() const override { return due_; }
  Recovery recovery() const override { return {"\x03", "begun"}; }
  std::string waiting_for() const override { return "a greeting"; }

  std::string seen_tail;

 private:
  std::optional<TimePoint> due_;
};

struct Fixture {
  auto ended() {
    return [this](result<void> end) { ends.push_back(std::move(end)); };
  }
  auto matched() {
    return [this](result<ConsoleMatch> match) { matches.push_back(std::move(match)); };
  }

  TimePoint now{};
  std::string sent;
  Waiters waiters{[this](std::string bytes) { sent += bytes + "|"; }, 32};
  std::vector<result<void>> ends;
  std::vector<result<ConsoleMatch>> matches;
  std::shared_ptr<Greeting> talk = std::make_shared<Greeting>();
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(waiters_conversations, Fixture)

BOOST_AUTO_TEST_CASE(a_conversation_has_the_stream_to_itself_and_leaves_the_rest) {
  waiters.feed("old", now);
  waiters.converse(talk, now, ended());
  BOOST_TEST(talk->seen_tail == "old");
  BOOST_TEST(waiters.wait_for("x", now, matched()).ok());
  waiters.feed("xx hi!yx", now);
  BOOST_TEST(ends.at(0).ok());
  BOOST_TEST(sent == "hello|thanks|");
  BOOST_TEST(matches.at(0)->text == "yx");
}

BOOST_AUTO_TEST_CASE(it_begins_when_its_turn_has_come) {
  BOOST_TEST(waiters.wait_for("# ", now, matched()).ok());
  const auto id = waiters.converse(talk, now, ended());
  BOOST_TEST(sent.empty());
  BOOST_TEST(!waiters.wakeup());
  BOOST_TEST(waiters.timeout_error(id, std::chrono::milliseconds(5)).message() ==
             "waited 5 ms for its turn on the console; the console is empty");
  waiters.feed("# ", now);
  BOOST_TEST(sent == "hello|");
  BOOST_TEST(waiters.wakeup().has_value());
}

BOOST_AUTO_TEST_CASE(it_is_poked_when_it_asked_to_be_and_not_before) {
  waiters.converse(talk, now, ended());
  waiters.poke(now);
  BOOST_TEST(sent == "hello|");
  waiters.poke(now + std::chrono::seconds(1));
  BOOST_TEST(sent == "hello|hello?|");
  BOOST_TEST(!waiters.wakeup());
}

BOOST_AUTO_TEST_CASE(one_that_is_given_up_sends_its_recovery_only_if_it_had_begun) {
  const auto first = waiters.converse(talk, now, ended());
  const auto second = waiters.converse(std::make_shared<Greeting>(), now, ended());
  const capsa::error why(ErrorCode::Canceled, "");
  BOOST_TEST(waiters.cancel(second, why, now));
  BOOST_TEST(sent == "hello|");
  BOOST_TEST(waiters.cancel(first, why, now));
  BOOST_TEST(sent == "hello|\x03|");
  BOOST_TEST((ends.at(0).error() == why && ends.at(1).error() == why));
}

BOOST_AUTO_TEST_CASE(one_whose_recovery_came_too_early_sends_it_once_more) {
  const auto id = waiters.converse(talk, now, ended());
  BOOST_TEST(waiters.cancel(id, {ErrorCode::Timeout, ""}, now));
  BOOST_TEST(waiters.wait_for("!", now, matched()).ok());
  for (const char byte : std::string("it has begu"))
    waiters.feed({&byte, 1}, now);
  BOOST_TEST(sent == "hello|\x03|");
  waiters.feed("n! and begun", now);
  BOOST_TEST(sent == "hello|\x03|\x03|");
  // Whoever reads now misses nothing of it.
  BOOST_TEST(matches.at(0)->text == "it has begun!");
}

BOOST_AUTO_TEST_CASE(what_is_watched_for_ends_with_the_vm_and_is_bounded) {
  for (int i = 0; i < 20; ++i)
    waiters.cancel(waiters.converse(talk, now, ended()), {ErrorCode::Timeout, ""}, now);
  sent.clear();
  waiters.feed("begun", now);
  BOOST_TEST(sent == "\x03|");
  waiters.feed("begun", now);
  BOOST_TEST(sent == "\x03|");
  waiters.cancel(waiters.converse(talk, now, ended()), {ErrorCode::Timeout, ""}, now);
  sent.clear();
  waiters.end("the VM was killed", now);
  waiters.reopen();
  waiters.feed("begun", now);
  BOOST_TEST(sent.empty());
}

BOOST_AUTO_TEST_CASE(it_is_ended_by_the_end_of_the_vm) {
  waiters.converse(talk, now, ended());
  waiters.end("the VM was killed", now);
  BOOST_TEST((ends.at(0).error().code() == ErrorCode::VmEnded));
  waiters.converse(talk, now, ended());
  BOOST_TEST((ends.at(1).error().code() == ErrorCode::VmEnded));
  BOOST_TEST(sent == "hello|");
}

BOOST_AUTO_TEST_CASE(a_burst_larger_than_the_ring_passes_through_it_whole) {
  waiters.converse(talk, now, ended());
  waiters.feed(std::string(1000, 'x') + "!", now);
  BOOST_TEST(ends.at(0).ok());
  BOOST_TEST(waiters.ring().lost_total() == 0U);
}

BOOST_AUTO_TEST_CASE(a_guest_that_answers_inside_the_write_is_heard) {
  // As a fake line does that loops back.
  std::vector<std::string> log;
  Waiters* self = nullptr;
  Waiters loop([&](std::string bytes) {
    log.push_back(bytes);
    if (bytes == "hello") self->feed("hi!", now);
  });
  self = &loop;
  loop.converse(talk, now, ended());
  BOOST_TEST(ends.at(0).ok());
  BOOST_TEST(log == (std::vector<std::string>{"hello", "thanks"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_send_that_cancels_the_conversation_is_survived) {
  Waiters* self = nullptr;
  Waiters::Id id = 1;
  Waiters loop([&](std::string bytes) {
    if (bytes == "hello") self->cancel(id, {ErrorCode::Canceled, ""}, now);
  });
  self = &loop;
  loop.converse(talk, now, ended());
  BOOST_REQUIRE_EQUAL(ends.size(), 1U);
  BOOST_TEST((ends[0].error().code() == ErrorCode::Canceled));
  BOOST_TEST(loop.waiting() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
