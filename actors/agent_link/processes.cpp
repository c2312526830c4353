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
  if (over()) answer(*end);
}

void RunningProcess::answer(const result<ExitStatus>& with) {
  fail_writes({ErrorCode::ConnectionClosed, "the process has ended"});
  if (started.pending() && !with.ok()) started.deliver(protocol::to_caf(with.error()));
  for (auto& waiter : waiters) {
    if (with.ok())
      waiter.deliver(*with);
    else
      waiter.deliver(protocol::to_caf(with.error()));
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

void ProcessTable::ended(std::uint64_t id) {
  ended_.push_back(id);
  if (ended_.size() <= kRemembered) return;
  processes_.erase(ended_.front());
  ended_.pop_front();
}

}  // namespace capsa::agent_link
