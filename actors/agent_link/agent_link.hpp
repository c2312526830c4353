#pragma once

#include <actors/agent_link/processes.hpp>
#include <actors/protocol/internal.hpp>
#include <agent/host/session.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

namespace capsa {
class CallbackThread;
}

namespace capsa::agent_link {

/// The session with the agent in one guest. The agent reports by a connection to its port on the
/// host; when that breaks while the machine runs, the link connects to the guest's port instead.
/// Requests that come before the agent has reported wait for it; those in flight when a connection
/// breaks fail.
class AgentLinkState final : public agent::SessionOutput {
 public:
  static inline const char* name = "capsa.agent";
  using Self = protocol::AgentLink::base*;

  AgentLinkState(Self self, protocol::VsockActor vsock, protocol::VmUnit vm,
                 CallbackThread& callbacks);
  ~AgentLinkState() override;

  protocol::AgentLink::behavior_type make_behavior();
  void on_exit();

 private:
  // -- connection (agent_link.cpp)
  void adopt(protocol::ConnectionId connection, std::uint64_t credit);
  void on_data(protocol::ConnectionId connection, const std::string& bytes);
  void on_closed(protocol::ConnectionId connection, const std::string& why);
  void reconnect();
  void lose(const capsa::error& why);
  void flush();
  void send(std::span<const std::byte> bytes) override;
  void on_ready(const AgentVersion& version) override;

  // -- requests (requests.cpp)
  /// Runs `request` with the session, now or when the agent has reported.
  void with_session(std::function<void(agent::Session&)> request);
  template <class T>
  caf::result<T> ask(std::function<void(agent::Session&, agent::Callback<T>)> request);
  caf::result<ExecResult> exec(ExecSpec spec);
  caf::result<actors::StartedProcess> start(ExecSpec spec, OutputHandlers handlers);
  caf::result<ExitStatus> wait(std::uint64_t id);
  caf::result<void> write_stdin(std::uint64_t id, std::string bytes);
  caf::result<void> close_stdin(std::uint64_t id);
  template <class F>
  caf::result<void> with_process(std::uint64_t id, F f);
  caf::result<std::uint64_t> read_file(std::string path, actors::Sink sink);
  caf::result<void> write_file(std::string path, std::string content, std::uint32_t mode);
  void on_taken(std::uint64_t id, std::uint32_t stream, std::uint64_t bytes);
  /// Hands bytes to a user's function on the callback thread; on_taken() follows.
  void deliver(const actors::Sink& sink, std::uint64_t id, std::uint32_t stream,
               std::span<const std::byte> bytes);

  Self self_;
  protocol::VsockActor vsock_;
  protocol::VmUnit vm_;
  CallbackThread& callbacks_;

  std::optional<protocol::ConnectionId> connection_;
  std::uint64_t credit_ = 0;
  std::string unsent_;
  std::unique_ptr<agent::Session> session_;
  bool ready_ = false;
  unsigned attempts_ = 0;

  std::vector<std::function<void(agent::Session&)>> waiting_;
  std::vector<caf::response_promise> waiting_ready_;
  ProcessTable processes_;

  struct Reading {
    actors::Sink sink;
    caf::response_promise promise;
    agent::RequestId request = 0;
    std::uint64_t received = 0;
    std::uint64_t outstanding = 0;
    std::optional<result<void>> done;
  };
  std::map<std::uint64_t, std::shared_ptr<Reading>> readings_;
  std::uint64_t next_reading_ = 1;
  void finish(std::uint64_t id, Reading& reading);
};

}  // namespace capsa::agent_link
