#pragma once

#include <agent/agent.pb.h>
#include <actors/agent_link/agent_link.hpp>
#include <actors/loop/callback_thread.hpp>
#include <actors/protocol/spawn.hpp>
#include <boost/test/unit_test.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace capsa::agent_link::test {

using protocol::connection_id;
using protocol::ConnectionId;

template <class T>
using Answer = std::shared_ptr<std::optional<result<T>>>;

/// Does at once what is asked of it.
class InlinePool final : public virtio::Executor {
 public:
  void submit(std::function<void()> work, std::function<void()> done) override {
    work();
    work = nullptr;
    done();
  }
};

/// A link between a vsock device and a VM that are played by this, on a scheduler and a clock that
/// are stepped.
class Fixture {
 public:
  static constexpr std::uint32_t kAgentsPort = 1023;

  Fixture() : system_(config_), scheduler_(stepped(system_)) {
    auto vsock = system_.spawn([this](caf::event_based_actor* self) { return vsock_of(self); });
    auto vm = system_.spawn([this](caf::event_based_actor* self) {
      protocol::set_defaults(*self);
      return caf::behavior([this](actors::ready_atom) { ++ready; },
                           [this](protocol::lost_atom, const std::string&) { ++lost; });
    });
    vsock_ = vsock;
    vm_ = vm;
    link_ = protocol::spawn_state<protocol::AgentLink, AgentLinkState>(
        system_, caf::actor_cast<protocol::VsockActor>(vsock),
        caf::actor_cast<protocol::VmUnit>(vm), std::ref(callbacks), ends,
        AgentLinkState::MakePool([] { return std::make_shared<InlinePool>(); }));
    id = link_.id();
    run();
  }
  ~Fixture() {
    end();
    caf::anon_send_exit(vsock_, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(vm_, caf::exit_reason::user_shutdown);
    run();
    vsock_ = nullptr;
    vm_ = nullptr;
  }

  void run() { scheduler_.run(); }
  void pass(caf::timespan time) {
    scheduler_.advance_time(time);
    run();
  }
  /// Until what the callback thread does has come back.
  template <class T>
  void wait_for(const Answer<T>& answer) {
    for (int i = 0; i < 2000 && !*answer; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      run();
    }
    BOOST_REQUIRE(answer->has_value());
  }
  /// The VM's end.
  void end() {
    protocol::kill_now(link_);
    run();
    link_ = nullptr;
  }

  template <class T, class... Ts>
  Answer<T> ask(Ts... xs) {
    const auto answer = std::make_shared<std::optional<result<T>>>();
    system_.spawn([=, link = link_](caf::event_based_actor* self) {
      protocol::set_defaults(*self);
      const auto failed = [answer](const caf::error& why) { *answer = protocol::from_caf(why); };
      auto request = self->request(link, caf::infinite, xs...);
      if constexpr (std::is_void_v<T>)
        request.then([answer] { *answer = result<void>(); }, failed);
      else
        request.then([answer](T& value) { *answer = std::move(value); }, failed);
    });
    run();
    return answer;
  }

  // -- the guest's part
  ConnectionId connect(std::uint32_t port = kAgentsPort) {
    const auto connection = connection_id(++connections_, port);
    tell(actors::accept_atom_v, connection, std::uint64_t{1U << 20});
    return connection;
  }
  void say(ConnectionId connection, const agent::wire::GuestFrame& frame) {
    std::string bytes;
    BOOST_REQUIRE(agent::append_frame(frame, bytes));
    tell(protocol::data_atom_v, connection, std::move(bytes));
  }
  void hello(ConnectionId connection, unsigned major = agent::kProtocolMajor) {
    agent::wire::GuestFrame frame;
    frame.mutable_hello()->set_major(major);
    say(connection, frame);
  }
  void close(ConnectionId connection) {
    tell(protocol::closed_atom_v, connection, std::string("gone"));
  }
  /// A session from its first byte.
  ConnectionId begin() {
    const auto connection = connect();
    hello(connection);
    return connection;
  }
  /// The last request that came over a connection.
  agent::wire::HostFrame request(ConnectionId connection) {
    agent::FrameSplitter splitter;
    auto rest = agent::as_bytes(sent[connection]);
    std::span<const std::byte> bytes;
    agent::wire::HostFrame frame;
    while (splitter.take(rest, bytes) == agent::FrameSplitter::Step::Frame)
      BOOST_REQUIRE(agent::parse_frame(bytes, frame));
    return frame;
  }
  /// An answer to it.
  agent::wire::GuestFrame reply(ConnectionId connection) {
    agent::wire::GuestFrame frame;
    frame.set_id(request(connection).id());
    return frame;
  }

  bool listens = false;  // whether the guest takes connections
  int connects = 0;      // how often it was asked to
  int connecting = 0;    // of these not yet answered, where `slow`
  bool slow = false;
  ConnectionId taken = 0;  // the last one
  std::map<ConnectionId, std::string> sent;
  std::vector<ConnectionId> resets;
  int ready = 0;
  int lost = 0;
  std::uint64_t id = 0;
  CallbackThread callbacks{"test"};
  std::shared_ptr<protocol::EndedProcesses> ends = std::make_shared<protocol::EndedProcesses>();

 private:
  struct Config : caf::actor_system_config {
    Config() {
      actors::configure(*this);
      set("scheduler.policy", caf::atom("testing"));
    }
  };
  static caf::scheduler::test_coordinator& stepped(caf::actor_system& system) {
    return dynamic_cast<caf::scheduler::test_coordinator&>(system.scheduler());
  }

  caf::behavior vsock_of(caf::event_based_actor* self) {
    using namespace protocol;
    set_defaults(*self);
    return {
        [](bind_atom, std::uint32_t, const VsockEndpoint&) {},
        [this, self](connect_atom, std::uint32_t port,
                     const VsockEndpoint&) -> caf::result<ConnectionId, std::uint64_t> {
          BOOST_TEST(port == 52U);
          ++connects;
          if (slow) {
            ++connecting;
            return self->make_response_promise();  // for ever
          }
          if (!listens) return to_caf({ErrorCode::ConnectionClosed, "nothing listens"});
          taken = connection_id(++connections_, 52);
          return {taken, std::uint64_t{1U << 20}};
        },
        [this](data_atom, ConnectionId connection, const std::string& bytes) {
          sent[connection] += bytes;
        },
        [](taken_atom, ConnectionId, std::uint64_t) {},
        [this](reset_atom, ConnectionId connection) { resets.push_back(connection); },
    };
  }

  template <class... Ts>
  void tell(Ts&&... xs) {
    caf::anon_send(link_, std::forward<Ts>(xs)...);
    run();
  }

  Config config_;
  caf::actor_system system_;
  caf::scheduler::test_coordinator& scheduler_;
  caf::actor vsock_;
  caf::actor vm_;
  protocol::AgentLink link_;
  std::uint32_t connections_ = 0;
};

/// How a request has failed.
template <class T>
ErrorCode code(const Answer<T>& answer) {
  BOOST_REQUIRE((answer->has_value() && !(*answer)->ok()));
  return (*answer)->error().code();
}

/// To the last request that came over a connection.
inline void send_output(Fixture& guest, ConnectionId connection, std::string bytes) {
  auto data = guest.reply(connection);
  data.mutable_data()->set_stream(agent::wire::STREAM_OUTPUT);
  data.mutable_data()->set_bytes(std::move(bytes));
  guest.say(connection, data);
}

inline void send_status(Fixture& guest, ConnectionId connection, std::uint64_t request,
                        int status) {
  agent::wire::GuestFrame frame;
  frame.set_id(request);
  frame.mutable_status()->set_code(static_cast<std::uint32_t>(status));
  guest.say(connection, frame);
}

}  // namespace capsa::agent_link::test
