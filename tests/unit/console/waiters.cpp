#include <actors/console/core/waiters.hpp>
#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>

using namespace capsa::console;
using capsa::ConsoleMatch;
using capsa::ErrorCode;
using capsa::result;

namespace {

struct Fixture {
  explicit Fixture(std::size_t capacity = 64) : waiters([](std::string) {}, capacity) {}

  auto keep(std::vector<result<ConsoleMatch>>& into) {
    return [&into](result<ConsoleMatch> match) { into.push_back(std::move(match)); };
  }
  Waiters::Id wait(std::vector<std::string> patterns, std::vector<result<ConsoleMatch>>& into) {
    auto id = waiters.wait_for_any(std::move(patterns), now, keep(into));
    BOOST_REQUIRE(id.ok());
    return *id;
  }
  std::string available() {
    std::vector<result<ConsoleMatch>> got;
    waiters.read_available(now, keep(got));
    return got.size() == 1 && got[0].ok() ? got[0]->text : "(none)";
  }

  TimePoint now{};
  Waiters waiters;
  std::vector<result<ConsoleMatch>> a, b;
};

struct SmallRing : Fixture {
  SmallRing() : Fixture(8) {}
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(waiters, Fixture)

BOOST_AUTO_TEST_CASE(wait_for_gives_everything_through_the_match_and_keeps_the_rest) {
  wait({"# "}, a);
  waiters.feed("motd\r\nvm# ls", now);
  BOOST_REQUIRE_EQUAL(a.size(), 1U);
  BOOST_TEST(a[0]->text == "motd\r\nvm# ");
  BOOST_TEST(available() == "ls");
  BOOST_TEST(available().empty());
}

BOOST_AUTO_TEST_CASE(a_match_that_is_there_already_is_given_at_once) {
  waiters.feed("one two three", now);
  wait({"two"}, a);
  wait({"three"}, b);
  BOOST_REQUIRE_EQUAL(a.size(), 1U);
  BOOST_TEST(a[0]->text == "one two");
  BOOST_TEST(b.at(0)->text == " three");
}

BOOST_AUTO_TEST_CASE(a_pattern_cut_at_every_byte_matches) {
  const std::string text = "xxlogin: yy";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    Fixture f;
    f.wait({"login: "}, f.a);
    f.waiters.feed(text.substr(0, cut), f.now);
    f.waiters.feed(text.substr(cut), f.now);
    BOOST_REQUIRE_EQUAL(f.a.size(), 1U);
    BOOST_TEST(f.a[0]->text == "xxlogin: ");
    BOOST_TEST(f.available() == "yy");
  }
}

BOOST_AUTO_TEST_CASE(of_several_patterns_the_one_complete_first_in_the_stream_wins) {
  const std::string text = "--abcdef--";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    Fixture f;
    f.wait({"abcdef", "cd", "bcde"}, f.a);
    f.waiters.feed(text.substr(0, cut), f.now);
    f.waiters.feed(text.substr(cut), f.now);
    BOOST_REQUIRE_EQUAL(f.a.size(), 1U);
    BOOST_TEST(f.a[0]->which == 1U);
    BOOST_TEST(f.a[0]->text == "--abcd");
  }
}

BOOST_AUTO_TEST_CASE(of_patterns_that_end_together_the_first_of_the_list_wins) {
  wait({"$ # ", "# "}, a);
  waiters.feed("$ # ", now);
  BOOST_TEST(a.at(0)->which == 0U);
  wait({"# ", "$ # "}, b);
  waiters.feed("$ # ", now);
  BOOST_TEST(b.at(0)->which == 0U);
}

BOOST_AUTO_TEST_CASE(waiters_are_served_in_the_order_they_came) {
  wait({"B"}, a);
  wait({"A"}, b);
  waiters.feed("A", now);
  BOOST_TEST((a.empty() && b.empty()));
  waiters.feed("BxA", now);
  BOOST_TEST(a.at(0)->text == "AB");
  BOOST_TEST(b.at(0)->text == "xA");
}

BOOST_AUTO_TEST_CASE(a_cancelled_wait_moves_nothing) {
  const auto id = wait({"never"}, a);
  wait({"two"}, b);
  waiters.feed("one two", now);
  const auto timeout = waiters.timeout_error(id, std::chrono::milliseconds(250));
  BOOST_TEST(timeout.message() ==
             "waited 250 ms for \"never\"; the console's last lines:\none two");
  BOOST_TEST(waiters.cancel(id, timeout, now));
  BOOST_TEST((a.at(0).error() == timeout));
  BOOST_TEST(b.at(0)->text == "one two");
  BOOST_TEST(!waiters.cancel(id, timeout, now));
}

BOOST_AUTO_TEST_CASE(a_read_that_was_given_up_takes_nothing) {
  const auto id = waiters.read_some(100, now, keep(a));
  const auto behind = waiters.read_some(2, now, keep(b));
  BOOST_TEST(waiters.timeout_error(id, std::chrono::milliseconds(0)).message() ==
             "waited 0 ms for output on the console; the console is empty");
  BOOST_TEST(waiters.cancel(id, {ErrorCode::Canceled, ""}, now));
  BOOST_TEST((a.at(0).error().code() == ErrorCode::Canceled));
  BOOST_TEST(b.empty());
  waiters.feed("abc", now);
  BOOST_TEST(b.at(0)->text == "ab");
  BOOST_TEST(available() == "c");
  BOOST_TEST(!waiters.cancel(behind, {ErrorCode::Canceled, ""}, now));
}

BOOST_AUTO_TEST_CASE(bytes_that_are_no_text_are_none_the_worse) {
  wait({std::string("\0\xff", 2)}, a);
  waiters.feed(std::string("\xc3(\0\xfe\0\xffz", 7), now);
  BOOST_TEST(a.at(0)->text == std::string("\xc3(\0\xfe\0\xff", 6));
}

BOOST_AUTO_TEST_CASE(an_empty_pattern_or_list_is_refused) {
  const auto never = [](result<ConsoleMatch>) { BOOST_ERROR("called"); };
  BOOST_TEST((waiters.wait_for("", now, never).error().code() == ErrorCode::InvalidConfig));
  BOOST_TEST((waiters.wait_for_any({}, now, never).error().code() == ErrorCode::InvalidConfig));
  BOOST_TEST(
      (waiters.wait_for_any({"a", ""}, now, never).error().code() == ErrorCode::InvalidConfig));
  BOOST_TEST((waiters.wait_for(std::string(65, 'x'), now, never).error().code() ==
              ErrorCode::InvalidConfig));
  BOOST_TEST(waiters.waiting() == 0U);
}

BOOST_FIXTURE_TEST_CASE(a_reader_that_was_lapped_is_told_how_much_it_lost, SmallRing) {
  waiters.feed("0123456789abcdef", now);
  wait({"f"}, a);
  BOOST_TEST(a.at(0)->text == "89abcdef");
  BOOST_TEST(a.at(0)->lost == 8U);
  waiters.feed("g", now);
  wait({"g"}, b);
  BOOST_TEST(b.at(0)->lost == 0U);
}

BOOST_FIXTURE_TEST_CASE(a_match_in_a_burst_larger_than_the_ring_is_found, SmallRing) {
  wait({"MARK"}, a);
  waiters.feed("xxMARK" + std::string(100, 'y'), now);
  BOOST_TEST(a.at(0)->text == "xxMARK");
  BOOST_TEST(a.at(0)->lost == 0U);
  wait({"Z"}, b);
  waiters.feed("Z", now);
  BOOST_TEST(b.at(0)->text == "yyyyyyyZ");
  BOOST_TEST(b.at(0)->lost == 93U);
}

BOOST_FIXTURE_TEST_CASE(a_waiter_that_is_lapped_while_it_waits_still_matches, SmallRing) {
  wait({"MARK"}, a);
  for (const char c : std::string("0123456789MARK"))
    waiters.feed({&c, 1}, now);
  BOOST_TEST(a.at(0)->text == "6789MARK");
  BOOST_TEST(a.at(0)->lost == 6U);
}

BOOST_AUTO_TEST_CASE(read_some_waits_for_a_byte_and_takes_no_more_than_asked) {
  waiters.read_some(3, now, keep(a));
  BOOST_TEST(a.empty());
  waiters.feed("abcde", now);
  BOOST_TEST(a.at(0)->text == "abc");
  BOOST_TEST(available() == "de");
}

BOOST_AUTO_TEST_CASE(what_is_offered_and_not_taken_stays) {
  std::string taken;
  const auto take = [&taken](std::size_t most) {
    return [&taken, most](std::array<std::string_view, 2> pieces) {
      const auto all = std::string(pieces[0]) + std::string(pieces[1]);
      taken += "[" + all.substr(0, most) + "]";
      return std::min(all.size(), most);
    };
  };
  waiters.offer(now, take(2));
  BOOST_TEST(taken.empty());  // not before there is a byte
  waiters.feed("abcde", now);
  BOOST_TEST(taken == "[ab]");
  BOOST_TEST(available() == "cde");

  // In its turn, and seen by those behind it as if it had been a read.
  wait({"f"}, a);
  waiters.offer(now, take(0));
  wait({"h"}, b);
  waiters.feed("efgh", now);
  BOOST_TEST(a.at(0)->text == "ef");
  BOOST_TEST(taken == "[ab][]");
  BOOST_TEST(b.at(0)->text == "gh");

  // Given up, it is not made.
  const auto id = waiters.offer(now, take(9));
  BOOST_TEST(waiters.cancel(id, {ErrorCode::Canceled, ""}, now));
  waiters.feed("ij", now);
  BOOST_TEST(taken == "[ab][]");
  BOOST_TEST(available() == "ij");
}

BOOST_AUTO_TEST_CASE(an_offer_may_be_made_inside_one_and_is_empty_at_the_end) {
  std::string taken;
  std::function<std::size_t(std::array<std::string_view, 2>)> take =
      [&](std::array<std::string_view, 2> pieces) -> std::size_t {
    taken += "[" + std::string(pieces[0].substr(0, 3)) + "]";
    if (!pieces[0].empty()) waiters.offer(now, take);
    return std::min<std::size_t>(pieces[0].size(), 3);
  };
  waiters.offer(now, take);
  waiters.feed("abcdefgh", now);
  BOOST_TEST(taken == "[abc][def][gh]");
  waiters.end("the VM was stopped", now);
  BOOST_TEST(taken == "[abc][def][gh][]");
  BOOST_TEST(waiters.waiting() == 0U);
}

BOOST_AUTO_TEST_CASE(the_end_of_the_vm_ends_every_wait_with_the_last_lines) {
  wait({"login:"}, a);
  wait({"panic"}, b);
  waiters.feed("Kernel panic\r\n", now);
  waiters.end("the VM was stopped", now);
  BOOST_REQUIRE(!a.at(0).ok());
  BOOST_TEST((a[0].error().code() == ErrorCode::VmEnded));
  BOOST_TEST(a[0].error().message() ==
             "the VM was stopped; the console's last lines:\nKernel panic");
  BOOST_TEST(b.at(0).ok());  // what was written before the end is still there to be read
}

BOOST_AUTO_TEST_CASE(after_the_end_what_is_kept_can_be_read_and_then_reads_are_empty) {
  waiters.feed("bye\n", now);
  waiters.end("the guest powered off", now);
  waiters.read_some(100, now, keep(a));
  waiters.read_some(100, now, keep(a));
  BOOST_TEST(a.at(0)->text == "bye\n");
  BOOST_TEST(a.at(1)->text.empty());
  wait({"x"}, b);
  BOOST_TEST((b.at(0).error().code() == ErrorCode::VmEnded));
  waiters.reopen();
  b.clear();
  wait({"x"}, b);
  waiters.feed("x", now);
  BOOST_TEST(b.at(0)->text == "x");
}

BOOST_AUTO_TEST_CASE(fail_all_answers_everybody) {
  wait({"x"}, a);
  waiters.read_some(1, now, keep(b));
  waiters.fail_all({ErrorCode::RuntimeShutdown, ""});
  BOOST_TEST((a.at(0).error().code() == ErrorCode::RuntimeShutdown));
  BOOST_TEST((b.at(0).error().code() == ErrorCode::RuntimeShutdown));
  BOOST_TEST(waiters.waiting() == 0U);
}

BOOST_AUTO_TEST_CASE(a_callback_may_wait_again) {
  std::vector<std::string> got;
  std::function<void(result<ConsoleMatch>)> again = [&](result<ConsoleMatch> match) {
    if (!match) return;
    got.push_back(match->text);
    BOOST_TEST(waiters.wait_for("\n", now, again).ok());
  };
  BOOST_TEST(waiters.wait_for("\n", now, again).ok());
  waiters.feed("1\n2\n3\n4", now);
  BOOST_TEST(got == (std::vector<std::string>{"1\n", "2\n", "3\n"}),
             boost::test_tools::per_element());
  waiters.end("done", now);
}

BOOST_AUTO_TEST_SUITE_END()
