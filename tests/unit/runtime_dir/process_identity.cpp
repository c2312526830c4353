#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <backends/runtime_dir/process_identity.hpp>
#include <boost/test/unit_test.hpp>

using namespace capsa;

namespace {

pid_t forked_sleeper() {
  const pid_t pid = ::fork();
  if (pid == 0) {
    for (;;)
      ::pause();
  }
  return pid;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(process_identity)

BOOST_AUTO_TEST_CASE(this_process_is_alive) {
  const auto self = own_identity();
  BOOST_TEST(self.pid == ::getpid());
  BOOST_TEST(self.start_time > 0u);
  BOOST_TEST(is_alive(self));
  BOOST_TEST(!is_alive({self.pid, self.start_time + 1}));
  BOOST_TEST(!identify_process(0).has_value());
  BOOST_TEST(!identify_process(-1).has_value());
}

BOOST_AUTO_TEST_CASE(a_name_with_parentheses_and_spaces_does_not_mislead) {
  const auto before = own_identity();
  char old[16] = {};
  ::prctl(PR_GET_NAME, old);
  ::prctl(PR_SET_NAME, "a) Z 1 2 (b");
  const auto after = own_identity();
  ::prctl(PR_SET_NAME, old);
  BOOST_TEST((before == after));
}

BOOST_AUTO_TEST_CASE(only_the_very_process_is_killed) {
  const pid_t pid = forked_sleeper();
  const auto identity = identify_process(pid);
  BOOST_TEST_REQUIRE(identity.has_value());
  BOOST_TEST(!kill_process({pid, identity->start_time + 1}, std::chrono::seconds(1)));
  BOOST_TEST(is_alive(*identity));
  BOOST_TEST(kill_process(*identity, std::chrono::seconds(5)));
  // A zombie until it is waited for, and not alive as that.
  BOOST_TEST(!is_alive(*identity));
  BOOST_TEST(!kill_process(*identity, std::chrono::seconds(1)));
  int status = 0;
  BOOST_TEST(::waitpid(pid, &status, 0) == pid);
  BOOST_TEST(WTERMSIG(status) == SIGKILL);
}

BOOST_AUTO_TEST_CASE(pid_files_are_read_strictly) {
  BOOST_TEST((parse_pid_file("123 456\n") == ProcessIdentity{123, 456}));
  for (const char* text :
       {"", "123", "123\n", "123 \n", "123 456", "123 456\nx", " 123 456\n", "1 456\n", "0 456\n",
        "-5 456\n", "123  456\n", "99999999999 1\n", "123 99999999999999999999999\n"})
    BOOST_TEST(!parse_pid_file(text).has_value(), text);
}

BOOST_AUTO_TEST_SUITE_END()
