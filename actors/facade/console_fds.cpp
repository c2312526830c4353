#include <actors/facade/console_fds.hpp>
#include <actors/loop/epoll_loop.hpp>

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

namespace capsa::facade {

namespace {

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

result<Pipe> make_pipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0) return error_from_errno(errno, "make a pipe");
  return Pipe{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

/// Carries output to a pipe: reads the console, writes what fits, waits for room on a loop, reads
/// on. Once the pipe's reader has gone it takes no output any more, so that the next one who reads
/// the console finds it. Holds the console's target and not its VM: an fd somebody forgot does not
/// keep a VM alive. On the loop's thread.
class Pump : public std::enable_shared_from_this<Pump> {
 public:
  Pump(std::shared_ptr<Target> target, UniqueFd pipe, loop::EpollLoop& loop,
       std::weak_ptr<Services> services)
      : target_(std::move(target)),
        pipe_(std::move(pipe)),
        loop_(loop),
        services_(std::move(services)) {}

  /// From any thread.
  void start() {
    on_loop([self = shared_from_this()] {
      self->loop_.watch(self->pipe_.get(), kReaderGone,
                        [self](std::uint32_t events) { self->on_ready(events); });
      self->read_more();
    });
  }

 private:
  // Reported whether asked for or not; but the loop does not look at an fd of which nothing is
  // asked.
  static constexpr std::uint32_t kReaderGone = EPOLLERR;

  static std::uint64_t next_id() {
    static std::atomic<std::uint64_t> next{1};
    return next++;
  }

  void on_loop(std::function<void()> work) {
    // The loop lives as long as the services do.
    if (const auto alive = services_.lock()) loop_.post(std::move(work));
  }

  void read_more() {
    reading_ = true;
    target_->ask_then<std::string>(
        {},
        [self = shared_from_this()](result<std::string> bytes) {
          self->on_loop(
              [self, bytes = std::move(bytes)]() mutable { self->take(std::move(bytes)); });
        },
        actors::read_atom_v, actors::wait_atom_v, id_);
  }

  void take(result<std::string> bytes) {
    reading_ = false;
    if (!pipe_) return;  // the reader went while this was on its way
    // Empty or an error: the VM has ended. Dropping the pipe is the end of file.
    if (!bytes.ok() || bytes->empty()) return close();
    bytes_ = std::move(*bytes);
    done_ = 0;
    write_some();
  }

  void on_ready(std::uint32_t events) {
    if ((events & EPOLLERR) != 0)
      close();
    else
      write_some();
  }

  void write_some() {
    while (done_ < bytes_.size()) {
      const auto n = ::write(pipe_.get(), bytes_.data() + done_, bytes_.size() - done_);
      if (n >= 0) {
        done_ += static_cast<std::size_t>(n);
      } else if (errno == EAGAIN) {
        return loop_.rearm(pipe_.get(), kReaderGone | EPOLLOUT);
      } else if (errno != EINTR) {
        return close();  // the reader has closed its end
      }
    }
    loop_.rearm(pipe_.get(), kReaderGone);
    if (!reading_) read_more();
  }

  void close() {
    if (reading_) target_->tell(protocol::cancel_atom_v, id_);
    // What keeps this alive is the watch, and the request while there is one.
    const auto self = shared_from_this();
    loop_.unwatch(pipe_.get());
    pipe_.reset();
  }

  std::shared_ptr<Target> target_;
  UniqueFd pipe_;
  loop::EpollLoop& loop_;
  std::weak_ptr<Services> services_;
  const std::uint64_t id_ = next_id();
  bool reading_ = false;
  std::string bytes_;
  std::size_t done_ = 0;
};

/// Carries a pipe to the console, one write at a time: the pipe fills up while the guest is slow.
class Feeder : public std::enable_shared_from_this<Feeder> {
 public:
  Feeder(std::shared_ptr<Target> target, UniqueFd pipe, loop::EpollLoop& loop,
         std::weak_ptr<Services> services)
      : target_(std::move(target)),
        pipe_(std::move(pipe)),
        loop_(loop),
        services_(std::move(services)) {}

  void watch() {
    if (const auto alive = services_.lock())
      loop_.post([self = shared_from_this()] {
        self->loop_.watch(self->pipe_.get(), EPOLLIN, [self](std::uint32_t) {
          self->loop_.unwatch(self->pipe_.get());
          self->read_some();
        });
      });
  }

 private:
  void read_some() {
    std::string bytes(16 * 1024, '\0');
    const auto n = ::read(pipe_.get(), bytes.data(), bytes.size());
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return watch();
    if (n <= 0) return;  // the writer has closed its end
    bytes.resize(static_cast<std::size_t>(n));
    target_->ask_then<void>(
        {},
        [self = shared_from_this()](const result<void>& written) {
          if (written.ok()) self->watch();  // else the VM has ended: the writer gets EPIPE
        },
        actors::write_atom_v, std::move(bytes));
  }

  std::shared_ptr<Target> target_;
  UniqueFd pipe_;
  loop::EpollLoop& loop_;
  std::weak_ptr<Services> services_;
};

result<std::shared_ptr<Services>> services_of(const detail::ConsoleImpl& console) {
  auto services = console.vm->runtime().services();
  if (!services) return capsa::error(ErrorCode::RuntimeShutdown, "the runtime was shut down");
  return services;
}

}  // namespace

result<UniqueFd> reader_fd(const std::shared_ptr<detail::ConsoleImpl>& console) {
  const auto services = services_of(*console);
  if (!services.ok()) return services.error();
  auto pipe = make_pipe();
  if (!pipe.ok()) return pipe.error();
  std::make_shared<Pump>(console->target, std::move(pipe->write), (*services)->next_loop(),
                         *services)
      ->start();
  return std::move(pipe->read);
}

result<UniqueFd> writer_fd(const std::shared_ptr<detail::ConsoleImpl>& console) {
  const auto services = services_of(*console);
  if (!services.ok()) return services.error();
  auto pipe = make_pipe();
  if (!pipe.ok()) return pipe.error();
  std::make_shared<Feeder>(console->target, std::move(pipe->read), (*services)->next_loop(),
                           *services)
      ->watch();
  return std::move(pipe->write);
}

}  // namespace capsa::facade
