#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <agent/guest/child.hpp>
#include <algorithm>
#include <cerrno>
#include <cstring>

namespace capsa::agent::guest {

namespace {

rlimit original_file_limit{};
bool file_limit_raised = false;

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> out;
  out.reserve(strings.size() + 1);
  for (const auto& text : strings)
    out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

[[noreturn]] void give_up(int status_fd, ChildFailure::Step step) {
  const ChildFailure failure{step, errno};
  const ssize_t put = ::write(status_fd, &failure, sizeof failure);
  ::_exit(put == sizeof failure ? 127 : 126);
}

void reset_signals() {
  // Ignored signals and the mask are inherited over execve(2); we block SIGCHLD and friends for
  // signalfd(2) and ignore SIGPIPE.
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  for (int signo = 1; signo < NSIG; ++signo)
    ::sigaction(signo, &action, nullptr);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// All three are above 2 (the agent keeps 0 to 2 open), so none is overwritten before its turn.
bool set_standard_fds(const ChildPlan& plan) {
  return ::dup2(plan.stdin_fd, 0) == 0 && ::dup2(plan.stdout_fd, 1) == 1 &&
         ::dup2(plan.stderr_fd, 2) == 2;
}

// Ours are all close-on-exec; what the agent inherited from whoever started it may not be.
void close_others() {
  ::syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);  // older kernels: nothing to do
}

bool become(const User& user) {
  // Groups first: they cannot be changed any more once the uid is not root's.
  return ::setgroups(user.groups.size(), user.groups.data()) == 0 &&
         ::setresgid(user.gid, user.gid, user.gid) == 0 &&
         ::setresuid(user.uid, user.uid, user.uid) == 0;
}

[[noreturn]] void run_child(const ChildPlan& plan, char** argv, char** env, int status_fd) {
  reset_signals();
  if (file_limit_raised) ::setrlimit(RLIMIT_NOFILE, &original_file_limit);
  ::umask(022);
  if (::setsid() < 0) give_up(status_fd, ChildFailure::Step::Session);
  if (plan.terminal && ::ioctl(plan.stdin_fd, TIOCSCTTY, 0) < 0)
    give_up(status_fd, ChildFailure::Step::Terminal);
  if (!set_standard_fds(plan)) give_up(status_fd, ChildFailure::Step::Session);
  if (plan.user && !become(*plan.user)) give_up(status_fd, ChildFailure::Step::User);
  // After the user, whose permissions count.
  if (::chdir(plan.working_dir.c_str()) < 0 && !(plan.may_miss_working_dir && ::chdir("/") == 0))
    give_up(status_fd, ChildFailure::Step::WorkingDir);
  close_others();
  environ = env;  // execvp looks PATH up there
  ::execvp(argv[0], argv);
  give_up(status_fd, ChildFailure::Step::Exec);
}

}  // namespace

void raise_file_limit() {
  if (file_limit_raised || ::getrlimit(RLIMIT_NOFILE, &original_file_limit) < 0) return;
  rlimit raised = original_file_limit;
  // As process 1 we may go to the kernel's own limit; beyond what we could use it costs nothing.
  raised.rlim_cur = raised.rlim_max = std::max<rlim_t>(raised.rlim_max, 65536);
  if (::setrlimit(RLIMIT_NOFILE, &raised) < 0) {
    raised.rlim_cur = raised.rlim_max = original_file_limit.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &raised) < 0) return;
  }
  file_limit_raised = true;
}

int start_child(const ChildPlan& plan, Child& child) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) return errno;
  UniqueFd read_end(ends[0]);
  const UniqueFd write_end(ends[1]);
  ::fcntl(read_end.get(), F_SETFL, O_NONBLOCK);
  const auto argv = pointers(plan.argv);
  const auto env = pointers(plan.env);
  const pid_t pid = ::fork();
  if (pid < 0) return errno;
  if (pid == 0)
    run_child(plan, const_cast<char**>(argv.data()), const_cast<char**>(env.data()),
              write_end.get());
  child.pid = pid;
  child.status = std::move(read_end);
  return 0;
}

}  // namespace capsa::agent::guest
