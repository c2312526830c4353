#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <backends/qemu/spawn.hpp>
#include <cerrno>
#include <csignal>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

extern char** environ;  // environ(7)

namespace capsa::qemu {
namespace {

// Children's numbers start at 3 and are as many as a machine has devices: never near this.
constexpr int kFirstDuplicate = 128;

// What QEMU may need to find its libraries, modules and temporary files. The rest of the host
// program's environment may hold secrets, and a guest that takes QEMU over must not have them.
constexpr std::array kPassedOn = {std::string_view("PATH="), std::string_view("LD_LIBRARY_PATH="),
                                  std::string_view("QEMU_MODULE_DIR="),
                                  std::string_view("TMPDIR=")};

std::vector<std::string> child_environment() {
  std::vector<std::string> variables{"LC_ALL=C"};  // messages as we know them
  for (char** at = environ; at != nullptr && *at != nullptr; ++at) {
    const std::string_view variable = *at;
    for (const auto& name : kPassedOn) {
      if (variable.starts_with(name)) variables.emplace_back(variable);
    }
  }
  return variables;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> list;
  list.reserve(strings.size() + 1);
  for (auto& one : strings)
    list.push_back(one.data());
  list.push_back(nullptr);
  return list;
}

// posix_spawn_file_actions_t with a destructor; the first failure is kept.
class FileActions {
 public:
  FileActions() { failed_ = ::posix_spawn_file_actions_init(&actions_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
  ~FileActions() { ::posix_spawn_file_actions_destroy(&actions_); }

  void open(int number, const char* path, int flags) {
    note(::posix_spawn_file_actions_addopen(&actions_, number, path, flags, 0));
  }
  void duplicate(int fd, int number) {
    note(::posix_spawn_file_actions_adddup2(&actions_, fd, number));
  }
  void close_from(int number) {
    note(::posix_spawn_file_actions_addclosefrom_np(&actions_, number));
  }
  int failed() const noexcept { return failed_; }
  const posix_spawn_file_actions_t* get() const noexcept { return &actions_; }

 private:
  void note(int failed) {
    if (failed_ == 0) failed_ = failed;
  }

  posix_spawn_file_actions_t actions_{};
  int failed_ = 0;
};

result<ChildProcess> spawn_now(SpawnRequest& request, std::vector<char*>& environment,
                               std::shared_ptr<Reaper> reaper) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return error_from_errno(errno, "pipe");
  UniqueFd errors(ends[0]);
  const UniqueFd raw_end(ends[1]);
  ::fcntl(errors.get(), F_SETFL, O_NONBLOCK);
  const auto child_end = duplicate_for_child(raw_end.get());
  if (!child_end) return child_end.error();

  FileActions actions;
  actions.open(0, "/dev/null", O_RDONLY);
  actions.open(1, "/dev/null", O_WRONLY);
  actions.duplicate(child_end->get(), 2);
  int next = 3;
  for (const auto& one : request.fds) {
    actions.duplicate(one.fd.get(), one.number);
    next = std::max(next, one.number + 1);
  }
  // The host program's own descriptors need not be close-on-exec; they stop here.
  actions.close_from(next);
  if (actions.failed() != 0) return error_from_errno(actions.failed(), "spawn");

  std::vector<std::string> words{request.launcher.native(), std::to_string(::getpid()),
                                 request.pid_file.native(), "--", request.program.native()};
  for (auto& argument : request.arguments)
    words.push_back(std::move(argument));
  auto arguments = pointers(words);
  pid_t pid = 0;
  const int failed = ::posix_spawn(&pid, request.launcher.c_str(), actions.get(), nullptr,
                                   arguments.data(), environment.data());
  if (failed != 0)
    return error_from_errno(failed, "run " + request.launcher.string(),
                            "install capsa's helper programs, or set CAPSA_LIBEXEC");
  UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd) {
    const int reason = errno;
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    remove_pid_file(request.pid_file, pid);
    return error_from_errno(reason, "pidfd_open");
  }
  return ChildProcess({pid, std::move(pidfd), std::move(request.pid_file)}, std::move(errors),
                      std::move(reaper));
}

}  // namespace

result<UniqueFd> duplicate_for_child(int fd) {
  UniqueFd copy(::fcntl(fd, F_DUPFD_CLOEXEC, kFirstDuplicate));
  if (!copy) return error_from_errno(errno, "duplicate a descriptor for a child process");
  return copy;
}

// The thread and what is handed to it. Shared with the children that may come back to be reaped.
class Spawner::Worker : public Reaper, public std::enable_shared_from_this<Worker> {
 public:
  Worker() : wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

  // Without the eventfd (no descriptor left) there is no thread, and every spawn is refused.
  void start() {
    if (wake_) thread_ = std::thread([this] { run(); });
  }

  void stop() {
    if (!wake_) return;
    {
      const std::lock_guard guard(mutex_);
      stopping_ = true;
    }
    wake();
    thread_.join();
  }

  void add(SpawnRequest request, Done done) {
    if (!wake_) return done(error(ErrorCode::ResourceExhausted, "no file descriptor left"));
    // std::function copies what it holds, a request cannot be copied.
    auto job = std::make_unique<Job>(Job{std::move(request), std::move(done)});
    {
      const std::lock_guard guard(mutex_);
      if (!stopping_) {
        jobs_.push_back(std::move(job));
        wake();
        return;
      }
    }
    job->done(error(ErrorCode::RuntimeShutdown, {}));
  }

  bool adopt(Unreaped& child) override {
    {
      const std::lock_guard guard(mutex_);
      if (finished_ || !wake_) return false;
      orphans_.push_back(std::move(child));
    }
    wake();
    return true;
  }

 private:
  struct Job {
    SpawnRequest request;
    Done done;
  };

  void wake() const {
    const std::uint64_t one = 1;
    // Fails only where the counter is full, and then the thread is awake.
    [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
  }

  void run() {
    ::prctl(PR_SET_NAME, "capsa-spawner");
    sigset_t all;
    ::sigfillset(&all);  // the host program's signals are for its own threads
    ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
    auto variables = child_environment();
    auto environment = pointers(variables);
    while (step(environment)) {
    }
  }

  // Waits for something to do and does it. False once there is nothing left, and will not be.
  bool step(std::vector<char*>& environment) {
    std::unique_ptr<Job> job;
    std::vector<pollfd> waits{{wake_.get(), POLLIN, 0}};
    {
      const std::lock_guard guard(mutex_);
      std::erase_if(orphans_, [](const Unreaped& one) { return reaped(one); });
      if (stopping_ && jobs_.empty() && orphans_.empty()) {
        finished_ = true;
        return false;
      }
      if (!jobs_.empty()) {
        job = std::move(jobs_.front());
        jobs_.pop_front();
      }
      for (const auto& one : orphans_)
        waits.push_back({one.pidfd.get(), POLLIN, 0});
    }
    if (job) {
      job->done(is_stopping() ? result<ChildProcess>(error(ErrorCode::RuntimeShutdown, {}))
                              : spawn_now(job->request, environment, shared_from_this()));
      return true;
    }
    ::poll(waits.data(), waits.size(), -1);
    std::uint64_t count = 0;
    [[maybe_unused]] const auto drained = ::read(wake_.get(), &count, sizeof count);
    return true;
  }

  static bool reaped(const Unreaped& one) {
    siginfo_t info{};
    const int failed =
        ::waitid(P_PIDFD, static_cast<id_t>(one.pidfd.get()), &info, WEXITED | WNOHANG);
    if (failed != 0 ? errno == EINTR : info.si_pid == 0) return false;
    remove_pid_file(one.pid_file, one.pid);
    return true;
  }

  bool is_stopping() {
    const std::lock_guard guard(mutex_);
    return stopping_;
  }

  const UniqueFd wake_;
  std::thread thread_;
  std::mutex mutex_;
  std::deque<std::unique_ptr<Job>> jobs_;  // guarded, as all below
  std::vector<Unreaped> orphans_;
  bool stopping_ = false;
  bool finished_ = false;  // nobody reaps any more
};

Spawner::Spawner() : worker_(std::make_shared<Worker>()) {
  worker_->start();
}

Spawner::~Spawner() {
  worker_->stop();
}

void Spawner::spawn(SpawnRequest request, Done done) {
  worker_->add(std::move(request), std::move(done));
}

}  // namespace capsa::qemu
