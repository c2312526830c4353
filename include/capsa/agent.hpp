#pragma once

#include <capsa/agent_types.hpp>
#include <capsa/future.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace capsa {

namespace detail {
class AgentImpl;
class ProcessImpl;
struct HandleAccess;
}  // namespace detail

/// What a process of the guest writes, as it comes. The functions run on the runtime's callback
/// thread, one at a time; while one runs, the guest's process is held back once its window (256
/// KiB) is full. Leave one empty to have that stream discarded.
struct OutputHandlers {
  std::function<void(std::string_view)> on_stdout;
  std::function<void(std::string_view)> on_stderr;
};

/// What Agent::exec gives.
struct ExecResult {
  ExitStatus status;
  std::string stdout_data;
  std::string stderr_data;
  friend bool operator==(const ExecResult&, const ExecResult&) = default;
};

/// A process in the guest, started by this program. Copyable handle; thread-safe. Dropping the last
/// one does not end the process.
class Process {
 public:
  /// Process id in the guest.
  std::int64_t pid() const noexcept;
  /// Writes to its standard input; done once the guest's agent has room for it, so that a writer
  /// that waits for each future is held back with the process. ConnectionClosed after its end.
  future<void> write_stdin(std::string bytes) const;
  future<void> close_stdin() const;
  /// kill(2) to its process group.
  future<void> signal(int signal_number) const;
  future<void> resize(PtySize size) const;
  /// Any number of callers, at any time, all get the same.
  future<ExitStatus> wait() const;

  explicit Process(std::shared_ptr<detail::ProcessImpl> impl) : impl_(std::move(impl)) {}

 private:
  std::shared_ptr<detail::ProcessImpl> impl_;
};

/// Talks to the agent in a guest. Requests run side by side. Copyable handle; keeps its VM alive;
/// thread-safe. Errors of the guest's kernel are GuestError with error::guest_errno().
class AgentClient {
 public:
  future<void> ping() const;
  future<GuestInfo> info() const;

  /// Runs a shell line to its end and collects its output.
  future<ExecResult> exec(std::string shell_line,
                          std::map<std::string, std::string> environment = {}) const;
  future<ExecResult> exec(ExecSpec spec) const;
  /// Starts a process; its output goes to the handlers.
  future<Process> start(ExecSpec spec, OutputHandlers handlers = {}) const;

  /// At most 256 MiB, else ResourceExhausted: read what is larger chunk by chunk.
  future<std::string> read_file(std::string path) const;
  /// Any size, chunk by chunk, on the callback thread; gives the number of bytes.
  future<std::uint64_t> read_file(std::string path,
                                  std::function<void(std::string_view)> on_chunk) const;
  /// Replaces the file in one step: a reader sees the old content or all of the new.
  future<void> write_file(std::string path, std::string content, unsigned mode = 0644) const;
  future<bool> exists(std::string path) const;
  future<FileStat> stat(std::string path, bool follow_symlinks = true) const;
  /// Sorted by name.
  future<std::vector<DirEntry>> list_dir(std::string path) const;
  future<void> mkdir(std::string path, bool parents = true, unsigned mode = 0755) const;
  future<void> remove(std::string path, bool recursive = false) const;
  future<void> rename(std::string from, std::string to) const;
  /// Ends the processes, syncs the filesystems and powers the guest off.
  future<void> shutdown() const;

  explicit AgentClient(std::shared_ptr<detail::AgentImpl> impl) : impl_(std::move(impl)) {}

 private:
  friend struct detail::HandleAccess;
  std::shared_ptr<detail::AgentImpl> impl_;
};

}  // namespace capsa
