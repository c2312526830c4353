#include <actors/facade/console_fds.hpp>
#include <actors/facade/pipe.hpp>
#include <actors/loop/epoll_loop.hpp>

#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>

namespace capsa::facade {

namespace {

/// Carries a pipe to the console, one write at a time: the pipe fills up while the guest is slow.
/// Holds the console's target and not its VM: an fd somebody forgot does not keep a VM alive.
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
  console->target->tell(actors::read_atom_v, actors::FdBox(std::move(pipe->write)));
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
