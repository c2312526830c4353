#pragma once

#include <agent/agent.pb.h>
#include <agent/codec.hpp>
#include <capsa/loop.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace capsa::agent::guest {

class ServerSession;

/// Where a task's answers go. A small value; valid as long as the task.
class Reply {
 public:
  Reply(ServerSession& session, std::uint64_t id) : session_(&session), id_(id) {}

  /// A frame that is not the last. Its id is filled in.
  void send(wire::GuestFrame& frame);
  /// The last frame. The task is destroyed soon, not during the call.
  void finish(wire::GuestFrame& frame);
  void done();
  /// The last frame: "`doing`: what errno means".
  void fail(int guest_errno, std::string_view doing);
  void fail(wire::Error::Kind kind, std::string_view message);
  /// Whether bulk data may be queued; if not, Task::on_room() tells when it may.
  bool has_room() const;
  Loop& loop() const;

 private:
  ServerSession* session_;
  std::uint64_t id_;
};

/// A request that runs. Destroying it takes it back: programs are killed, temporary files removed.
/// `false` from a handler: the host broke the protocol.
class Task {
 public:
  virtual ~Task() = default;
  virtual bool on_data(wire::Stream, const std::string&) { return false; }
  virtual bool on_eof(wire::Stream) { return false; }
  virtual bool on_credit(wire::Stream, std::uint64_t) { return true; }
  virtual void on_signal(int) {}
  virtual void on_resize(std::uint32_t /*rows*/, std::uint32_t /*cols*/) {}
  virtual void on_room() {}
};

/// What the agent can do, behind the protocol.
class Services {
 public:
  virtual ~Services() = default;
  virtual void hello(const wire::Hello& hello) = 0;
  /// Begins a request. None if it has been answered already through `reply`.
  virtual std::unique_ptr<Task> begin(Reply reply, const wire::HostFrame& frame,
                                      bool controlling) = 0;
};

/// The bytes' way out.
class Outbox {
 public:
  virtual ~Outbox() = default;
  virtual void write(std::string_view bytes) = 0;
  /// Bytes written and not yet taken by the kernel.
  virtual std::size_t queued() const = 0;
};

/// One host's connection as the agent sees it: frames in, tasks, frames out. It knows no
/// descriptor. The peer is the host, which owns this guest; malformed input still only ends the
/// connection, since any program on the host's side may have opened it.
class ServerSession {
 public:
  ServerSession(Loop& loop, Services& services, Outbox& outbox)
      : loop_(loop), services_(services), outbox_(outbox) {}
  ~ServerSession();  ///< takes back every task
  ServerSession(const ServerSession&) = delete;
  ServerSession& operator=(const ServerSession&) = delete;

  /// Sends our Hello.
  void start();
  /// False: close the connection once what is queued has been sent.
  [[nodiscard]] bool feed(std::span<const std::byte> bytes);
  /// The outbox has drained: tasks that waited go on, each in turn.
  void on_room();
  std::size_t running() const { return tasks_.size(); }

 private:
  friend class Reply;
  bool on_frame(const wire::HostFrame& frame);
  bool on_hello(const wire::Hello& hello);
  bool on_request(const wire::HostFrame& frame);
  bool on_running(Task& task, const wire::HostFrame& frame);
  bool refuse(wire::Error::Kind kind, std::string_view message);
  void send(wire::GuestFrame& frame, std::uint64_t id);
  void send_error(std::uint64_t id, wire::Error::Kind kind, std::string_view message);
  bool is_running(std::uint64_t id) const;
  void retire(std::uint64_t id);

  Loop& loop_;
  Services& services_;
  Outbox& outbox_;
  FrameSplitter splitter_;
  std::map<std::uint64_t, std::unique_ptr<Task>> tasks_;
  // Answered, but perhaps still on the stack.
  std::vector<std::unique_ptr<Task>> retired_;
  Loop::TimerId bury_timer_ = 0;
  std::uint64_t beginning_ = 0;  // the request begin() is working on
  std::uint64_t last_room_ = 0;
  std::string scratch_;
  bool greeted_ = false;
  bool controlling_ = false;
};

}  // namespace capsa::agent::guest
