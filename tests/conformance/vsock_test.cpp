#include <sys/socket.h>
#include <sys/un.h>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <sstream>
#include <tests/conformance/guest_fixture.hpp>
#include <tests/conformance/host_state.hpp>
#include <thread>

using namespace capsa;
using namespace std::chrono_literals;
using test::code_of;

namespace {

constexpr std::size_t kBig = 100U << 20;
constexpr std::uint32_t kEcho = 2049;  // the guest listens and echoes
const std::filesystem::path kPath = "/tmp/capsa-vsock-test.sock";

void load_peer(const AgentClient& agent) {
  std::ifstream in(VSOCK_PEER, std::ios::binary);
  std::ostringstream program;
  program << in.rdbuf();
  agent.write_file("/tmp/peer", program.str(), 0755).get();
}

/// A guest with the test's own peer program, which listens on kEcho.
struct Ports {
  VmHandle vm;
  std::optional<ErrorCode> early;  // of a look for the agent right after the start
  std::optional<AgentClient> agent;
  Ports()
      : vm(test::guest_vm(test::runtime())
               .memory_mb(768)
               .agent_enabled()
               .vsock_connect(kEcho)
               .vsock_connect(9)
               .vsock_listen(1024)
               .vsock_listen_at(1025, kPath)
               .build()
               .get()) {
    vm.start().get();
    early = look_for_agent();
    agent = vm.agent().get();
    load_peer(*agent);
    promise<void> listening;
    OutputHandlers handlers;
    handlers.on_stdout = [listening](std::string_view) { listening.set({}); };
    (void)agent->start(ExecSpec::command({"/tmp/peer", "listen", std::to_string(kEcho)}), handlers)
        .get();
    listening.get_future().get();
  }
  std::optional<ErrorCode> look_for_agent() const {
    const VsockSocket socket(vm.vsock_socket(1024)->vm(), sandbox::agent_port(), {}, true);
    return code_of(sandbox::wait_ready(socket, 0ms));
  }
};
Ports& ports() {
  static Ports instance;
  return instance;
}

UniqueFd dial(const std::filesystem::path& path) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fd.reset();
  return fd;
}

void send_all(int fd, const std::string& bytes) {
  for (std::size_t at = 0; at < bytes.size();) {
    const auto n = ::send(fd, bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
    if (n <= 0) return;
    at += static_cast<std::size_t>(n);
  }
}

std::string read_all(int fd) {
  std::string out;
  std::string piece(1U << 16, '\0');
  for (;;) {
    const auto n = ::recv(fd, piece.data(), piece.size(), 0);
    if (n <= 0) return out;
    out.append(piece, 0, static_cast<std::size_t>(n));
  }
}

/// Sends everything, closes that direction, and gives all that comes back.
std::string through(int fd, const std::string& bytes) {
  std::thread sender([&] {
    send_all(fd, bytes);
    ::shutdown(fd, SHUT_WR);
  });
  auto back = read_all(fd);
  sender.join();
  return back;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(vsock_ports)

BOOST_AUTO_TEST_CASE(are_told_by_the_handle) {
  const auto& vm = ports().vm;
  BOOST_TEST(vm.vsock_sockets().size() == 4U);
  BOOST_TEST(!vm.vsock_socket(4711).has_value());
  const auto listening = vm.vsock_socket(1025);
  BOOST_TEST_REQUIRE(listening.has_value());
  BOOST_TEST(listening->path() == kPath);
  BOOST_TEST(!listening->connects());
  BOOST_TEST(std::filesystem::is_socket(vm.vsock_socket(1024)->path()));
  BOOST_TEST(code_of(listening->connect()) == ErrorCode::InvalidConfig);
  BOOST_TEST(code_of(vm.vsock_socket(kEcho)->accept()) == ErrorCode::InvalidConfig);
}

BOOST_AUTO_TEST_CASE(tell_a_look_for_the_agent_at_once_whether_it_is_there) {
  BOOST_TEST(ports().early == ErrorCode::AgentUnavailable);
  BOOST_TEST(!ports().look_for_agent().has_value());
}

BOOST_AUTO_TEST_CASE(refuse_where_nobody_listens_in_the_guest) {
  BOOST_TEST(code_of(ports().vm.vsock_socket(9)->connect()) == ErrorCode::ConnectionClosed);
  const auto fd = dial(ports().vm.vsock_socket(9)->path());
  BOOST_TEST_REQUIRE(static_cast<bool>(fd));
  BOOST_TEST(read_all(fd.get()).empty());
}

BOOST_AUTO_TEST_CASE(carry_a_hundred_mebibytes_each_way_where_the_host_connects) {
  const auto data = test::random_bytes(kBig, 4);
  const auto fd = dial(ports().vm.vsock_socket(kEcho)->path());
  BOOST_TEST_REQUIRE(static_cast<bool>(fd));
  BOOST_TEST(test::sha256(through(fd.get(), data)) == test::sha256(data));
}

BOOST_AUTO_TEST_CASE(carry_a_hundred_mebibytes_each_way_where_the_guest_connects) {
  const auto data = test::random_bytes(kBig, 5);
  auto peer = ports().agent->start(ExecSpec::command({"/tmp/peer", "connect", "1025"})).get();
  const auto fd = dial(kPath);
  BOOST_TEST_REQUIRE(static_cast<bool>(fd));
  BOOST_TEST(test::sha256(through(fd.get(), data)) == test::sha256(data));
  BOOST_TEST(peer.wait().get().code == 0);
}

BOOST_AUTO_TEST_CASE(keep_what_the_guest_sent_before_the_host_came) {
  ExecSpec spec = ExecSpec::shell_line("echo early bird | /tmp/peer source 1024");
  auto peer = ports().agent->start(spec).get();
  // Nobody has taken the connection: the guest's program still waits for the host.
  BOOST_TEST(!peer.wait().wait_for(500ms));
  auto stream = ports().vm.vsock_socket(1024)->accept().get();
  BOOST_TEST(read_all(stream.fd()) == "early bird\n");
  stream.release();
  BOOST_TEST(peer.wait().get().code == 0);
}

BOOST_AUTO_TEST_CASE(keep_a_connection_for_who_comes_after_a_time_out) {
  // Less than its guest takes to boot.
  const auto vm =
      test::guest_vm(test::runtime()).agent_enabled().vsock_listen(1024).timeout(2s).build().get();
  (void)vm.start().result();
  const auto socket = *vm.vsock_socket(1024);
  BOOST_TEST(code_of(socket.accept()) == ErrorCode::Timeout);
  auto agent = vm.agent().result();
  for (int i = 0; i < 60 && !agent.ok(); ++i)
    agent = vm.agent().result();
  BOOST_TEST_REQUIRE(agent.ok());
  load_peer(*agent);
  (void)agent->start(ExecSpec::shell_line("echo late bird | /tmp/peer source 1024")).get();
  const auto stream = socket.accept().get();
  BOOST_TEST(read_all(stream.fd()) == "late bird\n");
}

BOOST_AUTO_TEST_CASE(carry_two_hundred_connections_at_once_on_one_port) {
  const auto socket = *ports().vm.vsock_socket(kEcho);
  std::vector<VsockStream> streams;
  std::vector<future<VsockStream>> dialing;
  for (int i = 0; i < 200; ++i)
    dialing.push_back(socket.connect());
  for (auto& f : dialing)
    streams.push_back(f.get());
  // All are open before the first is used.
  for (std::size_t i = 0; i < streams.size(); ++i)
    send_all(streams[i].fd(), "stream " + std::to_string(i));
  std::size_t right = 0;
  for (std::size_t i = 0; i < streams.size(); ++i) {
    ::shutdown(streams[i].fd(), SHUT_WR);
    if (read_all(streams[i].fd()) == "stream " + std::to_string(i)) ++right;
  }
  BOOST_TEST(right == 200U);
}

BOOST_AUTO_TEST_CASE(remove_their_sockets_when_the_vm_stops) {
  const auto automatic = ports().vm.vsock_socket(1024)->path();
  ports().vm.kill().get();
  BOOST_TEST(!std::filesystem::exists(kPath));
  BOOST_TEST(!std::filesystem::exists(automatic));
  BOOST_TEST(code_of(ports().vm.vsock_socket(kEcho)->connect()) == ErrorCode::NotRunning);
}

BOOST_AUTO_TEST_SUITE_END()
