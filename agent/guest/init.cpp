#include <fcntl.h>
#include <signal.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <unistd.h>

#include <agent/guest/child.hpp>
#include <agent/guest/console_shell.hpp>
#include <agent/guest/early.hpp>
#include <agent/guest/event_loop.hpp>
#include <agent/guest/guest_services.hpp>
#include <agent/guest/init.hpp>
#include <agent/guest/init_platform.hpp>
#include <agent/guest/power_button.hpp>
#include <agent/guest/proc_text.hpp>
#include <agent/guest/server.hpp>
#include <agent/guest/signals.hpp>
#include <memory>

namespace capsa::agent::guest {

namespace {

// From a button or a signal: nobody waits with a deadline of their own.
constexpr std::chrono::milliseconds kGrace{10'000};

bool exists(const char* path) {
  struct stat status {};
  return ::stat(path, &status) == 0;
}

class Init {
 public:
  void run();

 private:
  void begin_serving();
  void on_signal(int signo);
  ShutdownSteps shutdown_steps();

  EventLoop loop_;
  Reaper reaper_;
  ShutdownSequence shutdown_{loop_, shutdown_steps()};
  InitPlatform platform_{shutdown_};
  GuestServices services_{platform_, reaper_};
  Server server_{loop_, services_};
  ConsoleShell shell_{loop_, reaper_};
  std::unique_ptr<PowerButton> button_;
};

void Init::run() {
  // The host waits for the connection, so what vsock needs comes first and the connection is on its
  // way while the rest is made. Nothing is served before the loop runs, so nobody sees half of it.
  mount_first();
  ::chdir("/");
  const Signals signals(loop_, {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGPWR, SIGUSR1, SIGUSR2},
                        [this](int signo) { on_signal(signo); });
  raise_file_limit();
  const auto modules = parse_modules(read_text("/etc/capsa/modules"));
  if (!modules.empty()) load_modules(modules.front());
  begin_serving();
  mount_rest();
  bring_up_loopback();
  fill_resolv_conf();
  for (std::size_t group = 1; group < modules.size(); ++group)
    load_modules(modules[group]);

  ::reboot(RB_DISABLE_CAD);  // ctrl-alt-del is a SIGINT for us instead of a reset
  button_ = std::make_unique<PowerButton>(loop_, [this] { shutdown_.begin(false, kGrace); });
  const std::string command_line = read_text("/proc/cmdline");
  if (command_line_value(command_line, "capsa.ready").value == "1") {
    constexpr std::string_view kReady = "capsa-agent ready\n";
    const UniqueFd console(::open("/dev/console", O_WRONLY | O_NOCTTY | O_CLOEXEC));
    if (::write(console ? console.get() : STDERR_FILENO, kReady.data(), kReady.size()) < 0)
      log_line("the console takes no text");
  }
  if (command_line_value(command_line, "capsa.shell").value == "1" || exists("/etc/capsa/shell"))
    shell_.start();
  loop_.run();
}

void Init::begin_serving() {
  UniqueFd listener = listen_vsock(kAgentPort);
  if (!listener) return log_line("no vsock: nobody can reach this agent");
  server_.listen(std::move(listener));
  // Tells the host that we are there, without it having to ask again and again. If it does not
  // take the connection it will connect to us when it wants something.
  if (UniqueFd connection = connect_vsock_host(kAgentPort))
    server_.serve_when_connected(std::move(connection));
}

void Init::on_signal(int signo) {
  switch (signo) {
    case SIGCHLD:
      shutdown_.on_children(reaper_.collect());
      return;
    // As other small inits have it, so that poweroff(8) and reboot(8) of the guest work.
    case SIGTERM:
    case SIGINT:
      return shutdown_.begin(true, kGrace);
    case SIGUSR1:
    case SIGUSR2:
    case SIGPWR:
      return shutdown_.begin(false, kGrace);
    default:
      return;
  }
}

ShutdownSteps Init::shutdown_steps() {
  auto steps = machine_shutdown_steps();
  steps.begun = [this] { shell_.stop(); };
  steps.any_left = [this] { return reaper_.collect(); };
  return steps;
}

}  // namespace

int run_as_init() {
  auto init = std::make_unique<Init>();
  init->run();
  return 0;
}

}  // namespace capsa::agent::guest
