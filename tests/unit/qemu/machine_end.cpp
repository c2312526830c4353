#include <backends/qemu/machine_end.hpp>
#include <boost/test/unit_test.hpp>

using capsa::hypervisor::EndCause;
using namespace capsa::qemu;

namespace {

EndCause cause_of(std::string_view reason) {
  EndRecord record;
  record.shutdown(reason);
  return record.conclude({}, {}).cause;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(machine_end)

BOOST_AUTO_TEST_CASE(shutdown_reasons_become_causes) {
  BOOST_TEST((cause_of("guest-shutdown") == EndCause::PowerOff));
  BOOST_TEST((cause_of("guest-reset") == EndCause::Reset));
  BOOST_TEST((cause_of("subsystem-reset") == EndCause::Reset));
  BOOST_TEST((cause_of("guest-panic") == EndCause::Panic));
  BOOST_TEST((cause_of("host-signal") == EndCause::Failed));
  BOOST_TEST((cause_of("host-error") == EndCause::Failed));
  BOOST_TEST((cause_of("") == EndCause::Failed));
}

BOOST_AUTO_TEST_CASE(the_first_word_counts) {
  EndRecord record;
  BOOST_TEST(!record.decided());
  record.guest_panicked();
  record.shutdown("guest-shutdown");
  record.killed_by_us();
  BOOST_TEST(record.decided());
  BOOST_TEST((record.conclude({true, 9}, "qemu-system-x86_64: x").cause == EndCause::Panic));
}

BOOST_AUTO_TEST_CASE(a_kill_of_ours_is_no_failure) {
  EndRecord record;
  record.killed_by_us();
  BOOST_TEST((record.conclude({true, 9}, {}).cause == EndCause::Killed));
}

BOOST_AUTO_TEST_CASE(a_silent_end_is_told_in_qemus_words) {
  const EndRecord record;
  const auto end = record.conclude({false, 1},
                                   "qemu-system-x86_64: warning: something harmless\n\n"
                                   "qemu-system-x86_64: -netdev x: warning: of one option\n"
                                   "qemu-system-x86_64: cannot set up guest memory 'mem': "
                                   "Cannot allocate memory\r\nmore\n");
  BOOST_TEST((end.cause == EndCause::Failed));
  BOOST_TEST(end.message == "QEMU: cannot set up guest memory 'mem': Cannot allocate memory");
}

BOOST_AUTO_TEST_CASE(an_end_without_a_word_tells_the_status) {
  const EndRecord record;
  BOOST_TEST(record.conclude({false, 3}, {}).message == "QEMU ended by itself: exit status 3");
  BOOST_TEST(record.conclude({true, 11}, {}).message ==
             "QEMU ended by itself: killed by signal 11");
  BOOST_TEST(record.conclude({true, 9}, "\n").message.find("out of memory") != std::string::npos);
  BOOST_TEST(record.conclude({false, -1}, {}).message.find("unknown") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(run_states_that_cannot_be_left_are_final) {
  BOOST_TEST(is_final_status("internal-error"));
  BOOST_TEST(is_final_status("guest-panicked"));
  BOOST_TEST(!is_final_status("paused"));
  BOOST_TEST(!is_final_status("running"));
  EndRecord record;
  record.stopped_for_good("internal-error");
  BOOST_TEST(record.conclude({}, {}).message == "QEMU stopped the guest: internal-error");
}

BOOST_AUTO_TEST_SUITE_END()
