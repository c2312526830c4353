#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <tools/cli/report.hpp>
#include <tools/cli/run_session.hpp>

namespace capsa::cli {
namespace {

using std::chrono::seconds;

/// What a command gets to clean up in, once it was told to end.
constexpr seconds kPatience(2);
/// Who asks a command to end for the third time wants it gone, whatever it does about that.
constexpr unsigned kInsists = 3;
/// What the guest gets to power off in, once its command has ended.
constexpr seconds kPowerOff(5);
/// Where a VM has ended, what its command's own status gets to arrive in.
constexpr seconds kStatusArrives(1);
/// Where a command was lost, what the end of its VM, which says more, gets to arrive in.
constexpr seconds kEndArrives(kStatusArrives + seconds(1));
/// From an answer of the agent to the next question.
constexpr seconds kBetweenPings(5);

RuntimeOptions runtime_options(const RunOptions& options) {
  RuntimeOptions out;
  out.log_level = options.log_level;
  return out;
}

}  // namespace

// The loop comes before the runtime: threads of the runtime inherit the blocked signals.
RunSession::RunSession(RunOptions options)
    : options_(std::move(options)),
      loop_({SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT},
            [this](int s) { on_signal(s); }),
      post_(loop_.poster()),
      stdout_(STDOUT_FILENO, cancel_,
              [this](int why) { post_([=, this] { on_output_failure(STDOUT_FILENO, why); }); }),
      stderr_(STDERR_FILENO, cancel_,
              [this](int why) { post_([=, this] { on_output_failure(STDERR_FILENO, why); }); }),
      runtime_(runtime_options(options_)) {}

int RunSession::run() {
  if (options_.timeout) loop_.after(*options_.timeout, [this] { on_timeout(); });
  build();
  const int status = loop_.run();
  // From here on a signal ends this program at once; whatever it leaves, its helpers clean up.
  terminal_.reset();
  loop_.let_signals_through();
  // First what may hold up the thread that the runtime joins, then what may hold up our own.
  cancel_.cancel();
  runtime_.shutdown();
  input_.reset();
  return status;
}

void RunSession::build() {
  auto sandbox = runtime_.sandbox();
  sandbox = std::move(sandbox)
                .cpus(options_.vm.resources.cpus)
                .memory_mb(options_.vm.resources.memory_mb)
                .backend(options_.vm.backend)
                .network(options_.vm.network)
                .accelerator(options_.vm.accelerator);
  if (options_.vm.nested) sandbox = std::move(sandbox).nested_virtualization();
  if (options_.guest) sandbox = std::move(sandbox).guest(*options_.guest);
  for (auto& share : options_.vm.shares)
    sandbox = std::move(sandbox).share(share);
  for (auto& disk : options_.vm.disks)
    sandbox = std::move(sandbox).disk(disk);
  const auto& words = options_.command;
  auto command =
      options_.image
          ? std::move(sandbox).oci(options_.image->reference, words, options_.image->options)
          : std::move(sandbox).run(words.front(), {words.begin() + 1, words.end()});
  if (options_.pty) {
    if (const char* term = std::getenv("TERM")) command = std::move(command).env("TERM", term);
    command = std::move(command).pty(terminal_size().value_or(PtySize{}));
  }
  for (auto& [key, value] : options_.env)
    command = std::move(command).env(key, value);
  if (!options_.working_dir.empty()) command = std::move(command).working_dir(options_.working_dir);
  if (!options_.user.empty()) command = std::move(command).user(options_.user);
  command =
      std::move(command).on_output({[this](std::string_view bytes) { stdout_.write(bytes); },
                                    [this](std::string_view bytes) { stderr_.write(bytes); }});
  static_cast<void>(std::move(command).build().then(
      [this](result<VmHandle> vm) { post_([this, vm = std::move(vm)] { on_built(vm); }); }));
}

void RunSession::tell_ports() {
  const auto* nat = options_.vm.network.get_if<UserNatConfig>();
  if (nat == nullptr) return;
  const bool unknown = std::any_of(nat->port_forwards.begin(), nat->port_forwards.end(),
                                   [](const PortForward& one) { return one.host_port == 0; });
  // Who has named all ports wants to hear of them only when asked for.
  if (nat->port_forwards.empty() || (!unknown && options_.log_level > LogLevel::Info)) return;
  static_cast<void>(vm_->network().then([](result<VmNetwork> network) {
    if (!network) return;
    static_cast<void>(network->forwards().then([](result<std::vector<PortForward>> forwards) {
      if (!forwards) return;
      for (const auto& one : *forwards)
        std::fprintf(stderr, "capsa: published %s\n", to_string(one).c_str());
    }));
  }));
}

/// Long before the command runs, which waits for the guest to boot.
void RunSession::log_flows() {
  if (options_.flow_log.empty()) return;
  static_cast<void>(vm_->network().then([this](result<VmNetwork> network) {
    if (!network) return;
    static_cast<void>(network->log_flows(options_.flow_log).then([this](result<void> opened) {
      if (opened) return;
      post_([this, why = opened.error()] { fail(why, kOwnFailure); });
    }));
  }));
}

void RunSession::on_built(result<VmHandle> vm) {
  if (!vm) return fail(vm.error(), status_of_failed_start(vm.error()));
  vm_ = *vm;
  tell_ports();
  log_flows();
  static_cast<void>(vm_->main_process().then([this](result<Process> process) {
    post_([this, process = std::move(process)] { on_started(process); });
  }));
  static_cast<void>(vm_->wait().then([this](result<std::optional<int>> code) {
    post_([this, code = std::move(code)] { on_vm_end(code); });
  }));
}

void RunSession::on_started(result<Process> process) {
  if (!process) return fail(process.error(), status_of_failed_start(process.error()));
  process_ = *process;
  // Continuations come after the output that was there before: both use one thread.
  static_cast<void>(process_->wait().then([this](result<ExitStatus> status) {
    post_([this, status = std::move(status)] { on_exit(status); });
  }));
  if (options_.pty) {
    if (auto raw = RawTerminal::enter()) terminal_.emplace(*std::move(raw));
    on_resize();  // it may have changed while the guest booted
  }
  pump_input();
  if (options_.silence) {
    answered_ = std::chrono::steady_clock::now();
    ask_for_life();
    watch_silence();
  }
  for (const int signal_number : early_signals_)
    static_cast<void>(process_->signal(signal_number));
  if (broken_pipe_) end_by_signal(SIGPIPE, 128 + SIGPIPE);
  if (timed_out_) end_by_signal(SIGTERM, kTimedOut);
}

void RunSession::pump_input() {
  input_.emplace(
      STDIN_FILENO, cancel_,
      [process = *process_](std::string bytes) {
        return process.write_stdin(std::move(bytes)).result().ok();
      },
      // A command that has ended needs no end of its input.
      [process = *process_] { static_cast<void>(process.close_stdin().result()); });
}

void RunSession::ask_for_life() {
  static_cast<void>(vm_->agent().then([this](result<AgentClient> agent) {
    if (!agent) return post_([this] { heard_of_agent(false); });
    static_cast<void>(agent->ping().then([this](result<void> answer) {
      post_([this, alive = answer.ok()] { heard_of_agent(alive); });
    }));
  }));
}

void RunSession::heard_of_agent(bool alive) {
  if (alive) answered_ = std::chrono::steady_clock::now();
  loop_.after(kBetweenPings, [this] { ask_for_life(); });
}

void RunSession::watch_silence() {
  loop_.after(kBetweenPings, [this] {
    if (status_) return;
    if (std::chrono::steady_clock::now() - answered_ < *options_.silence) return watch_silence();
    fail({ErrorCode::Timeout, "the guest hangs: its agent has given no answer for " +
                                  std::to_string(options_.silence->count()) + " s"},
         kOwnFailure);
  });
}

void RunSession::on_exit(const result<ExitStatus>& status) {
  if (!status) {
    loop_.after(kEndArrives, [this, why = status.error()] { fail(why, kOwnFailure); });
    return;
  }
  status_ = timed_out_ || status->timed_out ? kTimedOut : status->shell_status();
  terminal_.reset();
  loop_.after(kPowerOff, [this] { quit(*status_); });
}

void RunSession::on_vm_end(result<std::optional<int>> code) {
  if (status_) return quit(*status_);
  loop_.after(kStatusArrives, [this, code = std::move(code)] {
    if (status_) return quit(*status_);
    if (!code) return fail(code.error(), kOwnFailure);
    quit(code->value_or(128 + SIGKILL));
  });
}

void RunSession::on_signal(int signal_number) {
  if (signal_number == SIGWINCH) return on_resize();
  if (signal_number == SIGCONT) {
    if (terminal_) terminal_->reenter();
    return on_resize();
  }
  const bool ends = signal_number == SIGINT || signal_number == SIGTERM || signal_number == SIGQUIT;
  if (ends) ++signals_;
  if (status_) return quit(*status_);
  const bool informs = signal_number == SIGUSR1 || signal_number == SIGUSR2;
  if (!process_ && informs) return early_signals_.push_back(signal_number);
  if (!process_ || (ends && signals_ >= kInsists)) return quit(128 + signal_number);
  static_cast<void>(process_->signal(signal_number));
}

void RunSession::on_resize() {
  if (!options_.pty || !process_) return;
  if (const auto size = terminal_size()) static_cast<void>(process_->resize(*size));
}

void RunSession::on_output_failure(int fd, int why) {
  if (why != EPIPE) {
    return fail(error_from_errno(why, fd == STDOUT_FILENO ? "write to standard output"
                                                          : "write to standard error"),
                kOwnFailure);
  }
  // What the kernel does to a program on this host that writes where nobody reads.
  broken_pipe_ = true;
  if (process_) end_by_signal(SIGPIPE, 128 + SIGPIPE);
}

void RunSession::on_timeout() {
  timed_out_ = true;
  if (status_) return;
  if (!process_) return quit(kTimedOut);
  end_by_signal(SIGTERM, kTimedOut);
}

void RunSession::end_by_signal(int signal_number, int status) {
  static_cast<void>(process_->signal(signal_number));
  loop_.after(kPatience, [this, status] {
    if (!status_) quit(status);
  });
}

void RunSession::fail(const error& what, int status) {
  terminal_.reset();
  report(what);
  quit(status);
}

void RunSession::quit(int status) {
  terminal_.reset();
  loop_.quit(status);
}

}  // namespace capsa::cli
