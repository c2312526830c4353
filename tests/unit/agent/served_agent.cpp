#include "served_agent.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <cstdio>
#include <cstdlib>
#include <fstream>

namespace capsa::agent::test {

namespace {

constexpr std::chrono::seconds kPatience{60};
constexpr int kAgentFd = 30;

}  // namespace

ServedAgent::ServedAgent() {
  int ends[2];
  BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  socket_.reset(ends[0]);
  const UniqueFd theirs(ends[1]);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, theirs.get(), kAgentFd);
  std::string program = CAPSA_AGENT_PROGRAM;
  std::string mode = "--serve-fd";
  std::string fd = std::to_string(kAgentFd);
  char* argv[] = {program.data(), mode.data(), fd.data(), nullptr};
  BOOST_REQUIRE(::posix_spawn(&pid_, program.c_str(), &actions, nullptr, argv, environ) == 0);
  ::posix_spawn_file_actions_destroy(&actions);
  session_.emplace(*this);
  session_->start({});
}

ServedAgent::~ServedAgent() {
  session_.reset();
  socket_.reset();
  if (pid_ > 0) wait_for_exit();
}

void ServedAgent::send(std::span<const std::byte> bytes) {
  out_ += as_text(bytes);
}

void ServedAgent::step() {
  pollfd entry{socket_.get(), static_cast<short>(POLLIN | (out_.empty() ? 0 : POLLOUT)), 0};
  BOOST_REQUIRE_MESSAGE(
      ::poll(&entry, 1, static_cast<int>(std::chrono::milliseconds(kPatience).count())) > 0,
      "the agent is silent");
  if (entry.revents & POLLOUT) {
    const ssize_t put =
        ::send(socket_.get(), out_.data(), out_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (put > 0) out_.erase(0, static_cast<std::size_t>(put));
  }
  if ((entry.revents & (POLLIN | POLLHUP)) == 0) return;
  std::array<std::byte, 65536> buffer;
  const ssize_t got = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (got < 0) return;
  if (got == 0)
    session_->fail_all(error(ErrorCode::ConnectionClosed, "the agent closed the connection"));
  else
    static_cast<void>(session_->feed(std::span(buffer).first(static_cast<std::size_t>(got))).ok());
}

void ServedAgent::run_until(const std::function<bool()>& done) {
  while (!done()) {
    BOOST_REQUIRE_MESSAGE(!session_->ended(), "the session ended");
    step();
  }
}

void ServedAgent::settle() {
  BOOST_REQUIRE(ask<void>(*this, [&](auto done) { session_->ping(std::move(done)); }).ok());
}

void ServedAgent::drop() {
  socket_.reset();
}

int ServedAgent::wait_for_exit() {
  int status = 0;
  ::waitpid(std::exchange(pid_, -1), &status, 0);
  return status;
}

std::size_t ServedAgent::resident_bytes() const {
  std::ifstream file("/proc/" + std::to_string(pid_) + "/statm");
  std::size_t total = 0;
  std::size_t resident = 0;
  file >> total >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

void start(ServedAgent& agent, const ExecSpec& spec, Ran& ran, bool grant) {
  ExecEvents events;
  auto& session = agent.session();
  const std::weak_ptr<int> alive = ran.alive;
  const auto take = [&](std::string& into, Stream stream) {
    return [&session, &ran, &into, stream, grant, alive](std::span<const std::byte> bytes) {
      if (alive.expired()) return;
      into += as_text(bytes);
      if (grant) session.grant(ran.id, stream, bytes.size());
    };
  };
  events.started = [&ran, alive](std::int64_t pid) {
    if (!alive.expired()) ran.pid = pid;
  };
  events.stdout_data = take(ran.out, Stream::Output);
  events.stderr_data = take(ran.err, Stream::Error);
  events.stdin_room = [&ran, alive](std::size_t room) {
    if (!alive.expired()) ran.room = room;
  };
  events.stdin_closed = [&ran, alive] {
    if (!alive.expired()) ran.input_closed = true;
  };
  events.done = [&ran, alive](result<ExitStatus> done) {
    if (!alive.expired()) ran.done = std::move(done);
  };
  ran.id = session.exec(spec, std::move(events));
}

Ran run(ServedAgent& agent, const ExecSpec& spec, std::string_view input) {
  Ran ran;
  start(agent, spec, ran);
  if (spec.stdin_open) {
    while (!input.empty() && !ran.done) {
      agent.run_until([&] { return ran.room > 0 || ran.done; });
      const auto taken = agent.session().stdin_write(ran.id, as_bytes(input));
      input.remove_prefix(taken);
      if (taken == 0) ran.room = 0;
    }
    agent.session().stdin_close(ran.id);
  }
  agent.run_until([&] { return ran.done.has_value(); });
  return ran;
}

Ran run_shell(ServedAgent& agent, const std::string& line) {
  return run(agent, ExecSpec::shell_line(line));
}

std::vector<std::byte> pattern(std::size_t size) {
  std::vector<std::byte> bytes(size);
  std::uint64_t state = 88172645463325252ULL;
  for (auto& byte : bytes) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    byte = static_cast<std::byte>(state);
  }
  return bytes;
}

std::uint64_t hash(std::span<const std::byte> bytes, std::uint64_t seed) {
  for (const auto byte : bytes)
    seed = (seed ^ std::to_integer<std::uint64_t>(byte)) * 1099511628211ULL;
  return seed;
}

}  // namespace capsa::agent::test
