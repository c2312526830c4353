#include <actors/facade/impl.hpp>
#include <actors/facade/process_streams.hpp>

#include <algorithm>

namespace capsa {

using namespace actors;
using detail::kPatience;

namespace {

/// Time of a short request, which the guest answers at once unless it is stuck.
std::chrono::nanoseconds brief(const detail::AgentImpl& agent) {
  return agent.vm->limit(kPatience);
}
/// Time of what may take as long as it takes: bounded only by the VM's time-out, if it has one.
std::chrono::nanoseconds open_ended(const detail::AgentImpl& agent) {
  return agent.vm->limit();
}

}  // namespace

future<void> AgentClient::ping() const {
  return impl_->target->ask<void>(brief(*impl_), ping_atom_v);
}

future<GuestInfo> AgentClient::info() const {
  return impl_->target->ask<GuestInfo>(brief(*impl_), info_atom_v);
}

future<ExecResult> AgentClient::exec(std::string shell_line,
                                     std::map<std::string, std::string> environment) const {
  auto spec = ExecSpec::shell_line(std::move(shell_line));
  spec.env = std::move(environment);
  return exec(std::move(spec));
}

future<ExecResult> AgentClient::exec(ExecSpec spec) const {
  return impl_->target->ask<ExecResult>(open_ended(*impl_), exec_atom_v, std::move(spec));
}

future<Process> AgentClient::start(ExecSpec spec, OutputHandlers handlers) const {
  return detail::ask_map<Process, StartedProcess>(
      *impl_->target, brief(*impl_),
      [agent = impl_](const StartedProcess& started) {
        return Process(std::make_shared<detail::ProcessImpl>(detail::ProcessImpl{agent, started}));
      },
      start_atom_v, std::move(spec), std::move(handlers));
}

future<ProcessStreams> AgentClient::open(ExecSpec spec) const {
  return detail::ask_map<ProcessStreams, StartedProcess>(
      *impl_->target, brief(*impl_),
      [agent = impl_](const StartedProcess& started) {
        const auto process =
            std::make_shared<detail::ProcessImpl>(detail::ProcessImpl{agent, started});
        const auto reader = [&](std::uint32_t stream) {
          return StreamReader(std::make_shared<facade::ProcessStream>(process, stream));
        };
        return ProcessStreams{Process(process), reader(0), reader(1)};
      },
      open_atom_v, std::move(spec));
}

future<std::string> AgentClient::read_file(std::string path) const {
  return impl_->target->ask<std::string>(open_ended(*impl_), read_atom_v, std::move(path));
}

future<std::uint64_t> AgentClient::read_file(std::string path,
                                             std::function<void(std::string_view)> on_chunk) const {
  return impl_->target->ask<std::uint64_t>(open_ended(*impl_), read_atom_v, std::move(path),
                                           Sink(std::move(on_chunk)));
}

future<void> AgentClient::write_file(std::string path, std::string content, unsigned mode) const {
  return impl_->target->ask<void>(open_ended(*impl_), write_atom_v, std::move(path),
                                  std::move(content), std::uint32_t{mode});
}

future<bool> AgentClient::exists(std::string path) const {
  return impl_->target->ask<bool>(brief(*impl_), exists_atom_v, std::move(path));
}

future<FileStat> AgentClient::stat(std::string path, bool follow_symlinks) const {
  return impl_->target->ask<FileStat>(brief(*impl_), stat_atom_v, std::move(path), follow_symlinks);
}

future<std::vector<DirEntry>> AgentClient::list_dir(std::string path) const {
  return impl_->target->ask<std::vector<DirEntry>>(open_ended(*impl_), list_atom_v,
                                                   std::move(path));
}

future<void> AgentClient::mkdir(std::string path, bool parents, unsigned mode) const {
  return impl_->target->ask<void>(brief(*impl_), mkdir_atom_v, std::move(path), parents,
                                  std::uint32_t{mode});
}

future<void> AgentClient::remove(std::string path, bool recursive) const {
  return impl_->target->ask<void>(open_ended(*impl_), remove_atom_v, std::move(path), recursive);
}

future<void> AgentClient::rename(std::string from, std::string to) const {
  return impl_->target->ask<void>(brief(*impl_), rename_atom_v, std::move(from), std::move(to));
}

future<CopyStats> AgentClient::copy_to(std::filesystem::path host_path, std::string guest_path,
                                       CopyOptions options) const {
  return impl_->target->ask<CopyStats>(open_ended(*impl_), copy_to_atom_v, host_path.native(),
                                       std::move(guest_path), options);
}

future<CopyStats> AgentClient::copy_from(std::string guest_path, std::filesystem::path host_path,
                                         CopyOptions options) const {
  return impl_->target->ask<CopyStats>(open_ended(*impl_), copy_from_atom_v, std::move(guest_path),
                                       host_path.native(), options);
}

future<void> AgentClient::shutdown() const {
  return impl_->target->ask<void>(brief(*impl_), shutdown_atom_v);
}

// -- Process

std::int64_t Process::pid() const noexcept {
  return impl_->started.pid;
}

future<void> Process::write_stdin(std::string bytes) const {
  const auto& agent = *impl_->agent;
  return agent.target->ask<void>(open_ended(agent), write_atom_v, impl_->started.id,
                                 std::move(bytes));
}

future<void> Process::close_stdin() const {
  const auto& agent = *impl_->agent;
  return agent.target->ask<void>(brief(agent), close_atom_v, impl_->started.id);
}

future<void> Process::signal(int signal_number) const {
  const auto& agent = *impl_->agent;
  return agent.target->ask<void>(brief(agent), signal_atom_v, impl_->started.id, signal_number);
}

future<void> Process::resize(PtySize size) const {
  const auto& agent = *impl_->agent;
  return agent.target->ask<void>(brief(agent), resize_atom_v, impl_->started.id, size);
}

future<ExitStatus> Process::wait() const {
  const auto& agent = *impl_->agent;
  const auto link = agent.target->actor()->id();
  promise<ExitStatus> p(agent.target->post());
  agent.target->ask_then<ExitStatus>(
      open_ended(agent),
      [p, link, id = impl_->started.id,
       ends = agent.vm->shared().ended_processes()](result<ExitStatus> status) {
        // The agent's actor ends with its boot; what became of the process is known beyond that.
        auto known = status.ok() ? std::nullopt : ends->find(link, id);
        p.set(known ? std::move(*known) : std::move(status));
      },
      wait_atom_v, impl_->started.id);
  return p.get_future();
}

// -- from a VM to its agent

namespace {

future<AgentClient> agent_of(const std::shared_ptr<detail::VmImpl>& vm, detail::Deadline deadline) {
  promise<AgentClient> p(vm->target().post());
  vm->target().ask_then<AgentActor>(
      deadline,
      [vm, p, deadline](result<AgentActor> actor) {
        if (!actor.ok()) {
          p.set(actor.error());
          return;
        }
        auto impl =
            std::make_shared<detail::AgentImpl>(detail::AgentImpl{vm, vm->target_of(*actor)});
        impl->target->ask_then<void>(
            deadline,
            [impl, p](const result<void>& ready) {
              if (ready.ok())
                p.set(AgentClient(impl));
              else if (ready.error().code() == ErrorCode::Timeout)
                p.set(capsa::error(ErrorCode::AgentUnavailable,
                                   "no agent of VM \"" + impl->vm->plan().config.name +
                                       "\" has said hello in time",
                                   "kernel_log() and the console tell how far the guest has come"));
              else
                p.set(ready.error());
            },
            ready_atom_v);
      },
      agent_atom_v);
  return p.get_future();
}

}  // namespace

future<AgentClient> VmHandle::agent() const {
  return agent_of(impl_, impl_->limit(std::chrono::seconds(30)));
}

future<Process> VmHandle::main_process() const {
  promise<Process> p(impl_->target().post());
  const detail::Deadline deadline(impl_->limit());
  impl_->target().ask_then<StartedProcess>(
      deadline,
      [vm = impl_, p, deadline](result<StartedProcess> started) {
        if (!started.ok()) {
          p.set(started.error());
          return;
        }
        vm->target().ask_then<AgentActor>(
            deadline,
            [vm, p, started = *started](result<AgentActor> actor) {
              if (!actor.ok()) {
                p.set(actor.error());
                return;
              }
              auto agent =
                  std::make_shared<detail::AgentImpl>(detail::AgentImpl{vm, vm->target_of(*actor)});
              p.set(Process(std::make_shared<detail::ProcessImpl>(
                  detail::ProcessImpl{std::move(agent), started})));
            },
            agent_atom_v);
      },
      main_atom_v);
  return p.get_future();
}

namespace sandbox {

future<AgentClient> wait_ready(const VsockSocket& socket, std::chrono::milliseconds timeout) {
  if (socket.port() != agent_port())
    return future<AgentClient>::ready(
        capsa::error(ErrorCode::InvalidConfig,
                     "vsock port " + std::to_string(socket.port()) + " is not the agent's",
                     "use the socket of sandbox::agent_port(), 52"));
  return agent_of(socket.vm(), detail::bounded(timeout));
}

}  // namespace sandbox
}  // namespace capsa
