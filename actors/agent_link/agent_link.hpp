#pragma once

#include <actors/agent_link/copy.hpp>
#include <actors/agent_link/kept_output.hpp>
#include <actors/agent_link/processes.hpp>
#include <actors/protocol/ended_processes.hpp>
#include <actors/protocol/internal.hpp>
#include <agent/host/session.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace capsa {
class CallbackThread;
}

namespace capsa::agent_link {

/// The session with the agent in one guest. The agent reports by a connection to its port on the
/// host; when that breaks while the machine runs, the link connects to the guest's port instead.
/// Requests that come before the agent has reported wait for it; those in flight when a connection
/// breaks fail, and so do those that wait once the link has given up on the agent.
///
/// Nothing that the guest sends is trusted, whoever sends it: agent::Session checks it. But whoever
/// holds the session answers for the guest, and a sandbox's user takes its word, so it must be the
/// agent and no other process of the guest. AF_VSOCK itself lets any process connect. What tells
/// them apart is the guest's port: those below 1024 take CAP_NET_BIND_SERVICE, in the guest's first
/// user namespace, to be bound (linux/net/vmw_vsock/af_vsock.c, LAST_RESERVED_PORT). The agent
/// listens on such a port and connects from one. Root in the guest can do the same, and is trusted
/// with it: it could as well replace the agent.
class AgentLinkState final : public agent::SessionOutput {
 public:
  static inline const char* name = "capsa.agent";
  using Self = protocol::AgentLink::base*;

  /// Makes who touches the host's files for one copy.
  using MakePool = std::function<std::shared_ptr<virtio::Executor>()>;

  AgentLinkState(Self self, protocol::VsockActor vsock, protocol::VmUnit vm,
                 CallbackThread& callbacks, std::shared_ptr<protocol::EndedProcesses> ends,
                 MakePool make_pool);
  ~AgentLinkState() override;

  protocol::AgentLink::behavior_type make_behavior();
  void on_exit();

 private:
  /// A request, or who is told that there is no session for it.
  struct Waiting {
    std::function<void(agent::Session&)> run;
    std::function<void(const capsa::error&)> fail;
  };
  /// A file on its way to a user's function.
  struct Reading {
    actors::Sink sink;
    caf::response_promise promise;
    agent::RequestId request = 0;
    std::uint64_t received = 0;
    std::uint64_t outstanding = 0;
    std::optional<result<void>> done;
  };

  // -- connection (agent_link.cpp)
  caf::result<void> ready();
  void on_accept(protocol::ConnectionId connection, std::uint64_t credit);
  void adopt(protocol::ConnectionId connection, std::uint64_t credit);
  void on_data(protocol::ConnectionId connection, const std::string& bytes);
  void on_closed(protocol::ConnectionId connection, const std::string& why);
  /// Somebody needs the agent: starts to look for one that was there.
  void look_for_agent();
  /// Connects after a pause, or gives up. Does nothing while that is under way.
  void reconnect();
  void connect();
  void lose(const capsa::error& why);
  void fail_waiting(const capsa::error& why);
  void flush();
  void send(std::span<const std::byte> bytes) override;
  void on_ready(const AgentVersion& version) override;

  // -- requests (requests.cpp)
  /// Runs a request with the session, now or when the agent has reported.
  void with_session(std::function<void(agent::Session&)> run,
                    std::function<void(const capsa::error&)> fail);
  template <class T>
  caf::result<T> ask(std::function<void(agent::Session&, agent::Callback<T>)> request);
  caf::result<ExecResult> exec(ExecSpec spec);
  caf::result<actors::StartedProcess> start(ExecSpec spec, OutputHandlers handlers);
  /// Runs a process that has been noted; `on_end` may be empty.
  caf::result<actors::StartedProcess> launch(const std::shared_ptr<RunningProcess>& process,
                                             ExecSpec spec, agent::BytesCallback on_stdout,
                                             agent::BytesCallback on_stderr,
                                             std::function<void(const result<ExitStatus>&)> on_end);
  caf::result<ExitStatus> wait(std::uint64_t id);
  caf::result<void> write_stdin(std::uint64_t id, std::string bytes);
  caf::result<void> close_stdin(std::uint64_t id);
  template <class F>
  caf::result<void> with_process(std::uint64_t id, F f);
  void settle(RunningProcess& process);
  caf::result<std::uint64_t> read_file(std::string path, actors::Sink sink);
  caf::result<std::string> read_whole_file(std::string path);
  caf::result<void> write_file(std::string path, std::string content, std::uint32_t mode);
  void on_taken(std::uint64_t id, std::uint32_t stream, std::uint64_t bytes);
  /// Hands bytes to a user's function on the callback thread; on_taken() follows.
  void deliver(const actors::Sink& sink, std::uint64_t id, std::uint32_t stream,
               std::span<const std::byte> bytes);
  void finish(std::uint64_t id, Reading& reading);

  // -- trees and streams (trees_and_streams.cpp)
  template <class Direction>
  caf::result<CopyStats> copy(std::string host_path, std::string guest_path,
                              const CopyOptions& options);
  caf::result<CopyStats> copy_to(std::string host_path, std::string guest_path,
                                 const CopyOptions& options);
  caf::result<CopyStats> copy_from(std::string guest_path, std::string host_path,
                                   const CopyOptions& options);
  void on_copy_step(std::uint64_t id);
  caf::result<actors::StartedProcess> open(ExecSpec spec);
  caf::result<std::string> read_stream(std::uint64_t id, std::uint32_t stream,
                                       caf::timespan timeout);
  void give_up_reading(std::uint64_t id, std::uint32_t stream, std::uint64_t reader);
  void close_stream(std::uint64_t id, std::uint32_t stream);
  /// Somebody has taken so many bytes: the process may write as many more.
  void on_read(std::uint64_t id, std::uint32_t stream, std::size_t bytes);
  static capsa::error late();

  // Ids of file transfers and copies, told apart from those of processes by their top bits.
  static constexpr std::uint64_t kReading = 1ULL << 63;
  static constexpr std::uint64_t kCopying = 1ULL << 62;

  Self self_;
  protocol::VsockActor vsock_;
  protocol::VmUnit vm_;
  CallbackThread& callbacks_;
  std::shared_ptr<protocol::EndedProcesses> ends_;
  MakePool make_pool_;

  std::optional<protocol::ConnectionId> connection_;
  std::uint64_t credit_ = 0;
  std::string unsent_;
  std::unique_ptr<agent::Session> session_;
  bool greeted_ = false;  // the session has said its Hello
  bool ready_ = false;

  std::optional<caf::actor_clock::time_point> adopted_at_;  // the newest session
  std::optional<capsa::error> lost_;  // why there is none any more; before the first: nothing
  unsigned attempts_ = 0;             // to connect, since one session has held
  bool reconnecting_ = false;         // a pause or a connect is under way

  std::vector<Waiting> waiting_;
  std::vector<caf::response_promise> waiting_ready_;
  ProcessTable processes_;
  std::map<std::uint64_t, std::shared_ptr<Reading>> readings_;
  std::uint64_t next_reading_ = 1;
  std::map<std::uint64_t, std::shared_ptr<Copy>> copies_;
  std::uint64_t next_copy_ = 1;
  // By process and stream, until its reader has gone: who reads may come after the process's end.
  std::map<std::pair<std::uint64_t, std::uint32_t>, KeptOutput> kept_;
  std::uint64_t next_reader_ = 1;
};

}  // namespace capsa::agent_link
