#pragma once

#include <capsa/capsa.hpp>
#include <optional>
#include <string>
#include <thread>
#include <tools/cli/main_loop.hpp>
#include <tools/cli/output.hpp>
#include <tools/cli/pump.hpp>
#include <tools/cli/terminal.hpp>

namespace capsa::cli {

struct VmOptions {
  BootConfig boot;
  VmConfig vm;                              ///< resources, shares, ports, backend and accelerator
  std::vector<std::string> arguments;       ///< words added to the kernel's command line
  std::optional<std::string> command_line;  ///< replaces it
  LogLevel log_level = LogLevel::Warning;
};

/// One `capsa vm`: a VM whose console is on our standard streams. Everything but moving bytes
/// happens on the main thread.
class ConsoleSession {
 public:
  explicit ConsoleSession(VmOptions options);
  int run();

 private:
  void build();
  void on_built(result<VmHandle> vm);
  void on_running(const result<void>& running);
  void on_console(result<Console> console);
  void on_end(result<std::optional<int>> code);
  void on_drained();
  void on_signal(int signal_number);
  void on_resize();
  void on_output_failure(int why);
  void leave();
  void finish();
  void fail(const error& what);

  VmOptions options_;
  MainLoop loop_;
  std::function<void(MainLoop::Work)> post_;
  Cancel cancel_;
  Output stdout_;
  Runtime runtime_;
  std::optional<VmHandle> vm_;
  std::optional<Console> console_;
  std::optional<RawTerminal> terminal_;
  std::optional<Pump> input_;
  std::optional<std::thread> output_;
  std::optional<result<std::optional<int>>> code_;  ///< once the VM has ended
  bool drained_ = false;                            ///< all of the console is written
  bool left_ = false;
  int signal_ = 0;
};

}  // namespace capsa::cli
