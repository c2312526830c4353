#pragma once

#include <capsa/agent_types.hpp>
#include <capsa/future.hpp>
#include <capsa/stream_reader.hpp>
#include <filesystem>
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
  std::function<void(std::string_view)> on_stdout;  ///< bytes as they come, not lines
  std::function<void(std::string_view)> on_stderr;  ///< not with a terminal or `merge_stderr`
};

/// What Agent::exec gives.
struct ExecResult {
  ExitStatus status;        ///< a program that failed is no error of exec()
  std::string stdout_data;  ///< at most 256 MiB
  std::string stderr_data;  ///< the same
  friend bool operator==(const ExecResult&, const ExecResult&) = default;
};

/// A process in the guest, started by this program. Copyable handle; thread-safe. Dropping the last
/// one does not end the process. Where the connection to the agent breaks, the agent kills what was
/// started over it, with the whole session of each process, and wait() ends with ConnectionClosed.
class Process {
 public:
  /// Process id in the guest.
  std::int64_t pid() const noexcept;
  /// Writes to its standard input; done once the guest's agent has room for it, so that a writer
  /// that waits for each future is held back with the process. ConnectionClosed after its end.
  future<void> write_stdin(std::string bytes) const;
  /// It reads end-of-file behind what was written before.
  future<void> close_stdin() const;
  /// kill(2) to its process group.
  future<void> signal(int signal_number) const;
  /// Of the terminal that ExecSpec::pty gave it.
  future<void> resize(PtySize size) const;
  /// Any number of callers, at any time, all get the same.
  future<ExitStatus> wait() const;

  /// Made by AgentClient::start() and open(), and by VmHandle::main_process().
  explicit Process(std::shared_ptr<detail::ProcessImpl> impl) : impl_(std::move(impl)) {}

 private:
  std::shared_ptr<detail::ProcessImpl> impl_;
};

/// A process whose output is read. A stream that nobody reads holds the process back once it has
/// written 256 KiB; one whose reader is dropped is discarded. Process::wait() does not wait for the
/// readers: what they have not read is still there after it, until the VM ends.
struct ProcessStreams {
  Process process;             ///< to write to it, end it and wait for it
  StreamReader stdout_reader;  ///< standard output, or all that comes over a terminal
  StreamReader stderr_reader;  ///< at its end from the start with a terminal or `merge_stderr`
};

/// Talks to the agent in a guest. Requests run side by side. Copyable handle; keeps its VM alive;
/// thread-safe. Errors of the guest's kernel are GuestError with error::guest_errno().
///
/// Where the connection to the agent breaks while the VM runs (VmEvent::Kind::AgentLost), requests
/// under way end with ConnectionClosed, later ones wait for the next session (AgentReady), and with
/// AgentUnavailable once the agent has not come back within seconds. The handle stays good.
class AgentClient {
 public:
  /// Done when it has answered. Sets the guest's clock where that is off by more than a second.
  future<void> ping() const;
  /// What the guest says about itself now.
  future<GuestInfo> info() const;

  /// Runs a shell line to its end and collects its output.
  future<ExecResult> exec(std::string shell_line,
                          std::map<std::string, std::string> environment = {}) const;
  /// The same for any program. It has no input. ResourceExhausted where it prints more than 256
  /// MiB.
  future<ExecResult> exec(ExecSpec spec) const;
  /// Starts a process; its output goes to the handlers.
  future<Process> start(ExecSpec spec, OutputHandlers handlers = {}) const;
  /// Starts a process; its output waits for who reads it.
  future<ProcessStreams> open(ExecSpec spec) const;

  /// At most 256 MiB, else ResourceExhausted: read what is larger chunk by chunk.
  future<std::string> read_file(std::string path) const;
  /// Any size, chunk by chunk, on the callback thread; gives the number of bytes.
  future<std::uint64_t> read_file(std::string path,
                                  std::function<void(std::string_view)> on_chunk) const;
  /// Replaces the file in one step: a reader sees the old content or all of the new.
  future<void> write_file(std::string path, std::string content, unsigned mode = 0644) const;
  /// False, too, for a symbolic link that leads nowhere.
  future<bool> exists(std::string path) const;
  /// GuestError (ENOENT) where there is nothing of that name.
  future<FileStat> stat(std::string path, bool follow_symlinks = true) const;
  /// Sorted by name.
  future<std::vector<DirEntry>> list_dir(std::string path) const;
  /// With `parents`, missing directories above it are made (0755) and one that is there already is
  /// no error. `mode` is meant as it is: no umask narrows it.
  future<void> mkdir(std::string path, bool parents = true, unsigned mode = 0755) const;
  /// A file, a link or an empty directory; with `recursive` also a directory with all that is in
  /// it. Links are removed and not followed; GuestError (EBUSY) where another file system is
  /// mounted.
  future<void> remove(std::string path, bool recursive = false) const;
  /// Replaces what is at `to`, in one step. GuestError (EXDEV) across file systems.
  future<void> rename(std::string from, std::string to) const;
  /// Copies a file, or a directory with all that is in it, into the guest, piece by piece.
  /// `guest_path` is what the copy is called there: a file or link of that name is replaced in one
  /// step, a directory is added to, missing directories above it are made. Permissions and times of
  /// modification are kept; those of directories that were there, and set-id bits, are not. Owner
  /// is who writes: root in the guest, the program's user on the host. Symbolic links are copied as
  /// links and nowhere followed, but for `host_path` itself. At most 128 directories deep, else
  /// UnsupportedFeature. Errors name the path; what was copied before one stays.
  future<CopyStats> copy_to(std::filesystem::path host_path, std::string guest_path,
                            CopyOptions options = {}) const;
  /// The same, from the guest. Whatever the guest sends, nothing is written but `host_path` and
  /// what lies below it; links that point elsewhere are still made, so look before you follow one.
  future<CopyStats> copy_from(std::string guest_path, std::filesystem::path host_path,
                              CopyOptions options = {}) const;
  /// Ends the processes, syncs the filesystems and powers the guest off.
  future<void> shutdown() const;

  /// Made by VmHandle::agent() and sandbox::wait_ready().
  explicit AgentClient(std::shared_ptr<detail::AgentImpl> impl) : impl_(std::move(impl)) {}

 private:
  friend struct detail::HandleAccess;
  std::shared_ptr<detail::AgentImpl> impl_;
};

}  // namespace capsa
