// The actor of a listening port, between clients of its socket and a device that the test plays.
#include <sys/socket.h>
#include <sys/un.h>

#include <actors/vsock/vsock_port.hpp>
#include <cstring>
#include <tests/support/scratch_dir.hpp>

#include "units_fixture.hpp"

using namespace capsa;
using namespace capsa::vsock_units::test;
using capsa::actors::accept_atom_v;
using capsa::protocol::closed_atom_v;
using capsa::protocol::data_atom_v;
using capsa::protocol::half_atom_v;
using capsa::vsock_units::Backlog;

namespace {

class Port : public Fixture<protocol::VsockPort> {
 public:
  Port() {
    other = system.spawn([this](caf::event_based_actor* self) { return device_of(self); });
    auto listener = vsock_units::listen_at(path_);
    BOOST_TEST_REQUIRE(listener.ok());
    unit = loop::spawn_on<protocol::VsockPort, vsock_units::PortState>(
        system, loop, caf::actor_cast<protocol::VsockActor>(other),
        VsockPortConfig::listen(1024, path_), std::move(*listener));
    wait_until([this] { return notes.count("bind 1024") == 1; });
    notes.take();
  }
  ~Port() { end(); }

  /// Until it has heard everything: a listening port refuses this.
  void settle() { ask(actors::connect_atom_v); }
  UniqueFd dial() const {
    UniqueFd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path_.c_str(), sizeof address.sun_path - 1);
    BOOST_TEST_REQUIRE(
        ::connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    return client;
  }

  void accept(ConnectionId id, std::uint64_t credit = 100) { tell(accept_atom_v, id, credit); }
  void data(ConnectionId id, std::string bytes) { tell(data_atom_v, id, std::move(bytes)); }
  void close(ConnectionId id) { tell(closed_atom_v, id, std::string("peer_closed")); }

 private:
  caf::behavior device_of(caf::event_based_actor* self) {
    using namespace protocol;
    set_defaults(*self);
    const auto note = [this](const char* what, auto first, const std::string& second) {
      notes.add(std::string(what) + " " + std::to_string(first) + second);
    };
    return {
        [note](bind_atom, std::uint32_t port, const VsockEndpoint&) { note("bind", port, {}); },
        [note](data_atom, ConnectionId id, const std::string& bytes) {
          note("data", id, " " + bytes);
        },
        [note](taken_atom, ConnectionId id, std::uint64_t bytes) {
          note("taken", id, " " + std::to_string(bytes));
        },
        [note](half_atom, ConnectionId id, bool no_more_receive, bool no_more_send) {
          note("half", id, " " + flags(no_more_receive, no_more_send));
        },
        [note](reset_atom, ConnectionId id) { note("reset", id, {}); },
    };
  }

  capsa::tests::ScratchDir scratch_;
  std::filesystem::path path_ = scratch_.path() / "port";
};

std::string read_all(const UniqueFd& client) {
  std::string all;
  std::string piece(1U << 16, '\0');
  for (;;) {
    const auto n = ::recv(client.get(), piece.data(), piece.size(), 0);
    if (n <= 0) return all;
    all.append(piece, 0, static_cast<std::size_t>(n));
  }
}

std::string read_some(const UniqueFd& client, std::size_t count) {
  std::string bytes(count, '\0');
  const auto n = ::recv(client.get(), bytes.data(), count, MSG_WAITALL);
  bytes.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  return bytes;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(vsock_port, Port)

BOOST_AUTO_TEST_CASE(what_a_guest_sent_and_closed_is_there_for_the_next_client_to_take) {
  accept(1);
  for (int i = 0; i < 1000; ++i)
    data(1, "y");
  close(1);
  accept(2);
  data(2, "second");
  settle();
  BOOST_TEST(read_all(dial()) == std::string(1000, 'y'));
  const auto client = dial();
  BOOST_TEST(read_some(client, 6) == "second");
}

BOOST_AUTO_TEST_CASE(a_guest_that_opens_and_closes_for_ever_loses_its_oldest_connections) {
#ifdef __SANITIZE_THREAD__
  constexpr ConnectionId kLast = 600;  // each message of CAF's costs a look at the suppressions
#else
  constexpr ConnectionId kLast = 5000;
#endif
  for (ConnectionId id = 1; id <= kLast; ++id) {
    accept(id);
    data(id, std::to_string(id));
    close(id);
  }
  settle();
  BOOST_TEST(read_all(dial()) == std::to_string(kLast - Backlog::kMaxConnections + 1));
  BOOST_TEST(notes.count("reset") == 0U);
}

BOOST_AUTO_TEST_CASE(a_guest_that_opens_too_many_connections_is_refused_the_rest) {
  for (ConnectionId id = 1; id <= Backlog::kMaxConnections + 3; ++id)
    accept(id);
  wait_until([this] { return notes.count("reset") == 3; });
  BOOST_TEST(notes.take() == "reset 257; reset 258; reset 259");
  // So many bytes in one of them are too much as well: 16 MiB.
  for (int i = 0; i < 17; ++i)
    data(7, std::string(std::size_t{1} << 20, 'x'));
  wait_until([this] { return notes.count("reset") == 1; });
  BOOST_TEST(notes.count("reset 7") == 1U);
}

BOOST_AUTO_TEST_CASE(a_client_of_a_guest_that_receives_no_more_ends_without_credit) {
  accept(3, 0);
  const auto client = dial();
  BOOST_TEST(::send(client.get(), "hello", 5, MSG_NOSIGNAL) == 5);
  data(3, "hi");
  BOOST_TEST(read_some(client, 2) == "hi");
  tell(half_atom_v, ConnectionId{3}, true, false);
  wait_until([this] { return notes.count("half 3 -s") == 1; });
  BOOST_TEST(notes.count("data") == 0U);
  // The other direction goes on.
  data(3, "back");
  BOOST_TEST(read_some(client, 4) == "back");
}

BOOST_AUTO_TEST_CASE(a_guest_that_goes_on_sending_to_a_client_that_has_gone_keeps_its_credit) {
  accept(4);
  {
    const auto client = dial();
    data(4, "x");
    BOOST_TEST(read_some(client, 1) == "x");
  }
  wait_until([this] { return notes.count("half 4 rs") == 1; });
  data(4, std::string(5000, 'z'));
  wait_until([this] { return notes.count("taken 4 5000") == 1; });
}

BOOST_AUTO_TEST_SUITE_END()
