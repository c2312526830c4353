#include <actors/agent_link/requests.hpp>
#include <actors/loop/callback_thread.hpp>

#include <sys/random.h>

#include <algorithm>
#include <array>

namespace capsa::agent_link {

namespace {

constexpr std::uint32_t kAgentPort = sandbox::agent_port();
// One piece on its way to the device: a whole guest receive buffer several times over, and small
// enough that a piece never holds up the messages of other connections for long.
constexpr std::size_t kPiece = 64 * 1024;
// A guest that closes the agent's connection is asked again a few times, after 0.1 to 1.6 s, then
// left alone until a request needs it.
constexpr unsigned kAttempts = 5;
constexpr auto kFirstPause = std::chrono::milliseconds(100);
// Only a session that has held for so long lets the attempts be counted anew: a guest that takes
// connections and drops them is not asked again and again.
constexpr auto kHeld = std::chrono::seconds(5);
// The guest may start a session once in so long. One that does so without a pause would have us
// begin sessions, and tell the VM's subscribers of each, as fast as it can.
constexpr auto kLeastLife = std::chrono::seconds(1);
// See the class: below, it was the agent, or root in the guest.
constexpr std::uint32_t kFirstOpenPort = 1024;

std::chrono::nanoseconds wall_clock() {
  return std::chrono::system_clock::now().time_since_epoch();
}

agent::Greeting greeting() {
  agent::Greeting out;
  out.wall_clock = wall_clock();
  std::array<std::byte, 64> random;
  if (::getrandom(random.data(), random.size(), 0) == static_cast<ssize_t>(random.size()))
    out.entropy.assign(random.begin(), random.end());
  return out;
}

}  // namespace

AgentLinkState::AgentLinkState(Self self, protocol::VsockActor vsock, protocol::VmUnit vm,
                               CallbackThread& callbacks,
                               std::shared_ptr<protocol::EndedProcesses> ends, MakePool make_pool)
    : self_(self),
      vsock_(std::move(vsock)),
      vm_(std::move(vm)),
      callbacks_(callbacks),
      ends_(std::move(ends)),
      make_pool_(std::move(make_pool)) {
  self_->send(vsock_, protocol::bind_atom_v, kAgentPort, protocol::VsockEndpoint(self_));
}

AgentLinkState::~AgentLinkState() = default;

void AgentLinkState::on_exit() {
  const capsa::error why(ErrorCode::VmEnded, "the VM has ended");
  lose(why);
  fail_waiting(why);
  // What ended in the guest, but has bytes with a user's function: nobody hears here when those are
  // taken, and whoever has the end counts on having had all of them.
  const capsa::error untaken(ErrorCode::VmEnded, "the VM ended before all bytes had been taken");
  processes_.for_each([&](RunningProcess& process) {
    if (!process.over()) process.answer(untaken);
  });
  for (auto& [id, reading] : readings_)
    if (reading->promise.pending()) reading->promise.deliver(protocol::to_caf(untaken));
  for (auto& [id, copy] : copies_)
    copy->answer(why);
  for (auto& [stream, kept] : kept_)
    kept.fail_all(protocol::to_caf(why));
}

caf::result<void> AgentLinkState::ready() {
  auto promise = self_->make_response_promise();
  if (ready_) {
    promise.deliver(caf::unit);
    return promise;
  }
  waiting_ready_.push_back(promise);
  look_for_agent();
  return promise;
}

void AgentLinkState::on_accept(protocol::ConnectionId connection, std::uint64_t credit) {
  const bool trusted = protocol::guest_port(connection) < kFirstOpenPort;
  if (trusted && (!adopted_at_ || self_->clock().now() - *adopted_at_ >= kLeastLife))
    return adopt(connection, credit);
  self_->send(vsock_, protocol::reset_atom_v, connection);
  if (connection_) return;
  // An agent that cannot have such a port, or was too quick, is at the one where it listens. Who
  // only pretends to be the agent is not: to listen there takes the same right.
  if (!lost_) lost_.emplace(ErrorCode::ConnectionClosed, "a connection from the guest was refused");
  reconnect();
}

void AgentLinkState::adopt(protocol::ConnectionId connection, std::uint64_t credit) {
  if (connection_) {
    // The agent was started anew: what the old one was asked will not be answered.
    self_->send(vsock_, protocol::reset_atom_v, *connection_);
    lose({ErrorCode::ConnectionClosed, "the guest's agent was started anew"});
  }
  connection_ = connection;
  adopted_at_ = self_->clock().now();
  credit_ = credit;
  session_ = std::make_unique<agent::Session>(*this);
  greeted_ = false;
}

void AgentLinkState::on_ready(const AgentVersion&) {
  ready_ = true;
  self_->send(vm_, actors::ready_atom_v);
  for (auto& promise : waiting_ready_)
    promise.deliver(caf::unit);
  waiting_ready_.clear();
  // Requests made now go out behind the Hello; Session allows it from inside its callback.
  auto waiting = std::exchange(waiting_, {});
  for (auto& request : waiting)
    request.run(*session_);
}

void AgentLinkState::on_data(protocol::ConnectionId connection, const std::string& bytes) {
  if (connection != connection_ || !session_) return;
  // The agent speaks first, and when it is about to listen: what time it is was not stamped while
  // the guest still had things to do.
  if (!std::exchange(greeted_, true)) session_->start(greeting());
  const auto fed = session_->feed(std::as_bytes(std::span(bytes)));
  self_->send(vsock_, protocol::taken_atom_v, connection, static_cast<std::uint64_t>(bytes.size()));
  if (!fed.ok()) {
    self_->send(vsock_, protocol::reset_atom_v, connection);
    lose(fed.error());
    // The next session is most likely with the same agent: whoever waits for it learns why now.
    fail_waiting(fed.error());
    return reconnect();
  }
  flush();
}

void AgentLinkState::on_closed(protocol::ConnectionId connection, const std::string& why) {
  if (connection != connection_) return;
  lose({ErrorCode::ConnectionClosed, "the connection to the guest's agent closed: " + why});
  reconnect();
}

void AgentLinkState::lose(const capsa::error& why) {
  const bool was_ready = std::exchange(ready_, false);
  if (was_ready && self_->clock().now() - *adopted_at_ >= kHeld) attempts_ = 0;
  lost_ = why;
  connection_.reset();
  unsent_.clear();
  // fail_all() may call back into requests; the session must be alive, and not found, meanwhile.
  if (const auto session = std::move(session_)) session->fail_all(why);
  if (was_ready) self_->send(vm_, protocol::lost_atom_v, std::string(why.message()));
}

void AgentLinkState::fail_waiting(const capsa::error& why) {
  auto waiting = std::exchange(waiting_, {});
  for (auto& request : waiting)
    request.fail(why);
  protocol::fail_all(waiting_ready_, protocol::to_caf(why));
}

void AgentLinkState::look_for_agent() {
  // Before its first session the agent comes by itself, when it is up.
  if (!lost_ || connection_ || reconnecting_) return;
  attempts_ = 0;
  reconnect();
}

void AgentLinkState::reconnect() {
  if (connection_ || reconnecting_) return;
  if (attempts_ >= kAttempts)
    return fail_waiting({ErrorCode::AgentUnavailable,
                         "the guest's agent does not answer any more: " + lost_->message(),
                         "kernel_log() and the console may tell what became of it"});
  reconnecting_ = true;
  self_->delayed_send(self_, kFirstPause * (1U << attempts_++), actors::connect_atom_v);
}

void AgentLinkState::connect() {
  if (connection_) {
    reconnecting_ = false;
    return;
  }
  self_
      ->request(vsock_, caf::infinite, actors::connect_atom_v, kAgentPort,
                protocol::VsockEndpoint(self_))
      .then(
          [this](protocol::ConnectionId connection, std::uint64_t credit) {
            reconnecting_ = false;
            if (!connection_)
              adopt(connection, credit);
            else
              self_->send(vsock_, protocol::reset_atom_v, connection);
          },
          [this](const caf::error&) {
            reconnecting_ = false;
            reconnect();
          });
}

void AgentLinkState::send(std::span<const std::byte> bytes) {
  unsent_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

void AgentLinkState::flush() {
  if (!connection_ || unsent_.empty()) return;
  std::size_t sent = 0;
  while (sent < unsent_.size() && credit_ > 0) {
    const auto n = std::min({unsent_.size() - sent, static_cast<std::size_t>(credit_), kPiece});
    self_->send(vsock_, protocol::data_atom_v, *connection_, unsent_.substr(sent, n));
    credit_ -= n;
    sent += n;
  }
  unsent_.erase(0, sent);
}

protocol::AgentLink::behavior_type AgentLinkState::make_behavior() {
  using namespace protocol;
  using capsa::agent::Callback;
  using capsa::agent::Session;
  return {
      // -- the agent's interface
      [this](ready_atom) { return ready(); },
      [this](ping_atom) {
        return ask<void>(
            [](Session& s, Callback<void> done) { s.ping(std::move(done), wall_clock()); });
      },
      [this](info_atom) {
        return ask<GuestInfo>(
            [](Session& s, Callback<GuestInfo> done) { s.info(std::move(done)); });
      },
      [this](exec_atom, ExecSpec& spec) { return exec(std::move(spec)); },
      [this](start_atom, ExecSpec& spec, OutputHandlers& handlers) {
        return start(std::move(spec), std::move(handlers));
      },
      [this](wait_atom, std::uint64_t id) { return wait(id); },
      [this](write_atom, std::uint64_t id, std::string& bytes) {
        return write_stdin(id, std::move(bytes));
      },
      [this](close_atom, std::uint64_t id) { return close_stdin(id); },
      [this](signal_atom, std::uint64_t id, int number) {
        return with_process(id, [&](RunningProcess& p) { session_->signal(p.request, number); });
      },
      [this](resize_atom, std::uint64_t id, const PtySize& size) {
        return with_process(id, [&](RunningProcess& p) { session_->resize(p.request, size); });
      },
      [this](read_atom, std::string& path, Sink& sink) {
        return read_file(std::move(path), std::move(sink));
      },
      [this](read_atom, std::string& path) { return read_whole_file(std::move(path)); },
      [this](write_atom, std::string& path, std::string& content, std::uint32_t mode) {
        return write_file(std::move(path), std::move(content), mode);
      },
      [this](exists_atom, const std::string& path) {
        return ask<bool>(
            [path](Session& s, Callback<bool> done) { s.exists(path, std::move(done)); });
      },
      [this](stat_atom, const std::string& path, bool follow) {
        return ask<FileStat>([path, follow](Session& s, Callback<FileStat> done) {
          s.stat(path, follow, std::move(done));
        });
      },
      [this](list_atom, const std::string& path) {
        using Entries = std::vector<DirEntry>;
        return ask<Entries>(
            [path](Session& s, Callback<Entries> done) { s.list_dir(path, std::move(done)); });
      },
      [this](mkdir_atom, const std::string& path, bool parents, std::uint32_t mode) {
        return ask<void>([=](Session& s, Callback<void> done) {
          s.mkdir(path, parents, mode, std::move(done));
        });
      },
      [this](remove_atom, const std::string& path, bool recursive) {
        return ask<void>(
            [=](Session& s, Callback<void> done) { s.remove(path, recursive, std::move(done)); });
      },
      [this](rename_atom, const std::string& from, const std::string& to) {
        return ask<void>(
            [=](Session& s, Callback<void> done) { s.rename(from, to, std::move(done)); });
      },
      [this](shutdown_atom) {
        return ask<void>([](Session& s, Callback<void> done) {
          s.shutdown(ShutdownMode::PowerOff, std::chrono::seconds(5), std::move(done));
        });
      },
      [this](open_atom, ExecSpec& spec) { return open(std::move(spec)); },
      [this](read_atom, std::uint64_t id, std::uint32_t stream, caf::timespan timeout) {
        return read_stream(id, stream, timeout);
      },
      [this](close_atom, std::uint64_t id, std::uint32_t stream) { close_stream(id, stream); },
      [this](copy_to_atom, std::string& host_path, std::string& guest_path,
             const CopyOptions& options) {
        return copy_to(std::move(host_path), std::move(guest_path), options);
      },
      [this](copy_from_atom, std::string& guest_path, std::string& host_path,
             const CopyOptions& options) {
        return copy_from(std::move(guest_path), std::move(host_path), options);
      },
      // -- the connection
      [this](accept_atom, ConnectionId connection, std::uint64_t credit) {
        on_accept(connection, credit);
      },
      [this](data_atom, ConnectionId connection, const std::string& bytes) {
        on_data(connection, bytes);
      },
      [this](credit_atom, ConnectionId connection, std::uint64_t bytes) {
        if (connection != connection_) return;
        credit_ += bytes;
        flush();
      },
      [this](half_atom, ConnectionId connection, bool, bool) {
        // An agent that closes one direction is of no more use in the other.
        if (connection != connection_) return;
        self_->send(vsock_, reset_atom_v, connection);
        on_closed(connection, "the agent ended the session");
      },
      [this](closed_atom, ConnectionId connection, const std::string& why) {
        on_closed(connection, why);
      },
      // -- the VM and this actor itself
      [this](setup_atom, const SetupBox& spec) {
        return ask<void>(
            [spec](Session& s, Callback<void> done) { s.setup(*spec.value, std::move(done)); });
      },
      [this](taken_atom, std::uint64_t id, std::uint32_t stream, std::uint64_t bytes) {
        on_taken(id, stream, bytes);
      },
      [this](deadline_atom, std::uint64_t id, std::uint32_t stream, std::uint64_t reader) {
        give_up_reading(id, stream, reader);
      },
      [this](connect_atom) { connect(); },
  };
}

}  // namespace capsa::agent_link
