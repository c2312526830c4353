#pragma once

#include <capsa/guest.hpp>
#include <capsa/vm.hpp>

namespace capsa {

/// What a sandbox runs and where its input and output go.
struct SandboxCommand {
  ExecSpec exec;
  /// Where output goes. Without handlers it goes to the guest's console, and input comes from
  /// there.
  std::optional<OutputHandlers> output;
};

/// Collects what a sandbox shall be: a VM of the prepared guest that runs one command and ends with
/// it. run() exactly once: neither or twice does not compile. Differences from a VM: the console is
/// on, the agent is there, and shares are mounted at the paths given.
template <bool HasCommand>
class [[nodiscard]] BasicSandboxBuilder : public BuilderMethods<BasicSandboxBuilder<HasCommand>> {
  using Self = BasicSandboxBuilder;
  using Base = BuilderMethods<Self>;

 public:
  explicit BasicSandboxBuilder(std::shared_ptr<detail::RuntimeImpl> runtime)
      : Base(std::move(runtime)) {
    this->config_.console = true;
    this->config_.agent = true;
  }

  /// The command, looked up in the guest's PATH, and its arguments.
  BasicSandboxBuilder<true> run(std::string command, std::vector<std::string> arguments = {}) &&
      requires(!HasCommand) {
    command_.exec.argv.push_back(std::move(command));
    for (auto& argument : arguments)
      command_.exec.argv.push_back(std::move(argument));
    return std::move(*this).with_command();
  }

  Self env(std::string key, std::string value) && {
    command_.exec.env.insert_or_assign(std::move(key), std::move(value));
    return this->self();
  }
  Self working_dir(std::string path) && {
    return this->set(command_.exec.working_dir, std::move(path));
  }
  /// "name", "uid" or "uid:gid".
  Self user(std::string value) && { return this->set(command_.exec.user, std::move(value)); }
  /// Output to these functions instead of the console; input from VmHandle::main_process().
  Self on_output(OutputHandlers handlers) && {
    command_.exec.stdin_open = true;
    return this->set(command_.output, std::optional(std::move(handlers)));
  }
  /// Gives the command a terminal of its own; its output is on_stdout of on_output(). Without
  /// on_output() the console is its terminal, and gets this size.
  Self pty(PtySize size) && { return this->set(command_.exec.pty, std::optional(size)); }
  /// A kernel and initrd of one's own instead of the prepared ones; its init must be the agent.
  Self guest(GuestAssets assets) && { return this->set(assets_, std::optional(std::move(assets))); }

  /// Boots the guest, mounts the shares and starts the command. Done once the machine runs; see
  /// VmHandle::main_process() and VmHandle::wait().
  future<VmHandle> build() && requires HasCommand {
    return build_sandbox(std::move(this->runtime_), std::move(this->config_), std::move(command_),
                         std::move(assets_));
  }

 private:
  template <bool>
  friend class BasicSandboxBuilder;

  static future<VmHandle> build_sandbox(std::shared_ptr<detail::RuntimeImpl> runtime,
                                        VmConfig config, SandboxCommand command,
                                        std::optional<GuestAssets> assets);

  BasicSandboxBuilder<true> with_command() && {
    BasicSandboxBuilder<true> next(std::move(this->runtime_));
    next.config_ = std::move(this->config_);
    next.command_ = std::move(command_);
    next.assets_ = std::move(assets_);
    return next;
  }

  SandboxCommand command_;
  std::optional<GuestAssets> assets_;
};

using SandboxBuilder = BasicSandboxBuilder<false>;

namespace sandbox {

/// The vsock port on which the agent of a guest answers.
constexpr std::uint32_t agent_port() noexcept {
  return 52;
}

/// Waits until the agent behind this socket has answered, 30 s at most unless told otherwise, and
/// whatever the builder's timeout() says; 0 or less only looks. AgentUnavailable where it has not.
future<AgentClient> wait_ready(const VsockSocket& socket,
                               std::chrono::milliseconds timeout = std::chrono::seconds(30));

}  // namespace sandbox
}  // namespace capsa
