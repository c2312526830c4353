#include <actors/agent_link/requests.hpp>
#include <actors/values/longest_wait.hpp>

namespace capsa::agent_link {

// -- trees of files

template <class Direction>
caf::result<CopyStats> AgentLinkState::copy(std::string host_path, std::string guest_path,
                                            const CopyOptions& options) {
  if (host_path.empty() || host_path.find('\0') != std::string::npos)
    return protocol::to_caf({ErrorCode::InvalidConfig, "host_path is empty or contains a NUL byte",
                             "name a file or directory of the host"});
  auto promise = self_->make_response_promise();
  const auto id = kCopying | next_copy_++;
  // From the VM's loop, which may go on for a moment when this actor has ended.
  auto tell = [id, weak = caf::actor_addr(self_->address())] {
    if (auto strong = caf::actor_cast<caf::strong_actor_ptr>(weak))
      caf::anon_send(caf::actor_cast<caf::actor>(strong), protocol::taken_atom_v, id,
                     std::uint32_t{0}, std::uint64_t{0});
  };
  auto copy = std::make_shared<Direction>(promise, Copy::Files{make_pool_(), std::move(tell)},
                                          host_path, std::move(guest_path), options);
  copies_.emplace(id, copy);
  with_session([copy](agent::Session& session) { copy->begin(session); },
               [copy](const capsa::error& why) { copy->answer(why); });
  return promise;
}

caf::result<CopyStats> AgentLinkState::copy_to(std::string host_path, std::string guest_path,
                                               const CopyOptions& options) {
  return copy<CopyTo>(std::move(host_path), std::move(guest_path), options);
}

caf::result<CopyStats> AgentLinkState::copy_from(std::string guest_path, std::string host_path,
                                                 const CopyOptions& options) {
  return copy<CopyFrom>(std::move(host_path), std::move(guest_path), options);
}

void AgentLinkState::on_copy_step(std::uint64_t id) {
  const auto it = copies_.find(id);
  if (it == copies_.end()) return;
  const auto copy = it->second;
  copy->step_done();
  if (copy->gone()) copies_.erase(id);
}

// -- processes whose output is read

caf::result<actors::StartedProcess> AgentLinkState::open(ExecSpec spec) {
  const auto process = processes_.add();
  const auto id = process->id;
  kept_[{id, 0}];
  auto& errors = kept_[{id, 1}];
  if (spec.pty || spec.merge_stderr || !spec.terminal.empty()) errors.end({});
  const auto keep = [this, process](std::uint32_t number, agent::Stream stream) {
    return [this, process, number, stream](std::span<const std::byte> bytes) {
      const auto it = kept_.find({process->id, number});
      // What nobody reads any more is as good as read.
      const auto read = it == kept_.end() ? bytes.size() : it->second.add(bytes);
      session_->grant(process->request, stream, read);
    };
  };
  const auto on_end = [this, process](const result<ExitStatus>& end) {
    for (const std::uint32_t stream : {0U, 1U}) {
      const auto it = kept_.find({process->id, stream});
      if (it == kept_.end()) continue;
      if (process->started.pending())
        kept_.erase(it);  // nobody will learn its id
      else
        it->second.end(end.ok() ? result<void>() : result<void>(end.error()));
    }
  };
  return launch(process, std::move(spec), keep(0, agent::Stream::Output),
                keep(1, agent::Stream::Error), on_end);
}

caf::result<std::string> AgentLinkState::read_stream(std::uint64_t id, std::uint32_t stream,
                                                     caf::timespan timeout) {
  const auto it = kept_.find({id, stream});
  if (it == kept_.end())
    return protocol::to_caf({ErrorCode::NotFound, "no such stream, or its reader has gone"});
  auto promise = self_->make_response_promise();
  const auto reader = next_reader_++;
  on_read(id, stream, it->second.read(reader, promise));
  if (timeout.count() <= 0)
    it->second.give_up(reader, protocol::to_caf(late()));
  else if (timeout <= kLongestWait)
    self_->delayed_send(self_, timeout, protocol::deadline_atom_v, id, stream, reader);
  flush();
  return promise;
}

void AgentLinkState::give_up_reading(std::uint64_t id, std::uint32_t stream, std::uint64_t reader) {
  if (const auto it = kept_.find({id, stream}); it != kept_.end())
    it->second.give_up(reader, protocol::to_caf(late()));
}

void AgentLinkState::close_stream(std::uint64_t id, std::uint32_t stream) {
  auto closed = kept_.extract({id, stream});
  if (closed.empty()) return;
  closed.mapped().fail_all(protocol::to_caf({ErrorCode::Canceled, "the reader has gone"}));
  on_read(id, stream, closed.mapped().kept());
  flush();
}

void AgentLinkState::on_read(std::uint64_t id, std::uint32_t stream, std::size_t bytes) {
  const auto process = processes_.find(id);
  if (bytes == 0 || !process || process->end || !session_) return;
  session_->grant(process->request, stream == 0 ? agent::Stream::Output : agent::Stream::Error,
                  bytes);
}

capsa::error AgentLinkState::late() {
  return {ErrorCode::Timeout, "the process has written nothing in the time that was given"};
}

}  // namespace capsa::agent_link
