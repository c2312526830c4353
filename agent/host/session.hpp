#pragma once

#include <agent/codec.hpp>
#include <agent/limits.hpp>
#include <capsa/agent_types.hpp>
#include <capsa/result.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

namespace capsa::agent {

namespace wire {
class GuestFrame;
class HostFrame;
class Hello;
}  // namespace wire

class PendingRequest;

/// Names a request of one Session; never reused within it. 0: none.
using RequestId = std::uint64_t;

/// Which of a request's byte streams.
enum class Stream : std::uint8_t { Input, Output, Error };

template <class T>
using Callback = std::function<void(result<T>)>;
using BytesCallback = std::function<void(std::span<const std::byte>)>;

/// What the session asks of whoever carries its bytes.
class SessionOutput {
 public:
  virtual ~SessionOutput() = default;
  /// Bytes for the guest, in order. Kept by the callee until they are sent.
  virtual void send(std::span<const std::byte> bytes) = 0;
  /// The guest's Hello came and its major version is ours. Once.
  virtual void on_ready(const AgentVersion& version) = 0;
};

/// What the first frame tells the guest.
struct Greeting {
  bool controlling = true;  ///< may set the clock and prepare the guest; one session per VM
  std::chrono::nanoseconds wall_clock{0};  ///< since 1970 UTC; 0 leaves the guest's clock alone
  std::vector<std::byte> entropy;          ///< fresh random bytes, at most kMaxEntropy are sent
};

/// What a program does, as it does it. Empty functions are not called.
struct ExecEvents {
  std::function<void(std::int64_t pid)> started;
  BytesCallback stdout_data;  ///< also all of a terminal's output
  BytesCallback stderr_data;
  std::function<void(std::size_t)> stdin_room;  ///< so many bytes can be written now, in all
  std::function<void()> stdin_closed;           ///< the program reads no more
  Callback<ExitStatus> done;                    ///< last, exactly once
};

/// First credit: so many bytes come before grant() must be called.
struct ExecWindows {
  std::uint64_t stdout_bytes = kOutputWindow;
  std::uint64_t stderr_bytes = kOutputWindow;
};

struct ReadEvents {
  BytesCallback data;
  Callback<void> done;  ///< last, exactly once
};

struct WriteEvents {
  std::function<void(std::size_t)> room;  ///< so many bytes can be written now, in all
  Callback<void> done;                    ///< last, exactly once
};

/// The host's end of one connection to a guest agent: requests become frames, frames become
/// callbacks. It knows no descriptor, clock or thread. The guest is not trusted: a frame that is
/// malformed, answers what was not asked, or overruns its credit ends the session with
/// agent_protocol, and nothing is buffered beyond one frame and one directory listing.
///
/// Every request's last callback comes exactly once: with the answer, with what the guest refused
/// (guest_error and its errno), or with the error that ended the session. It may come before the
/// call that made the request returns (a request that cannot be sent). Callbacks may make requests,
/// but must not destroy the session. Not thread-safe.
class Session {
 public:
  explicit Session(SessionOutput& output);
  ~Session();  ///< answers what is pending with canceled
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // -- connection

  /// Sends the Hello. Requests may follow at once; the guest handles them after it.
  void start(const Greeting& greeting);
  /// Bytes from the guest. On an error the session has ended: close the connection.
  result<void> feed(std::span<const std::byte> bytes);
  /// The connection broke: answers every pending request with `why`, and every later one too.
  void fail_all(const error& why);
  bool ready() const noexcept { return ready_; }
  bool ended() const noexcept { return end_.has_value(); }
  std::size_t pending() const noexcept { return pending_.size(); }

  // -- requests with one answer

  /// With the time of day the guest's clock is set where it is off by more than a second, as after
  /// a pause.
  RequestId ping(Callback<void> done, std::chrono::nanoseconds wall_clock = {});
  RequestId info(Callback<GuestInfo> done);
  RequestId setup(const SetupSpec& spec, Callback<void> done);
  RequestId exists(const std::string& path, Callback<bool> done);
  RequestId stat(const std::string& path, bool follow, Callback<FileStat> done);
  /// Sorted by name. At most kMaxDirEntries and kMaxDirBytes, else resource_exhausted.
  RequestId list_dir(const std::string& path, Callback<std::vector<DirEntry>> done);
  RequestId mkdir(const std::string& path, bool parents, std::uint32_t mode, Callback<void> done);
  /// Not recursive: a file or an empty directory. Symlinks are removed, never followed, and a
  /// mount point below `path` ends a recursive removal with EBUSY.
  RequestId remove(const std::string& path, bool recursive, Callback<void> done);
  RequestId rename(const std::string& from, const std::string& to, Callback<void> done);
  /// Answered when the guest has begun to go down, not when it is down.
  RequestId shutdown(ShutdownMode mode, std::chrono::milliseconds grace, Callback<void> done);

  // -- programs

  RequestId exec(const ExecSpec& spec, ExecEvents events, ExecWindows windows = {});
  /// Takes as much as the guest has room for and returns how much; the rest waits for stdin_room.
  /// 0 for a request that is over or has no open input.
  std::size_t stdin_write(RequestId id, std::span<const std::byte> bytes);
  void stdin_close(RequestId id);
  /// The consumer has taken `bytes` of what `stream` delivered: the guest may send as many more.
  void grant(RequestId id, Stream stream, std::uint64_t bytes);
  /// To the program's process group, see signal(7).
  void signal(RequestId id, int signo);
  void resize(RequestId id, PtySize size);

  // -- files

  /// Consumers call grant(id, Stream::Output, n) for what they have taken.
  RequestId read_file(const std::string& path, const ReadFileOptions& options, ReadEvents events,
                      std::uint64_t window = kFileWindow);
  /// Bytes follow by write_data() as room comes, then write_finish(). cancel() leaves the old file.
  RequestId write_file(const std::string& path, const WriteFileOptions& options,
                       WriteEvents events);
  std::size_t write_data(RequestId id, std::span<const std::byte> bytes);
  void write_finish(RequestId id);

  // -- trees of files: agents of version 1.1 and later, others answer unsupported_feature

  /// The records of a file or directory, for a TreeSink. Consumers call grant() as with read_file.
  RequestId read_tree(const std::string& path, bool skip_special, ReadEvents events,
                      std::uint64_t window = kFileWindow);
  /// The records of a TreeSource follow by write_data() as room comes, then write_finish().
  RequestId write_tree(const std::string& path, WriteEvents events);

  /// Takes a request back: its last callback is called with canceled now; in the guest the program
  /// and its session are killed, a half-written file is removed.
  void cancel(RequestId id);

  static constexpr std::size_t kMaxDirEntries = 1'000'000;
  /// Bytes of names and link targets: a guest may make every one of them as long as it likes.
  static constexpr std::size_t kMaxDirBytes = std::size_t{64} << 20;

 private:
  RequestId submit(std::shared_ptr<PendingRequest> request, wire::HostFrame& frame);
  bool send_frame(const wire::HostFrame& frame);
  PendingRequest* find(RequestId id) const;
  std::size_t send_input(RequestId id, std::span<const std::byte> bytes);
  void close_input(RequestId id);
  result<void> on_frame(const wire::GuestFrame& frame);
  result<void> on_hello(const wire::Hello& hello);

  SessionOutput& output_;
  FrameSplitter splitter_;
  std::map<RequestId, std::shared_ptr<PendingRequest>> pending_;
  // Taken back here, not yet answered there; at most kMaxRequests with pending_.
  std::unordered_set<RequestId> canceled_;
  RequestId next_id_ = 1;
  bool ready_ = false;
  std::optional<error> end_;
  std::string scratch_;
};

}  // namespace capsa::agent
