#pragma once

#include <capsa/capsa.hpp>
#include <memory>
#include <optional>
#include <string>
#include <tools/cli/main_loop.hpp>
#include <tools/cli/output.hpp>
#include <tools/cli/pump.hpp>
#include <tools/cli/terminal.hpp>
#include <vector>

namespace capsa::cli {

struct RunOptions {
  VmConfig vm;                       ///< resources, shares, backend, accelerator and nested count
  std::optional<GuestAssets> guest;  ///< instead of the one that find_guest() gives
  std::optional<OciImage> image;     ///< the root; pulled already
  std::vector<std::string> command;  ///< with an image maybe none
  std::vector<std::pair<std::string, std::string>> env;
  std::string working_dir;
  std::string user;
  std::string flow_log;                              ///< a file; empty: none
  std::optional<std::chrono::milliseconds> timeout;  ///< from now on, booting included
  /// How long the guest's agent may owe an answer before the guest counts as hung; none: for ever.
  std::optional<std::chrono::seconds> silence;
  bool pty = false;
  LogLevel log_level = LogLevel::Warning;
};

/// One `capsa run`: a sandbox whose command has our standard streams, our signals, and whose exit
/// status is ours. Everything but output happens on the main thread.
class RunSession {
 public:
  explicit RunSession(RunOptions options);
  int run();

 private:
  void build();
  void on_built(result<VmHandle> vm);
  void tell_ports();
  void log_flows();
  void on_started(result<Process> process);
  void on_exit(const result<ExitStatus>& status);
  void on_vm_end(result<std::optional<int>> code);
  void on_signal(int signal_number);
  void on_output_failure(int fd, int why);
  void on_timeout();
  void on_resize();
  void pump_input();
  void ask_for_life();
  void heard_of_agent(bool alive);
  void watch_silence();
  /// Sends a signal, and quits with `status` if the command does not end soon.
  void end_by_signal(int signal_number, int status);
  void fail(const error& what, int status);
  void quit(int status);

  RunOptions options_;
  MainLoop loop_;
  std::function<void(MainLoop::Work)> post_;
  Cancel cancel_;
  Output stdout_;
  Output stderr_;
  Runtime runtime_;
  std::optional<VmHandle> vm_;
  std::optional<Process> process_;
  std::optional<RawTerminal> terminal_;
  std::optional<Pump> input_;
  std::optional<int> status_;       ///< once the command has ended
  unsigned signals_ = 0;            ///< that ask to end
  std::vector<int> early_signals_;  ///< for a command that does not run yet
  bool broken_pipe_ = false;
  bool timed_out_ = false;
  std::chrono::steady_clock::time_point answered_;  ///< by the agent, at last
};

}  // namespace capsa::cli
