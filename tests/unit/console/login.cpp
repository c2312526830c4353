#include "scripted_guest.hpp"

#include <actors/console/core/login.hpp>
#include <boost/test/unit_test.hpp>

using namespace capsa::console;
using capsa::ErrorCode;

namespace {

using Password = std::optional<std::string>;

struct Attempt {
  std::string outcome;  // "ok", the error's code, or "waiting"
  std::string sent;     // joined by '|'
};

Attempt attempt(const Password& password, const std::string& tail,
                const std::vector<std::string>& answers, std::size_t cut = 0) {
  auto login = Login::make("root", password);
  BOOST_REQUIRE(login.ok());
  ScriptedGuest guest(*login, answers);
  guest.cut_at(cut);
  const bool done = guest.play(tail);
  Attempt out{done ? "ok" : "waiting", {}};
  if (!login->outcome().ok()) {
    out.outcome = to_string(login->outcome().error().code());
    BOOST_TEST(login->outcome().error().message().find("s3cret") == std::string::npos);
  }
  for (const std::string& bytes : guest.sent)
    out.sent += bytes + "|";
  return out;
}

void expect(const Password& password, const std::string& tail,
            const std::vector<std::string>& answers, const std::string& outcome,
            const std::string& sent) {
  std::size_t longest = 0;
  for (const std::string& answer : answers)
    longest = std::max(longest, answer.size());
  for (std::size_t cut = 0; cut <= longest; ++cut) {
    const Attempt got = attempt(password, tail, answers, cut);
    BOOST_TEST_REQUIRE(got.outcome == outcome);
    BOOST_TEST_REQUIRE(got.sent == sent);
  }
}

const std::string kMotd =
    "\r\nLast login: Tue Jan  2 on hvc0\r\nplease login: as root only\r\n\r\n";

}  // namespace

BOOST_AUTO_TEST_SUITE(login)

BOOST_AUTO_TEST_CASE(a_prompt_that_is_there_takes_user_and_password) {
  expect("s3cret", "\r\nvm login: ", {"root\r\nPassword: ", kMotd + "\x1b[?2004hroot@vm:~# "}, "ok",
         "root\n|s3cret\n|");
}

BOOST_AUTO_TEST_CASE(no_password_may_be_asked_for) {
  expect({}, "\r\nvm login: ", {"root\r\n" + kMotd + "~ # \x1b[6n"}, "ok", "root\n|");
  expect("s3cret", "\r\nvm login: ", {"root\r\n# "}, "ok", "root\n|");
}

BOOST_AUTO_TEST_CASE(a_prompt_that_is_not_there_is_asked_for) {
  expect({}, "", {"\r\nvm login: ", "root\r\n# "}, "ok", "\n|root\n|");
  expect({}, "vm login: [ 3.1] usb 1-1: new device\r\n", {"\r\nvm login: ", "root\r\n# "}, "ok",
         "\n|root\n|");
}

BOOST_AUTO_TEST_CASE(a_guest_that_still_boots_is_asked_again) {
  expect({}, "", {"\r\n", "", "\r\n\r\nvm login: ", "root\r\n$ "}, "ok", "\n|\n|\n|root\n|");
}

BOOST_AUTO_TEST_CASE(a_wrong_password_is_refused_at_once) {
  expect("s3cret", "vm login: ", {"root\r\nPassword: ", "\r\nLogin incorrect\r\nvm login: "},
         "login_failed", "root\n|s3cret\n|");
}

BOOST_AUTO_TEST_CASE(a_second_login_prompt_is_a_refusal_too) {
  expect("s3cret", "vm login: ", {"root\r\nPassword: ", "\r\nnope\r\nvm login: "}, "login_failed",
         "root\n|s3cret\n|");
  expect({}, "vm login: ", {"root\r\n\r\nvm login: "}, "login_failed", "root\n|");
}

BOOST_AUTO_TEST_CASE(a_second_password_prompt_is_a_refusal_too) {
  expect("s3cret", "vm login: ", {"root\r\nPassword: ", "\r\nPassword: "}, "login_failed",
         "root\n|s3cret\n|\x03|");
}

BOOST_AUTO_TEST_CASE(a_password_that_was_not_given_is_not_waited_for) {
  expect({}, "vm login: ", {"root\r\nPassword: "}, "login_failed", "root\n|\x03|");
}

BOOST_AUTO_TEST_CASE(an_open_shell_is_found) {
  expect("s3cret", "root@vm:~# ", {}, "ok", "");
  expect({}, "$ ", {}, "ok", "");
  expect({}, "\x1b]0;vm\a\x1b[32mvm$\x1b[0m ", {}, "ok", "");
  expect({}, "# [ 3.1] usb 1-1: new device\r\n", {"\r\n# "}, "ok", "\n|");
}

BOOST_AUTO_TEST_CASE(a_last_login_line_that_pauses_is_no_prompt) {
  expect({}, "vm login: ", {"root\r\nLast login:"}, "waiting", "root\n|");
}

BOOST_AUTO_TEST_CASE(a_name_that_getty_flushed_is_sent_again) {
  expect({}, "vm login: ", {"", "root\r\n# "}, "ok", "root\n|root\n|");
  // An empty line of ours was answered only now.
  expect({}, "vm login: ", {"\r\nvm login: ", "root\r\n# "}, "ok", "root\n|root\n|");
  expect({}, "vm login: ", {"", "", ""}, "waiting", "root\n|root\n|root\n|");
}

BOOST_AUTO_TEST_CASE(somebody_elses_half_login_is_ended_first) {
  expect({}, "vm login: jo\r\nPassword: ", {"\r\nLogin incorrect\r\nvm login: ", "root\r\n# "},
         "ok", "\n|root\n|");
}

BOOST_AUTO_TEST_CASE(an_unusual_prompt_is_believed_after_a_longer_silence) {
  expect("s3cret", "vm login: ", {"root\r\nPassword: ", "\r\nvm> "}, "ok", "root\n|s3cret\n|");
}

BOOST_AUTO_TEST_CASE(what_cannot_be_typed_is_refused) {
  BOOST_TEST((Login::make("", {}).error().code() == ErrorCode::InvalidConfig));
  BOOST_TEST((Login::make("a\nb", {}).error().code() == ErrorCode::InvalidConfig));
  BOOST_TEST((Login::make("a", "b\n").error().code() == ErrorCode::InvalidConfig));
  BOOST_TEST(Login::make("a", "").ok());
}

BOOST_AUTO_TEST_SUITE_END()
