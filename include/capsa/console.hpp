#pragma once

#include <capsa/agent_types.hpp>
#include <capsa/detail/unique_fd.hpp>
#include <capsa/future.hpp>
#include <capsa/stream_reader.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace capsa {

/// What wait_for and wait_for_any give.
struct ConsoleMatch {
  std::string text;        ///< everything from the reader's position through the match
  std::size_t which = 0;   ///< index of the pattern that matched
  std::uint64_t lost = 0;  ///< bytes that the bounded buffer dropped before `text`
  friend bool operator==(const ConsoleMatch&, const ConsoleMatch&) = default;
};

/// What Console::exec gives.
struct ConsoleOutput {
  std::string output;  ///< of both streams, without echo and prompt
  int status = 0;      ///< as the shell's $?
  friend bool operator==(const ConsoleOutput&, const ConsoleOutput&) = default;
};

namespace detail {
class ConsoleImpl;
struct HandleAccess;
}  // namespace detail

/// Reads what the guest writes, from where the console stood when split() was called. Ends when the
/// VM does. What comes once a file descriptor is closed is left to others; what it held by then is
/// gone with it.
using ConsoleReader = StreamReader;

/// Writes to the guest.
class ConsoleWriter {
 public:
  /// Done once the bytes are handed to the guest's machine.
  future<void> write(std::string bytes);
  /// A file descriptor whose writes reach the guest. Owned by this writer; made at the first call.
  result<int> fd();

 private:
  friend class Console;
  explicit ConsoleWriter(std::shared_ptr<detail::ConsoleImpl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<detail::ConsoleImpl> impl_;
  std::shared_ptr<UniqueFd> fd_;
};

/// A VM's console: bytes, not lines. There is one reader position; every read moves it. Output is
/// kept in a bounded buffer (1 MiB); what it drops is counted. If the VM ends while somebody waits,
/// the wait ends with VmEnded and the console's last lines. Operations without a time-out of their
/// own are bounded by the VM's. One that times out ends with Timeout and the last lines, and leaves
/// the output where it was; a time-out of 0 or less only looks at what is there. Who asks first is
/// served first, and a time-out counts from the call. Copyable handle; thread-safe.
class Console {
 public:
  ///@{
  /// Everything through the first occurrence of `pattern`; what follows is kept. InvalidConfig for
  /// an empty pattern, and for one that is longer than the buffer.
  future<std::string> wait_for(std::string pattern);
  future<std::string> wait_for_timeout(std::string pattern, std::chrono::milliseconds timeout);
  ///@}
  ///@{
  /// Whichever pattern is complete first in the stream; of several that end at the same byte the
  /// one that stands first in the list.
  future<ConsoleMatch> wait_for_any(std::vector<std::string> patterns);
  future<ConsoleMatch> wait_for_any(std::vector<std::string> patterns,
                                    std::chrono::milliseconds timeout);
  ///@}
  /// What is there now; empty where nothing is.
  future<std::string> read_available();

  /// Tells the guest how large the terminal is that shows the console, until the VM ends; it is 80
  /// by 24 at first. What runs there gets a SIGWINCH. InvalidConfig for a size of 0, NotRunning
  /// where the VM does not run, UnsupportedFeature on QEMU, whose consoles have no size.
  future<void> resize(PtySize size);

  ///@{
  /// Done once the bytes are handed to the guest's machine. write_line() adds a "\n". NotRunning
  /// unless the VM runs, ResourceExhausted with more than 16 MiB that the guest has not read.
  future<void> write(std::string bytes);
  future<void> write_str(std::string text) { return write(std::move(text)); }
  future<void> write_line(std::string text) { return write(std::move(text) + "\n"); }
  ///@}

  /// Runs a command in the POSIX shell that waits at the console and gives its output (without echo
  /// and prompt, line ends as "\n") and its status. A command that takes longer is interrupted;
  /// with a time-out of 0 or less none is begun.
  future<ConsoleOutput> exec(std::string command, std::chrono::milliseconds timeout);
  /// Sends a line and gives what came before the next `prompt`, without the echo of the line.
  future<std::string> run_command(std::string command, std::string prompt);

  future<void> send_interrupt() { return write("\x03"); }  ///< Ctrl-C
  future<void> send_eof() { return write("\x04"); }        ///< Ctrl-D

  /// Logs in at a login prompt, or finds an open shell. LoginFailed where the guest refuses.
  future<void> login(std::string user, std::optional<std::string> password = std::nullopt);

  /// A reader and a writer that can be used apart, each with futures or as a file descriptor.
  /// Nothing is lost: the reader starts at this console's position.
  std::pair<ConsoleReader, ConsoleWriter> split();

  /// Made by VmHandle::console().
  explicit Console(std::shared_ptr<detail::ConsoleImpl> impl) : impl_(std::move(impl)) {}

 private:
  friend struct detail::HandleAccess;
  std::shared_ptr<detail::ConsoleImpl> impl_;
};

}  // namespace capsa
