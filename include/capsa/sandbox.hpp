#pragma once

#include <capsa/guest.hpp>
#include <capsa/image.hpp>
#include <capsa/vm.hpp>

namespace capsa {

/// What a sandbox runs and where its input and output go.
struct SandboxCommand {
  ExecSpec exec;  ///< what runs, and as whom
  /// Where output goes. Without handlers it goes to the guest's console, and input comes from
  /// there.
  std::optional<OutputHandlers> output;
};

/// What makes a VM a sandbox; plain data.
struct SandboxConfig {
  /// Without `argv` and `shell` nothing is run, unless `image` has a command of its own: the guest
  /// then waits for its agent's clients, and ends by stop().
  SandboxCommand command;
  /// The root file system; none: the prepared guest's own, with busybox.
  std::optional<OciImage> image;
  /// A kernel and initrd of one's own instead of the prepared ones; its init must be the agent.
  std::optional<GuestAssets> assets;
};

/// Collects what a sandbox shall be: a VM of the prepared guest that runs one command and ends with
/// it. One of run() and oci() exactly once: neither or two of them do not compile. Differences from
/// a VM: the console is on, the agent is there, and shares are mounted at the paths given.
template <bool HasCommand>
class [[nodiscard]] BasicSandboxBuilder : public BuilderMethods<BasicSandboxBuilder<HasCommand>> {
  using Self = BasicSandboxBuilder;
  using Base = BuilderMethods<Self>;

 public:
  /// Made by Runtime::sandbox() and Capsa::sandbox().
  explicit BasicSandboxBuilder(std::shared_ptr<detail::RuntimeImpl> runtime)
      : Base(std::move(runtime)) {
    this->config_.console = true;
    this->config_.agent = true;
  }

  /// The command, looked up in the guest's PATH, and its arguments.
  BasicSandboxBuilder<true> run(std::string command, std::vector<std::string> arguments = {}) &&
      requires(!HasCommand) {
    sandbox_.command.exec.argv.push_back(std::move(command));
    for (auto& argument : arguments)
      sandbox_.command.exec.argv.push_back(std::move(argument));
    return std::move(*this).with_command();
  }

  /// A command in an OCI image: "python:3.11", "ghcr.io/owner/name@sha256:…", "oci:DIR[:TAG]",
  /// "docker-archive:FILE" or "oci-archive:FILE" (see OciImage). `arguments` take the place of the
  /// image's own command (CMD) and follow its entrypoint; its environment, user and working
  /// directory hold where env(), user() and working_dir() say nothing else. The image is pulled by
  /// build() itself, before it returns, where the cache has not got it.
  BasicSandboxBuilder<true> oci(std::string reference, std::vector<std::string> arguments = {},
                                ImageOptions options = {}) &&
      requires(!HasCommand) {
    sandbox_.image = OciImage{std::move(reference), std::move(options)};
    sandbox_.command.exec.argv = std::move(arguments);
    return std::move(*this).with_command();
  }

  /// Added to the defaults, see ExecSpec::env; of one key the last value counts.
  Self env(std::string key, std::string value) && {
    sandbox_.command.exec.env.insert_or_assign(std::move(key), std::move(value));
    return this->self();
  }
  /// Absolute, in the guest; else the user's home if there is one, else /.
  Self working_dir(std::string path) && {
    return this->set(sandbox_.command.exec.working_dir, std::move(path));
  }
  /// "name", "uid" or "uid:gid".
  Self user(std::string value) && {
    return this->set(sandbox_.command.exec.user, std::move(value));
  }
  /// Output to these functions instead of the console; input from VmHandle::main_process().
  Self on_output(OutputHandlers handlers) && {
    sandbox_.command.exec.stdin_open = true;
    return this->set(sandbox_.command.output, std::optional(std::move(handlers)));
  }
  /// Gives the command a terminal of its own; its output is on_stdout of on_output(). Without
  /// on_output() the console is its terminal, and gets this size.
  Self pty(PtySize size) && { return this->set(sandbox_.command.exec.pty, std::optional(size)); }
  /// A kernel and initrd of one's own instead of the prepared ones; its init must be the agent.
  Self guest(GuestAssets assets) && {
    return this->set(sandbox_.assets, std::optional(std::move(assets)));
  }

  /// Boots the guest, mounts the shares and starts the command. Done once the machine runs; see
  /// VmHandle::main_process() and VmHandle::wait().
  future<VmHandle> build() && requires HasCommand {
    return build_sandbox(std::move(this->runtime_), std::move(this->config_), std::move(sandbox_));
  }

 private:
  template <bool>
  friend class BasicSandboxBuilder;

  static future<VmHandle> build_sandbox(std::shared_ptr<detail::RuntimeImpl> runtime,
                                        VmConfig config, SandboxConfig sandbox);

  BasicSandboxBuilder<true> with_command() && {
    BasicSandboxBuilder<true> next(std::move(this->runtime_));
    next.config_ = std::move(this->config_);
    next.sandbox_ = std::move(sandbox_);
    return next;
  }

  SandboxConfig sandbox_;
};

/// A sandbox's builder before it has been told what to run.
using SandboxBuilder = BasicSandboxBuilder<false>;

/// The agent of a sandbox by its vsock socket, without the handle of the VM.
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
