#include "pty.hpp"

#include <boost/test/unit_test.hpp>

using capsa::ErrorCode;

namespace {

// What a getty and login(1) do at a terminal, without an account: user joe, password "open sesame".
constexpr const char* kLogin = R"sh(
echo "Welcome. Your login: is joe."
while :; do
  printf 'vm login: '; read -r user || exit 1
  [ -n "$user" ] || continue
  if [ "$user" != nopass ]; then
    printf 'Password: '; stty -echo; read -r password; stty echo; echo
    if [ "$user:$password" != "joe:open sesame" ]; then echo; echo 'Login incorrect'; continue; fi
  fi
  echo 'Last login: Tue Jan  2 03:04:05 on ttyS0'; echo 'please login: again tomorrow'
  PS1='joe@vm:~$ ' exec /bin/sh -i
done
)sh";

struct Getty : Terminal {
  Getty() : Terminal({"/bin/sh", "-c", kLogin}, {"PATH=/usr/bin:/bin", "TERM=vt100"}) {}
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(shells_login, Getty)

BOOST_AUTO_TEST_CASE(login_with_a_password_reaches_a_shell) {
  BOOST_REQUIRE(login("joe", "open sesame").ok());
  BOOST_TEST(exec("echo in")->output == "in\n");
  BOOST_TEST(*run_command("echo typed", "$ ") == "typed\n");
  BOOST_TEST(login("joe", "open sesame").ok());  // a shell is open already
}

BOOST_AUTO_TEST_CASE(login_without_a_password_reaches_a_shell) {
  BOOST_REQUIRE(login("nopass", std::nullopt).ok());
  BOOST_TEST(exec("echo in")->output == "in\n");
}

BOOST_AUTO_TEST_CASE(a_prompt_that_was_read_before_is_no_hindrance) {
  BOOST_TEST(wait_for("vm login:").ends_with("vm login:"));
  BOOST_REQUIRE(login("joe", "open sesame").ok());
}

BOOST_AUTO_TEST_CASE(a_wrong_password_fails_and_the_right_one_works_afterwards) {
  const auto refused = login("joe", "wrong");
  BOOST_REQUIRE(!refused.ok());
  BOOST_TEST((refused.error().code() == ErrorCode::LoginFailed));
  BOOST_REQUIRE(login("joe", "open sesame").ok());
}

BOOST_AUTO_TEST_CASE(a_password_that_is_asked_for_and_not_given_fails) {
  const auto refused = login("joe", std::nullopt);
  BOOST_REQUIRE(!refused.ok());
  BOOST_TEST((refused.error().code() == ErrorCode::LoginFailed));
}

BOOST_AUTO_TEST_SUITE_END()
