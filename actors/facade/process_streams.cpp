#include <actors/facade/pipe.hpp>
#include <actors/facade/process_streams.hpp>
#include <actors/loop/epoll_loop.hpp>
#include <actors/loop/reader_pipe.hpp>

#include <string_view>

namespace capsa::facade {

namespace {

using actors::close_atom_v;
using actors::read_atom_v;

/// Carries a stream into a pipe: asks for more once the pipe has taken what there was, so that a
/// process is held back by who reads the pipe. Owned by the loop that watches it and by the request
/// under way; holds the agent's target and not its VM.
class Carrier : public std::enable_shared_from_this<Carrier> {
 public:
  Carrier(std::shared_ptr<Target> target, const actors::StartedProcess& process,
          std::uint32_t stream, UniqueFd pipe, loop::EpollLoop& loop,
          std::weak_ptr<Services> services)
      : target_(std::move(target)),
        process_(process.id),
        stream_(stream),
        loop_(loop),
        services_(std::move(services)),
        pipe_(loop, std::move(pipe)) {}

  void start() {
    on_loop([self = shared_from_this()] {
      self->pipe_.watch([self](bool gone) {
        if (gone)
          self->give_up();
        else
          self->write();
      });
      self->ask();
    });
  }

 private:
  void on_loop(std::function<void()> work) {
    if (const auto alive = services_.lock()) loop_.post(std::move(work));
  }

  void ask() {
    target_->ask_then<std::string>(
        {},
        [self = shared_from_this()](result<std::string> bytes) {
          self->on_loop([self, got = std::make_shared<result<std::string>>(std::move(bytes))] {
            self->on_read(std::move(*got));
          });
        },
        read_atom_v, process_, stream_, caf::timespan(kForever));
  }

  void on_read(result<std::string> bytes) {
    if (!bytes.ok() || bytes->empty()) return pipe_.close();  // the end, however it came
    rest_ = std::move(*bytes);
    done_ = 0;
    write();
  }

  void write() {
    done_ += pipe_.write(std::string_view(rest_).substr(done_));
    if (pipe_.gone()) return give_up();
    if (done_ == rest_.size()) ask();
  }

  void give_up() {
    pipe_.close();
    target_->tell(close_atom_v, process_, stream_);
  }

  std::shared_ptr<Target> target_;
  std::uint64_t process_;
  std::uint32_t stream_;
  loop::EpollLoop& loop_;
  std::weak_ptr<Services> services_;
  loop::ReaderPipe pipe_;
  std::string rest_;
  std::size_t done_ = 0;
};

}  // namespace

ProcessStream::~ProcessStream() {
  process_->agent->target->tell(close_atom_v, process_->started.id, stream_);
}

future<std::string> ProcessStream::read() {
  const auto& agent = *process_->agent;
  const caf::timespan timeout = agent.vm->limit();
  return agent.target->ask<std::string>(detail::net_below(timeout), read_atom_v,
                                        process_->started.id, stream_, timeout);
}

result<UniqueFd> ProcessStream::open_fd() {
  const auto& agent = *process_->agent;
  const auto services = agent.vm->runtime().services();
  if (!services) return capsa::error(ErrorCode::RuntimeShutdown, "the runtime was shut down");
  auto pipe = make_pipe();
  if (!pipe.ok()) return pipe.error();
  std::make_shared<Carrier>(agent.target, process_->started, stream_, std::move(pipe->write),
                            services->next_loop(), services)
      ->start();
  return std::move(pipe->read);
}

}  // namespace capsa::facade

namespace capsa {

future<std::string> StreamReader::read() {
  return source_->read();
}

result<int> StreamReader::fd() {
  if (!fd_) {
    auto made = source_->open_fd();
    if (!made.ok()) return made.error();
    fd_ = std::make_shared<UniqueFd>(std::move(*made));
  }
  return fd_->get();
}

}  // namespace capsa
