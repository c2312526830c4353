#include <signal.h>
#include <unistd.h>

#include <tools/cli/console_session.hpp>
#include <tools/cli/report.hpp>

namespace capsa::cli {
namespace {

/// Ctrl-], as in telnet(1): no shell and no editor needs it.
constexpr char kLeave = '\x1d';
/// For the console's last bytes, once the VM has ended.
constexpr std::chrono::seconds kDrain(2);

RuntimeOptions runtime_options(const VmOptions& options) {
  RuntimeOptions out;
  out.log_level = options.log_level;
  return out;
}

}  // namespace

// The loop comes before the runtime: threads of the runtime inherit the blocked signals.
ConsoleSession::ConsoleSession(VmOptions options)
    : options_(std::move(options)),
      loop_({SIGINT, SIGTERM, SIGHUP, SIGCONT, SIGWINCH}, [this](int s) { on_signal(s); }),
      post_(loop_.poster()),
      stdout_(STDOUT_FILENO, cancel_,
              [this](int why) { post_([this, why] { on_output_failure(why); }); }),
      runtime_(runtime_options(options_)) {}

int ConsoleSession::run() {
  build();
  const int status = loop_.run();
  terminal_.reset();
  loop_.let_signals_through();
  // First what may hold up the threads that the runtime joins, then what may hold up our own.
  cancel_.cancel();
  runtime_.shutdown();
  input_.reset();
  if (output_) output_->join();
  return status;
}

void ConsoleSession::build() {
  auto builder = std::visit([this](const auto& boot) { return runtime_.vm(boot); }, options_.boot);
  builder = std::move(builder)
                .cpus(options_.vm.resources.cpus)
                .memory_mb(options_.vm.resources.memory_mb)
                .backend(options_.vm.backend)
                .accelerator(options_.vm.accelerator)
                .console_enabled();
  for (auto& share : options_.vm.shares)
    builder = std::move(builder).share(share);
  for (auto& disk : options_.vm.disks)
    builder = std::move(builder).disk(disk);
  if (options_.vm.nested) builder = std::move(builder).nested_virtualization();
  builder = std::move(builder).network(options_.vm.network);
  for (auto& port : options_.vm.vsock_ports)
    builder = std::move(builder).vsock(port);
  for (auto& word : options_.arguments)
    builder = std::move(builder).cmdline_flag(word);
  if (options_.command_line) builder = std::move(builder).cmdline_override(*options_.command_line);
  static_cast<void>(std::move(builder).build().then(
      [this](result<VmHandle> vm) { post_([this, vm = std::move(vm)] { on_built(vm); }); }));
}

void ConsoleSession::on_built(result<VmHandle> vm) {
  if (!vm) return fail(vm.error());
  vm_ = *vm;
  static_cast<void>(vm_->start().then(
      [this](result<void> running) { post_([this, running] { on_running(running); }); }));
}

void ConsoleSession::on_running(const result<void>& running) {
  if (!running) return fail(running.error());
  for (const auto& socket : vm_->vsock_sockets()) {
    say("vsock port " + std::to_string(socket.port()) +
        (socket.connects() ? " (host connects): " : " (guest connects): ") +
        socket.path().string());
  }
  static_cast<void>(vm_->console().then([this](result<Console> console) {
    post_([this, console = std::move(console)] { on_console(console); });
  }));
  static_cast<void>(vm_->wait().then([this](result<std::optional<int>> code) {
    post_([this, code = std::move(code)] { on_end(code); });
  }));
}

void ConsoleSession::on_console(result<Console> console) {
  if (!console) return fail(console.error());
  console_ = *console;
  auto [reader, writer] = console->split();
  output_.emplace([this, reader = std::move(reader)]() mutable {
    for (auto bytes = reader.read().result(); bytes && !bytes->empty();
         bytes = reader.read().result()) {
      stdout_.write(*bytes);
    }
    post_([this] { on_drained(); });
  });
  if (auto raw = RawTerminal::enter()) {
    say("this is the VM's console; Ctrl-] ends the VM");
    terminal_.emplace(*std::move(raw));
    on_resize();
  }
  const bool keys = terminal_.has_value();
  input_.emplace(
      STDIN_FILENO, cancel_,
      [this, keys, writer = std::move(writer)](std::string bytes) mutable {
        const auto leave_at = keys ? bytes.find(kLeave) : std::string::npos;
        if (leave_at != std::string::npos) bytes.resize(leave_at);
        const bool written = bytes.empty() || writer.write(std::move(bytes)).result().ok();
        if (leave_at != std::string::npos) post_([this] { leave(); });
        return written && leave_at == std::string::npos;
      },
      // A console has no end of input: the VM goes on without any.
      [] {});
}

void ConsoleSession::leave() {
  left_ = true;
  static_cast<void>(vm_->kill());
}

void ConsoleSession::on_end(result<std::optional<int>> code) {
  code_ = std::move(code);
  if (drained_ || !output_) return finish();
  loop_.after(kDrain, [this] { finish(); });
}

void ConsoleSession::on_drained() {
  drained_ = true;
  if (code_) finish();
}

void ConsoleSession::on_signal(int signal_number) {
  if (signal_number == SIGWINCH) return on_resize();
  if (signal_number == SIGCONT) {
    if (terminal_) terminal_->reenter();
    return on_resize();
  }
  const bool again = signal_ != 0;
  signal_ = signal_number;
  if (!vm_ || again) return loop_.quit(128 + signal_number);
  static_cast<void>(vm_->stop());
}

/// A machine whose console has no size leaves the guest's as it is.
void ConsoleSession::on_resize() {
  if (!terminal_ || !console_) return;
  if (const auto size = terminal_size()) static_cast<void>(console_->resize(*size));
}

void ConsoleSession::on_output_failure(int why) {
  if (why == EPIPE) return loop_.quit(128 + SIGPIPE);
  fail(error_from_errno(why, "write to standard output"));
}

void ConsoleSession::finish() {
  terminal_.reset();
  if (signal_ != 0) return loop_.quit(128 + signal_);
  if (left_) return loop_.quit(0);
  if (!*code_) return fail(code_->error());
  loop_.quit((*code_)->value_or(128 + SIGKILL));
}

void ConsoleSession::fail(const error& what) {
  terminal_.reset();
  loop_.quit(report(what));
}

}  // namespace capsa::cli
