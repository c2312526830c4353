#include <agent/guest/guest_services.hpp>
#include <agent/guest/server_session.hpp>
#include <boost/test/unit_test.hpp>

#include "manual_loop.hpp"

using namespace capsa::agent;
using namespace capsa::agent::guest;
using capsa::agent::test::ManualLoop;
using namespace std::chrono_literals;

namespace {

struct FakePlatform final : Platform {
  std::chrono::nanoseconds wall_clock() override { return clock; }
  int set_wall_clock(std::chrono::nanoseconds to) override {
    clock = to;
    ++clock_sets;
    return 0;
  }
  int add_entropy(std::span<const std::byte> bytes) override {
    entropy += bytes.size();
    return 0;
  }
  int set_hostname(const std::string& name) override {
    calls.push_back("hostname " + name);
    return 0;
  }
  int mount(const std::string& source, const std::string& target, const std::string& type,
            unsigned long flags, const std::string&) override {
    calls.push_back("mount " + source + " " + target + " " + type + (flags != 0 ? " ro" : ""));
    return target == "/bad" ? ENODEV : 0;
  }
  int switch_root(const std::string& path) override {
    calls.push_back("root " + path);
    return 0;
  }
  int configure_interface(const std::string& mac, const std::string& address, unsigned prefix,
                          const std::string& gateway) override {
    calls.push_back("card " + mac + " " + address + "/" + std::to_string(prefix) + " " + gateway);
    return mac == "none" ? ENODEV : 0;
  }
  int set_resolvers(const std::vector<std::string>& resolvers) override {
    for (const auto& one : resolvers)
      calls.push_back("resolver " + one);
    return root_is_read_only ? EROFS : 0;
  }
  int shut_down(bool reboot, std::chrono::milliseconds grace) override {
    calls.push_back((reboot ? "reboot " : "off ") + std::to_string(grace.count()));
    return 0;
  }

  std::chrono::nanoseconds clock{0};
  int clock_sets = 0;
  std::size_t entropy = 0;
  bool root_is_read_only = false;
  std::vector<std::string> calls;
};

/// The host's side, by script.
struct ScriptedHost final : Outbox {
  ScriptedHost() { session.start(); }
  void write(std::string_view bytes) override {
    auto in = as_bytes(bytes);
    std::span<const std::byte> frame;
    while (splitter.take(in, frame) == FrameSplitter::Step::Frame) {
      wire::GuestFrame parsed;
      BOOST_REQUIRE(parse_frame(frame, parsed));
      got.push_back(parsed);
    }
  }
  std::size_t queued() const override { return 0; }
  bool say(const wire::HostFrame& frame) {
    std::string bytes;
    BOOST_REQUIRE(append_frame(frame, bytes));
    return session.feed(as_bytes(bytes));
  }
  bool hello(unsigned major = kProtocolMajor, bool controlling = true,
             std::chrono::nanoseconds clock = {}) {
    wire::HostFrame frame;
    frame.mutable_hello()->set_major(major);
    frame.mutable_hello()->set_controlling(controlling);
    frame.mutable_hello()->set_wall_clock_ns(clock.count());
    frame.mutable_hello()->set_entropy("0123456789abcdef");
    return say(frame);
  }

  ManualLoop loop;
  FakePlatform platform;
  Reaper reaper;
  GuestServices services{platform, reaper};
  FrameSplitter splitter;
  std::vector<wire::GuestFrame> got;
  ServerSession session{loop, services, *this};
};

wire::HostFrame ping(std::uint64_t id) {
  wire::HostFrame frame;
  frame.set_id(id);
  frame.mutable_ping();
  return frame;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(guest_session)

BOOST_AUTO_TEST_CASE(another_major_version_is_refused_with_a_typed_error) {
  ScriptedHost host;
  BOOST_TEST(host.got.front().hello().major() == kProtocolMajor);
  BOOST_TEST(!host.hello(kProtocolMajor + 1));
  BOOST_TEST((host.got.back().error().kind() == wire::Error::KIND_VERSION));
  BOOST_TEST(host.platform.clock_sets == 0);
}

BOOST_AUTO_TEST_CASE(nothing_is_done_before_a_hello) {
  ScriptedHost host;
  BOOST_TEST(!host.say(ping(1)));
  BOOST_TEST((host.got.back().error().kind() == wire::Error::KIND_PROTOCOL));
}

BOOST_AUTO_TEST_CASE(requests_split_at_every_position_are_understood) {
  wire::HostFrame hello;
  hello.mutable_hello()->set_major(kProtocolMajor);
  std::string stream;
  BOOST_REQUIRE(append_frame(hello, stream) && append_frame(ping(300), stream));
  for (std::size_t at = 0; at <= stream.size(); ++at) {
    ScriptedHost host;
    BOOST_TEST(host.session.feed(as_bytes(stream).first(at)));
    BOOST_TEST(host.session.feed(as_bytes(stream).subspan(at)));
    BOOST_TEST(host.got.back().has_done());
    BOOST_TEST(host.got.back().id() == 300u);
  }
}

BOOST_AUTO_TEST_CASE(the_clock_is_set_first_and_then_only_when_it_is_off) {
  ScriptedHost host;
  host.platform.clock = 1000s;
  BOOST_TEST(host.hello(kProtocolMajor, true, 1000s + 1ms));
  BOOST_TEST(host.platform.clock_sets == 1);
  BOOST_TEST(host.platform.entropy == 16u);
  const auto again = [&](std::chrono::nanoseconds clock) {
    wire::Hello hello;
    hello.set_controlling(true);
    hello.set_wall_clock_ns(clock.count());
    host.services.hello(hello);
    return host.platform.clock_sets;
  };
  BOOST_TEST(again(1000s + 900ms) == 1);
  BOOST_TEST(again(5000s) == 2);
  BOOST_TEST(again(4000s) == 3);
}

BOOST_AUTO_TEST_CASE(a_ping_sets_a_clock_that_stood_still) {
  for (const bool controls : {true, false}) {
    ScriptedHost host;
    BOOST_TEST(host.hello(kProtocolMajor, controls, 1000s));
    auto frame = ping(1);
    frame.mutable_ping()->set_wall_clock_ns(std::chrono::nanoseconds(5000s).count());
    BOOST_TEST(host.say(frame));
    BOOST_TEST(host.got.back().has_done());
    BOOST_TEST((host.platform.clock == 5000s) == controls);
  }
}

BOOST_AUTO_TEST_CASE(a_host_that_does_not_control_sets_nothing) {
  ScriptedHost host;
  BOOST_TEST(host.hello(kProtocolMajor, false, 1000s));
  BOOST_TEST(host.platform.clock_sets == 0);
  BOOST_TEST(host.platform.entropy == 0u);
  wire::HostFrame frame;
  frame.set_id(1);
  frame.mutable_setup()->set_hostname("x");
  BOOST_TEST(host.say(frame));
  BOOST_TEST((host.got.back().error().kind() == wire::Error::KIND_DENIED));
  BOOST_TEST(host.platform.calls.empty());
}

BOOST_AUTO_TEST_CASE(setup_is_done_in_order_and_stops_at_what_fails) {
  ScriptedHost host;
  BOOST_TEST(host.hello());
  wire::HostFrame frame;
  frame.set_id(1);
  auto& setup = *frame.mutable_setup();
  setup.set_hostname("box");
  setup.set_new_root("/new");
  for (const char* target : {"/a", "/bad", "/c"}) {
    auto& mount = *setup.add_mounts();
    mount.set_source("tag");
    mount.set_target(target);
    mount.set_type("virtiofs");
    mount.set_read_only(true);
  }
  BOOST_TEST(host.say(frame));
  const std::vector<std::string> expected{"hostname box", "mount tag /a virtiofs ro",
                                          "mount tag /bad virtiofs ro"};
  BOOST_TEST(host.platform.calls == expected);
  BOOST_TEST(host.got.back().error().guest_errno() == ENODEV);
  BOOST_TEST(host.got.back().error().message().find("/bad") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(setup_gives_cards_their_addresses_behind_the_root) {
  ScriptedHost host;
  BOOST_TEST(host.hello());
  wire::HostFrame frame;
  frame.set_id(1);
  auto& setup = *frame.mutable_setup();
  setup.set_new_root("/new");
  auto& card = *setup.add_interfaces();
  card.set_mac("02:ca:5a:00:00:01");
  card.set_address("10.0.2.15");
  card.set_prefix(24);
  card.set_gateway("10.0.2.2");
  setup.add_resolvers("10.0.2.2");
  // A root that cannot be written has the resolvers that it has.
  host.platform.root_is_read_only = true;
  BOOST_TEST(host.say(frame));
  const std::vector<std::string> expected{
      "root /new", "card 02:ca:5a:00:00:01 10.0.2.15/24 10.0.2.2", "resolver 10.0.2.2"};
  BOOST_TEST(host.platform.calls == expected);
  BOOST_TEST(host.got.back().has_done());

  card.set_mac("none");
  frame.set_id(2);
  BOOST_TEST(host.say(frame));
  BOOST_TEST(host.got.back().error().guest_errno() == ENODEV);
  BOOST_TEST(host.got.back().error().message().find("none") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(shutdown_is_answered_and_begun) {
  ScriptedHost host;
  BOOST_TEST(host.hello());
  wire::HostFrame frame;
  frame.set_id(1);
  frame.mutable_shutdown()->set_grace_ms(1500);
  BOOST_TEST(host.say(frame));
  BOOST_TEST(host.got.back().has_done());
  BOOST_TEST(host.platform.calls.back() == "off 1500");
}

BOOST_AUTO_TEST_CASE(a_request_of_a_newer_host_is_refused_and_the_session_lives) {
  ScriptedHost host;
  BOOST_TEST(host.hello());
  wire::HostFrame unknown;
  unknown.set_id(5);
  BOOST_TEST(host.say(unknown));
  BOOST_TEST((host.got.back().error().kind() == wire::Error::KIND_UNSUPPORTED));
  BOOST_TEST(host.say(ping(6)));
  BOOST_TEST(host.got.back().has_done());
}

BOOST_AUTO_TEST_CASE(frames_for_a_request_that_is_over_are_ignored) {
  ScriptedHost host;
  BOOST_TEST(host.hello());
  const auto count = host.got.size();
  wire::HostFrame late;
  late.set_id(5);
  late.mutable_data()->set_bytes("x");
  BOOST_TEST(host.say(late));
  late.mutable_cancel();
  BOOST_TEST(host.say(late));
  BOOST_TEST(host.got.size() == count);
}

BOOST_AUTO_TEST_CASE(an_id_in_use_ends_the_session) {
  ScriptedHost host;
  BOOST_TEST(host.hello());
  wire::HostFrame read;
  read.set_id(1);
  read.mutable_read_file()->set_path("/proc/self/status");  // no window: it waits
  BOOST_TEST(host.say(read));
  BOOST_TEST(host.session.running() == 1u);
  BOOST_TEST(!host.say(read));
}

BOOST_AUTO_TEST_CASE(input_beyond_the_credit_ends_the_session) {
  ScriptedHost host;
  BOOST_TEST(host.hello());
  wire::HostFrame write;
  write.set_id(1);
  write.mutable_write_file()->set_path("/dev/null");
  BOOST_TEST(host.say(write));
  BOOST_TEST(host.got.back().credit().amount() == kFileWindow);
  wire::HostFrame data;
  data.set_id(1);
  data.mutable_data()->set_bytes(std::string(1000, 'x'));
  BOOST_TEST(host.say(data));  // little: nothing comes back for it yet
  // Larger than what is left, in frames of legal size.
  data.mutable_data()->set_bytes(std::string(kMaxFrame - 100, 'x'));
  BOOST_TEST(!host.say(data));
  BOOST_TEST((host.got.back().error().kind() == wire::Error::KIND_PROTOCOL));
}

BOOST_AUTO_TEST_CASE(a_full_connection_refuses_more_requests) {
  ScriptedHost host;
  BOOST_TEST(host.hello());
  wire::HostFrame read;
  read.mutable_read_file()->set_path("/proc/self/status");
  for (std::uint64_t id = 1; id <= kMaxRequests + 1; ++id) {
    read.set_id(id);
    BOOST_REQUIRE(host.say(read));
  }
  // Where the limit of open files is lower it comes first, as an error of the kernel.
  BOOST_TEST(host.got.back().has_error());
  BOOST_TEST(host.session.running() <= kMaxRequests);
}

BOOST_AUTO_TEST_SUITE_END()
