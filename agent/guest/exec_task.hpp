#pragma once

#include <agent/guest/child.hpp>
#include <agent/guest/pumps.hpp>
#include <agent/guest/reaper.hpp>
#include <agent/guest/server_session.hpp>
#include <memory>

namespace capsa::agent::guest {

/// Runs one program for a host.
///
/// When is it over? When the program has ended and its streams have. A stream also ends 200 ms
/// after the program, with all that was written to it until then: whatever still holds it is a
/// background process that may never let go, and gets SIGPIPE (a terminal: SIGHUP) if it writes
/// later. Output is never dropped for lack of credit: the end waits for it.
///
/// Time-out: SIGTERM to the session, SIGKILL two seconds later. Cancelled, or the host is gone:
/// SIGKILL to the session at once. Processes that made a session of their own live on.
class ExecTask final : public Task {
 public:
  static std::unique_ptr<Task> begin(Reply reply, const wire::Exec& request, Reaper& reaper);
  ~ExecTask() override;

  bool on_data(wire::Stream stream, const std::string& bytes) override;
  bool on_eof(wire::Stream stream) override;
  bool on_credit(wire::Stream stream, std::uint64_t amount) override;
  void on_signal(int signo) override;
  void on_resize(std::uint32_t rows, std::uint32_t cols) override;
  void on_room() override;

 private:
  ExecTask(Reply reply, Reaper& reaper) : reply_(reply), reaper_(reaper) {}

  int open_streams(const wire::Exec& request, ChildPlan& plan);
  int open_terminal(const wire::Exec& request, ChildPlan& plan);
  int open_device(const wire::Exec& request, ChildPlan& plan);
  int open_pipes(const wire::Exec& request, ChildPlan& plan);
  void on_status();
  void on_exit(int wait_status);
  void on_timeout();
  void finish_if_over();
  std::string terminal_eof() const;

  Reply reply_;
  Reaper& reaper_;
  Child child_;
  std::string program_;
  std::vector<UniqueFd> child_fds_;  // the program's ends, open here until it has started
  UniqueFd null_;                    // the same, for a program without input
  UniqueFd terminal_;                // our end or the device, for resize
  std::unique_ptr<OutputPump> stdout_;
  std::unique_ptr<OutputPump> stderr_;
  std::unique_ptr<InputPump> stdin_;
  bool input_at_line_start_ = true;
  bool stdin_at_once_closed_ = false;
  bool started_ = false;
  bool exited_ = false;
  bool timed_out_ = false;
  bool over_ = false;
  int wait_status_ = 0;
  std::uint64_t timeout_ms_ = 0;
  Loop::TimerId timer_ = 0;  // time-out, then kill, then settle: one at a time
};

}  // namespace capsa::agent::guest
