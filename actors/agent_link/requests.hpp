#pragma once

#include <actors/agent_link/agent_link.hpp>
#include <actors/protocol/spawn.hpp>

namespace capsa::agent_link {

template <class T>
caf::result<T> AgentLinkState::ask(
    std::function<void(agent::Session&, agent::Callback<T>)> request) {
  auto promise = std::make_shared<caf::response_promise>(self_->make_response_promise());
  with_session(
      [request = std::move(request), promise](agent::Session& session) {
        request(session,
                [promise](result<T> value) { protocol::answer(*promise, std::move(value)); });
      },
      [promise](const capsa::error& why) { promise->deliver(protocol::to_caf(why)); });
  return *promise;
}

template <class F>
caf::result<void> AgentLinkState::with_process(std::uint64_t id, F f) {
  const auto process = processes_.find(id);
  if (!process)
    return protocol::to_caf({ErrorCode::NotFound, "no such process, or it ended long ago"});
  if (process->end || !session_)
    return protocol::to_caf({ErrorCode::ConnectionClosed, "the process has ended"});
  f(*process);
  flush();
  return {};
}

}  // namespace capsa::agent_link
