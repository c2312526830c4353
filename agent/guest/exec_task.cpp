#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <agent/guest/exec_plan.hpp>
#include <agent/guest/exec_task.hpp>
#include <algorithm>
#include <cerrno>
#include <cstring>

namespace capsa::agent::guest {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kSettle{200};
constexpr milliseconds kTermToKill{2000};
constexpr std::uint64_t kLongestTimeout = std::uint64_t{1000} * 60 * 60 * 24 * 365;

const char* step_name(ChildFailure::Step step) {
  switch (step) {
    case ChildFailure::Step::Session:
      return "start ";
    case ChildFailure::Step::Terminal:
      return "take the terminal for ";
    case ChildFailure::Step::User:
      return "change the user for ";
    case ChildFailure::Step::WorkingDir:
      return "change the working directory for ";
    case ChildFailure::Step::Exec:
      return "run ";
  }
  return "run ";
}

}  // namespace

ExecTask::~ExecTask() {
  reply_.loop().cancel(timer_);
  if (child_.status) reply_.loop().unwatch(child_.status.get());
  if (child_.pid <= 0 || over_) return;
  reaper_.forget(child_.pid);
  kill_session(child_.pid, SIGKILL);
}

// -- while it runs

void ExecTask::on_status() {
  ChildFailure failure;
  const ssize_t got = ::read(child_.status.get(), &failure, sizeof failure);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  reply_.loop().unwatch(child_.status.get());
  child_.status.reset();
  child_fds_.clear();  // from here on only the program holds them: its end is their end
  if (got == sizeof failure) {
    over_ = true;
    reaper_.forget(child_.pid);
    const std::string doing = step_name(failure.step) + program_;
    if (failure.step == ChildFailure::Step::Exec) return reply_.fail(failure.child_errno, doing);
    // That something else is missing or forbidden must not look as if the program were.
    return reply_.fail(wire::Error::KIND_INVALID,
                       doing + ": " + std::strerror(failure.child_errno));
  }
  started_ = true;
  wire::GuestFrame frame;
  frame.mutable_started()->set_pid(child_.pid);
  reply_.send(frame);
  if (stdin_) stdin_->start();
  if (stdin_ && stdin_at_once_closed_) stdin_->close([this] { return terminal_eof(); });
  if (stdout_) stdout_->start();
  if (stderr_) stderr_->start();
  if (timeout_ms_ != 0 && !exited_)
    timer_ = reply_.loop().call_after(milliseconds(timeout_ms_), [this] { on_timeout(); });
}

void ExecTask::on_exit(int wait_status) {
  // The program may have ended before the loop came to see it start.
  if (child_.status) on_status();
  if (over_) return;
  exited_ = true;
  wait_status_ = wait_status;
  reply_.loop().cancel(timer_);
  // After a time-out nothing of it stays, also what ignored SIGTERM behind the program's back.
  if (timed_out_) kill_session(child_.pid, SIGKILL);
  timer_ = reply_.loop().call_after(kSettle, [this] {
    if (stdout_) stdout_->settle();
    if (stderr_) stderr_->settle();
  });
  finish_if_over();
}

void ExecTask::on_timeout() {
  timed_out_ = true;
  kill_session(child_.pid, SIGTERM);
  // A stopped program has to run to take the signal.
  kill_session(child_.pid, SIGCONT);
  timer_ = reply_.loop().call_after(kTermToKill, [this] { kill_session(child_.pid, SIGKILL); });
}

void ExecTask::finish_if_over() {
  if (over_ || !exited_) return;
  if ((stdout_ && !stdout_->ended()) || (stderr_ && !stderr_->ended())) return;
  over_ = true;
  wire::GuestFrame frame;
  auto& status = *frame.mutable_status();
  if (WIFEXITED(wait_status_)) status.set_code(WEXITSTATUS(wait_status_));
  if (WIFSIGNALED(wait_status_)) status.set_signal(WTERMSIG(wait_status_));
  status.set_timed_out(timed_out_);
  reply_.finish(frame);
}

// -- frames of the host

bool ExecTask::on_data(wire::Stream stream, const std::string& bytes) {
  if (stream != wire::STREAM_INPUT || !stdin_ || stdin_at_once_closed_) return false;
  input_at_line_start_ = bytes.back() == '\n' || bytes.back() == '\r';
  return stdin_->write(bytes);
}

bool ExecTask::on_eof(wire::Stream stream) {
  if (stream != wire::STREAM_INPUT) return false;
  if (!stdin_ || stdin_at_once_closed_) return true;  // at its end already, or on a device
  if (terminal_)
    stdin_->close([this] { return terminal_eof(); });
  else
    stdin_->close();
  return true;
}

std::string ExecTask::terminal_eof() const {
  // Who reads lines sees the end by the end-of-file character; twice if a line is unfinished, as
  // the first then only ends that. Who reads bytes gets no stray character.
  termios mode{};
  if (::tcgetattr(terminal_.get(), &mode) < 0 || (mode.c_lflag & ICANON) == 0) return {};
  return std::string(input_at_line_start_ ? 1 : 2, static_cast<char>(mode.c_cc[VEOF]));
}

bool ExecTask::on_credit(wire::Stream stream, std::uint64_t amount) {
  if (stream == wire::STREAM_OUTPUT && stdout_) stdout_->add_credit(amount);
  if (stream == wire::STREAM_ERROR && stderr_) stderr_->add_credit(amount);
  return stream != wire::STREAM_INPUT;
}

void ExecTask::on_signal(int signo) {
  if (signo > 0 && signo < NSIG && child_.pid > 1 && !exited_) ::kill(-child_.pid, signo);
}

void ExecTask::on_resize(std::uint32_t rows, std::uint32_t cols) {
  if (!terminal_) return;
  winsize size{};
  size.ws_row = static_cast<unsigned short>(std::min<std::uint32_t>(rows, 0xffff));
  size.ws_col = static_cast<unsigned short>(std::min<std::uint32_t>(cols, 0xffff));
  ::ioctl(terminal_.get(), TIOCSWINSZ, &size);
}

void ExecTask::on_room() {
  if (stdout_) stdout_->update();
  if (stderr_) stderr_->update();
}

// -- start

std::unique_ptr<Task> ExecTask::begin(Reply reply, const wire::Exec& request, Reaper& reaper) {
  std::unique_ptr<ExecTask> task(new ExecTask(reply, reaper));
  ChildPlan plan;
  if (request.argv().empty() == request.shell().empty() ||
      (!request.argv().empty() && request.argv(0).empty())) {
    reply.fail(wire::Error::KIND_INVALID, "exactly one of argv and shell must be given");
    return nullptr;
  }
  if (!plan_program(request, plan)) {
    reply.fail(EINVAL, "find the user \"" + request.user() + "\" in /etc/passwd and /etc/group");
    return nullptr;
  }
  task->program_ = plan.argv.front();
  task->timeout_ms_ = std::min(request.timeout_ms(), kLongestTimeout);
  int failure = task->open_streams(request, plan);
  if (failure == 0) failure = start_child(plan, task->child_);
  if (failure != 0) {
    reply.fail(failure, "start " + task->program_);
    return nullptr;
  }
  auto* self = task.get();
  reaper.track(task->child_.pid, [self](int status) { self->on_exit(status); });
  reply.loop().watch(task->child_.status.get(), EPOLLIN,
                     [self](std::uint32_t) { self->on_status(); });
  return task;
}

int ExecTask::open_streams(const wire::Exec& request, ChildPlan& plan) {
  const int failure = !request.terminal().empty() ? open_device(request, plan)
                      : request.has_pty()         ? open_terminal(request, plan)
                                                  : open_pipes(request, plan);
  if (failure != 0) return failure;
  // So that the program can open /dev/stdout by name, and its terminal, after the user changed.
  if (plan.user && plan.user->uid != ::geteuid())
    for (const auto& fd : child_fds_)
      if (::fchown(fd.get(), plan.user->uid, plan.user->gid) < 0 && errno != EROFS) return errno;
  return 0;
}

int ExecTask::open_terminal(const wire::Exec& request, ChildPlan& plan) {
  terminal_.reset(::open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
  if (!terminal_) return errno;
  int unlock = 0;
  if (::ioctl(terminal_.get(), TIOCSPTLCK, &unlock) < 0) return errno;
  // By descriptor: right whatever is mounted at /dev/pts.
  child_fds_.emplace_back(::ioctl(terminal_.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!child_fds_.back()) return errno;
  plan.stdin_fd = plan.stdout_fd = plan.stderr_fd = child_fds_.back().get();
  plan.terminal = true;
  on_resize(request.pty().rows(), request.pty().cols());
  UniqueFd reader(::fcntl(terminal_.get(), F_DUPFD_CLOEXEC, 3));
  UniqueFd writer(::fcntl(terminal_.get(), F_DUPFD_CLOEXEC, 3));
  if (!reader || !writer) return errno;
  stdin_at_once_closed_ = !request.stdin_open();
  stdin_ = std::make_unique<InputPump>(reply_, std::move(writer), nullptr);
  stdout_ = std::make_unique<OutputPump>(reply_, wire::STREAM_OUTPUT, std::move(reader),
                                         request.stdout_window(), [this] { finish_if_over(); });
  return 0;
}

int ExecTask::open_device(const wire::Exec& request, ChildPlan& plan) {
  // Without O_NOCTTY it would become the agent's own, which has a session without one.
  child_fds_.emplace_back(::open(request.terminal().c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!child_fds_.back()) return errno;
  if (::isatty(child_fds_.back().get()) != 1) return ENOTTY;
  // Kept to set its size, as a terminal of the program's own would be.
  terminal_.reset(::fcntl(child_fds_.back().get(), F_DUPFD_CLOEXEC, 3));
  if (!terminal_) return errno;
  if (request.has_pty()) on_resize(request.pty().rows(), request.pty().cols());
  plan.stdin_fd = plan.stdout_fd = plan.stderr_fd = child_fds_.back().get();
  plan.terminal = true;
  return 0;
}

int ExecTask::open_pipes(const wire::Exec& request, ChildPlan& plan) {
  // Our ends do not block; the program's are plain, as programs expect.
  const auto make_pipe = [this](int our_end, int& their_fd, UniqueFd& ours) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) < 0) return errno;
    ours.reset(ends[our_end]);
    child_fds_.emplace_back(ends[1 - our_end]);
    their_fd = ends[1 - our_end];
    return ::fcntl(ours.get(), F_SETFL, O_NONBLOCK) < 0 ? errno : 0;
  };
  const auto on_end = [this] { finish_if_over(); };
  UniqueFd ours;
  if (request.stdin_open()) {
    if (const int failure = make_pipe(1, plan.stdin_fd, ours)) return failure;
    stdin_ = std::make_unique<InputPump>(reply_, std::move(ours), nullptr);
  } else {
    UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!null) return errno;
    plan.stdin_fd = ::fcntl(null.get(), F_DUPFD_CLOEXEC, 3);
    null_.reset(plan.stdin_fd);
  }
  if (const int failure = make_pipe(0, plan.stdout_fd, ours)) return failure;
  stdout_ = std::make_unique<OutputPump>(reply_, wire::STREAM_OUTPUT, std::move(ours),
                                         request.stdout_window(), on_end);
  if (request.merge_stderr()) {
    plan.stderr_fd = plan.stdout_fd;
    return 0;
  }
  if (const int failure = make_pipe(0, plan.stderr_fd, ours)) return failure;
  stderr_ = std::make_unique<OutputPump>(reply_, wire::STREAM_ERROR, std::move(ours),
                                         request.stderr_window(), on_end);
  return 0;
}

}  // namespace capsa::agent::guest
