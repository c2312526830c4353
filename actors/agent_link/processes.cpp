#include <actors/agent_link/processes.hpp>
#include <actors/protocol/errors.hpp>

namespace capsa::agent_link {

void RunningProcess::pump(agent::Session& session) {
  while (!writes.empty() && !stdin_gone) {
    auto& write = writes.front();
    const auto rest = std::as_bytes(std::span(write.bytes)).subspan(write.done);
    write.done += session.stdin_write(request, rest);
    if (write.done < write.bytes.size()) return;
    write.promise.deliver(caf::unit);
    writes.pop_front();
  }
  if (close_after_writes && writes.empty()) {
    close_after_writes = false;
    session.stdin_close(request);
  }
}

void RunningProcess::fail_writes(const capsa::error& why) {
  stdin_gone = true;
  for (auto& write : writes)
    write.promise.deliver(protocol::to_caf(why));
  writes.clear();
}

void RunningProcess::settle() {
  if (!over()) return;
  fail_writes({ErrorCode::ConnectionClosed, "the process has ended"});
  if (started.pending() && !end->ok()) started.deliver(protocol::to_caf(end->error()));
  for (auto& waiter : waiters) {
    if (end->ok())
      waiter.deliver(**end);
    else
      waiter.deliver(protocol::to_caf(end->error()));
  }
  waiters.clear();
}

std::shared_ptr<RunningProcess> ProcessTable::add() {
  auto process = std::make_shared<RunningProcess>();
  process->id = next_id_++;
  processes_.emplace(process->id, process);
  return process;
}

std::shared_ptr<RunningProcess> ProcessTable::find(std::uint64_t id) const {
  const auto it = processes_.find(id);
  return it == processes_.end() ? nullptr : it->second;
}

void ProcessTable::trim() {
  for (auto it = processes_.begin(); it != processes_.end() && processes_.size() > kRemembered;)
    it = it->second->over() ? processes_.erase(it) : std::next(it);
}

}  // namespace capsa::agent_link
