#include <signal.h>
#include <unistd.h>

#include <agent/guest/early.hpp>
#include <agent/guest/proc_text.hpp>
#include <agent/guest/shutdown.hpp>
#include <agent/guest/users.hpp>
#include <boost/test/unit_test.hpp>

#include "manual_loop.hpp"

using namespace capsa::agent::guest;
using capsa::agent::test::ManualLoop;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view kPasswd =
    "root:x:0:0:root:/root:/bin/sh\n"
    "broken line\n"
    "app:x:1000:100:An App:/home/app:/bin/bash\n"
    "4711:x:2000:200::/:/bin/false";
constexpr std::string_view kGroup =
    "root:x:0:\nstaff:x:50:app,root\naudio:x:29:other,app\nusers:x:100:\n";

struct Machine {
  explicit Machine(bool processes) : any(processes) {}
  ShutdownSteps steps() {
    ShutdownSteps out;
    out.begun = [this] { log.push_back("begun"); };
    out.signal_all = [this](int signo) { log.push_back("signal " + std::to_string(signo)); };
    out.any_left = [this] { return any; };
    out.unmount_all = [this] { log.push_back("unmount"); };
    out.end = [this](bool reboot) { log.push_back(reboot ? "reboot" : "off"); };
    return out;
  }
  bool any;
  std::vector<std::string> log;
  ManualLoop loop;
  ShutdownSequence sequence{loop, steps()};
};

const std::string kTerm = "signal " + std::to_string(SIGTERM);
const std::string kCont = "signal " + std::to_string(SIGCONT);
const std::string kKill = "signal " + std::to_string(SIGKILL);

}  // namespace

BOOST_AUTO_TEST_SUITE(guest_parts)

BOOST_AUTO_TEST_CASE(a_user_is_found_by_name_with_all_its_groups) {
  const auto user = find_user("app", kPasswd, kGroup);
  BOOST_REQUIRE(user);
  BOOST_TEST(user->uid == 1000u);
  BOOST_TEST(user->gid == 100u);
  BOOST_TEST(user->home == "/home/app");
  BOOST_TEST(user->shell == "/bin/bash");
  BOOST_TEST((user->groups == std::vector<gid_t>{100, 50, 29}));
}

BOOST_AUTO_TEST_CASE(a_user_is_found_by_number_with_or_without_an_entry) {
  BOOST_TEST(find_user("1000", kPasswd, kGroup)->name == "app");
  const auto stranger = find_user("77:88", kPasswd, kGroup);
  BOOST_TEST(stranger->uid == 77u);
  BOOST_TEST(stranger->gid == 88u);
  BOOST_TEST(stranger->name.empty());
  BOOST_TEST((stranger->groups == std::vector<gid_t>{88}));
}

BOOST_AUTO_TEST_CASE(a_group_can_be_chosen_by_name) {
  BOOST_TEST(find_user("app:audio", kPasswd, kGroup)->gid == 29u);
  BOOST_TEST(find_user("root:1234", kPasswd, kGroup)->gid == 1234u);
}

BOOST_AUTO_TEST_CASE(unknown_names_are_not_found) {
  BOOST_TEST(!find_user("nobody-here", kPasswd, kGroup));
  BOOST_TEST(!find_user("app:no-group", kPasswd, kGroup));
  BOOST_TEST(!find_user("99999999999", kPasswd, kGroup));
  BOOST_TEST(!find_user("-1", kPasswd, kGroup));
}

BOOST_AUTO_TEST_CASE(without_a_user_it_is_the_agents_own) {
  BOOST_TEST(find_user("", kPasswd, kGroup)->uid == ::geteuid());
}

BOOST_AUTO_TEST_CASE(modules_come_in_groups_with_parameters) {
  const auto groups =
      parse_modules("# for vsock\n/m/virtio.ko\n/m/vsock.ko debug=1 x=2\n\n\n/m/fs.ko\n# end\n\n");
  BOOST_REQUIRE_EQUAL(groups.size(), 2u);
  BOOST_TEST(
      (groups[0] == std::vector<ModuleLine>{{"/m/virtio.ko", ""}, {"/m/vsock.ko", "debug=1 x=2"}}));
  BOOST_TEST((groups[1] == std::vector<ModuleLine>{{"/m/fs.ko", ""}}));
  BOOST_TEST(parse_modules("").empty());
}

BOOST_AUTO_TEST_CASE(the_last_word_of_a_command_line_wins) {
  constexpr std::string_view kLine =
      "quiet capsa.shell=1 capsa.shellx=5 root=/dev/vda capsa.shell=0\n";
  BOOST_TEST(command_line_value(kLine, "capsa.shell").value == "0");
  BOOST_TEST(command_line_value(kLine, "root").value == "/dev/vda");
  BOOST_TEST(command_line_value(kLine, "quiet").present);
  BOOST_TEST(!command_line_value(kLine, "capsa").present);
}

BOOST_AUTO_TEST_CASE(name_servers_of_the_kernel_are_taken_over) {
  BOOST_TEST(resolv_conf_from("#PROTO: DHCP\ndomain lan\nnameserver 10.0.2.2\nnameserver 0.0.0.0\n"
                              "bootserver 10.0.2.2\n") == "domain lan\nnameserver 10.0.2.2\n");
  BOOST_TEST(resolv_conf_from("#MANUAL\n").empty());
}

BOOST_AUTO_TEST_CASE(a_machine_goes_down_step_by_step) {
  Machine machine(true);
  machine.sequence.begin(false, 5s);
  BOOST_TEST(machine.log == std::vector<std::string>{"begun"});
  machine.loop.advance(1s);
  BOOST_TEST((machine.log == std::vector<std::string>{"begun", kTerm, kCont}));
  machine.loop.advance(5s);
  BOOST_TEST(machine.log.back() == kKill);
  machine.loop.advance(1s);
  BOOST_TEST(
      (machine.log == std::vector<std::string>{"begun", kTerm, kCont, kKill, "unmount", "off"}));
}

BOOST_AUTO_TEST_CASE(a_machine_does_not_wait_for_processes_that_have_ended) {
  Machine machine(true);
  machine.sequence.begin(true, 1h);
  machine.loop.advance(1s);
  machine.sequence.on_children(true);
  machine.sequence.on_children(false);
  machine.loop.advance(0s);
  BOOST_TEST((machine.log == std::vector<std::string>{"begun", kTerm, kCont, "unmount", "reboot"}));
}

BOOST_AUTO_TEST_CASE(a_machine_without_processes_goes_down_at_once) {
  Machine machine(false);
  machine.sequence.begin(false, 1h);
  machine.loop.advance(100ms);
  BOOST_TEST(machine.log.back() == "off");
}

BOOST_AUTO_TEST_CASE(less_patience_shortens_the_grace_and_more_does_not_lengthen_it) {
  Machine machine(true);
  machine.sequence.begin(false, 1h);
  machine.loop.advance(1s);
  machine.sequence.begin(false, 2h);
  machine.sequence.begin(false, 10ms);
  machine.loop.advance(10ms);
  BOOST_TEST(machine.log.back() == kKill);
}

BOOST_AUTO_TEST_SUITE_END()
