#include <actors/console/console.hpp>
#include <actors/console/core/exec_parser.hpp>
#include <actors/console/core/login.hpp>
#include <actors/console/core/run_command.hpp>
#include <actors/protocol/spawn.hpp>
#include <actors/values/longest_wait.hpp>

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace capsa::console {

namespace {

// What may wait to be written: a guest that does not read its console must not make its host grow.
constexpr std::size_t kUnwritten = 16U << 20;
// One answer of "whatever is there": the whole ring at most.
constexpr std::size_t kReadAtMost = OutputRing::kDefaultCapacity;

void answer_text(caf::response_promise& promise, result<ConsoleMatch> match) {
  if (match.ok())
    promise.deliver(std::move(match->text));
  else
    promise.deliver(protocol::to_caf(match.error()));
}

}  // namespace

ConsoleState::ConsoleState(Self self, loop::EpollLoop& loop)
    : self_(self),
      loop_(loop),
      waiters_([this](std::string bytes) { queue(std::move(bytes), {}); }) {}

void ConsoleState::on_exit() {
  detach("the VM's actor has ended");
  waiters_.fail_all({ErrorCode::VmEnded, "the VM is gone"});
  for (const auto& [fd, pipe] : pipes_)
    pipe.to->close();
  pipes_.clear();
  if (wakeup_ != 0) loop_.cancel(wakeup_);
}

void ConsoleState::attach(UniqueFd line) {
  waiters_.reopen();
  line_ = std::move(line);
  loop_.watch(line_.get(), EPOLLIN, [this](std::uint32_t events) {
    if ((events & EPOLLOUT) != 0) write_line();
    if ((events & ~EPOLLOUT) != 0) read_line();
  });
  update();
}

void ConsoleState::detach(const std::string& why) {
  if (line_) {
    read_line();  // what the guest wrote last
    loop_.unwatch(line_.get());
    line_.reset();
  }
  for (auto& write : writes_)
    if (write.promise.pending()) write.promise.deliver(protocol::to_caf({ErrorCode::VmEnded, why}));
  writes_.clear();
  waiters_.end(why, loop_.now());
  schedule_wakeup();
}

void ConsoleState::read_line() {
  std::array<char, 16 * 1024> bytes;
  // Bounded: a guest that writes without end shares this loop with other VMs.
  for (int round = 0; line_ && round < 16; ++round) {
    const auto n = ::recv(line_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (n > 0) {
      waiters_.feed({bytes.data(), static_cast<std::size_t>(n)}, loop_.now());
      continue;
    }
    if (n < 0 && errno == EINTR) continue;
    // The machine has hung up: the VM will say so, until then there is nothing to be told.
    if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK)) loop_.rearm(line_.get(), 0);
    break;
  }
  schedule_wakeup();
}

void ConsoleState::queue(std::string bytes, caf::response_promise promise) {
  std::size_t waiting = bytes.size();
  for (const auto& write : writes_)
    waiting += write.bytes.size() - write.done;
  const auto refuse = [&](const capsa::error& why) {
    if (promise.pending()) promise.deliver(protocol::to_caf(why));
  };
  if (!line_)
    refuse({ErrorCode::NotRunning, "the VM is not running", "call start() first"});
  else if (waiting > kUnwritten)
    refuse({ErrorCode::ResourceExhausted, "the guest does not read its console",
            "wait for write() before writing more"});
  else
    writes_.push_back({std::move(bytes), 0, std::move(promise)});
  if (line_) write_line();
}

void ConsoleState::write_line() {
  while (!writes_.empty()) {
    auto& write = writes_.front();
    const auto n = ::send(line_.get(), write.bytes.data() + write.done,
                          write.bytes.size() - write.done, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) break;  // EAGAIN: later; else the machine has hung up, and detach() answers
    write.done += static_cast<std::size_t>(n);
    if (write.done < write.bytes.size()) break;
    if (write.promise.pending()) write.promise.deliver(caf::unit);
    writes_.pop_front();
  }
  update();
}

void ConsoleState::update() {
  if (!line_) return;
  const std::uint32_t want_write = writes_.empty() ? 0 : std::uint32_t{EPOLLOUT};
  loop_.rearm(line_.get(), EPOLLIN | want_write);
}

void ConsoleState::limit(const LimitPtr& limit, Waiters::Id id, caf::timespan timeout) {
  if (limit->over || timeout > kLongestWait) return;
  const auto give_up = [this, limit, id, timeout] {
    limit->timer = 0;
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(timeout);
    waiters_.cancel(id, waiters_.timeout_error(id, ms), loop_.now());
    schedule_wakeup();
  };
  if (timeout.count() > 0)
    limit->timer = loop_.call_after(timeout, give_up);
  else
    give_up();
}

void ConsoleState::lift(Limit& limit) {
  limit.over = true;
  if (limit.timer != 0) loop_.cancel(std::exchange(limit.timer, 0));
}

void ConsoleState::schedule_wakeup() {
  if (wakeup_ != 0) loop_.cancel(std::exchange(wakeup_, 0));
  const auto due = waiters_.wakeup();
  if (!due) return;
  wakeup_ = loop_.call_after(*due - loop_.now(), [this] {
    wakeup_ = 0;
    waiters_.poke(loop_.now());
    schedule_wakeup();
  });
}

template <class Queue>
caf::result<std::string> ConsoleState::read(caf::timespan timeout, Queue queue) {
  auto promise = std::make_shared<caf::response_promise>(self_->make_response_promise());
  auto deadline = std::make_shared<Limit>();
  const Waiters::Id id = queue([this, promise, deadline](result<ConsoleMatch> match) {
    lift(*deadline);
    answer_text(*promise, std::move(match));
  });
  limit(deadline, id, timeout);
  return *promise;
}

void ConsoleState::add_pipe(UniqueFd pipe) {
  if (!pipe) return;
  const int fd = pipe.get();
  auto to = std::make_unique<loop::ReaderPipe>(loop_, std::move(pipe));
  to->watch([this, fd](bool gone) {
    if (gone)
      drop_pipe(fd);
    else
      offer_to(fd);
    schedule_wakeup();
  });
  pipes_.insert_or_assign(fd, Pipe{std::move(to)});
  offer_to(fd);
}

void ConsoleState::offer_to(int pipe) {
  const auto id = waiters_.offer(loop_.now(), [this, pipe](std::array<std::string_view, 2> bytes) {
    return write_pipe(pipe, bytes);
  });
  // It may have been taken inside the call already, and the next one made.
  if (const auto it = pipes_.find(pipe); it != pipes_.end())
    it->second.offer = std::max(it->second.offer, id);
}

std::size_t ConsoleState::write_pipe(int pipe, std::array<std::string_view, 2> bytes) {
  auto& to = *pipes_.at(pipe).to;
  std::size_t done = 0;
  for (const auto piece : bytes) {
    const auto n = to.write(piece);
    done += n;
    if (n == piece.size()) continue;
    if (to.gone()) drop_pipe(pipe);
    return done;  // the rest when there is room again
  }
  if (done == 0)
    drop_pipe(pipe);  // the VM has ended, and with it the file
  else
    offer_to(pipe);
  return done;
}

void ConsoleState::drop_pipe(int pipe) {
  const auto dropped = pipes_.extract(pipe);
  dropped.mapped().to->close();
  waiters_.cancel(dropped.mapped().offer, {ErrorCode::Canceled, "the reader has gone"},
                  loop_.now());
}

template <class Talk, class Give>
void ConsoleState::converse(std::shared_ptr<Talk> talk, caf::timespan timeout,
                            caf::response_promise promise, Give give) {
  if (timeout.count() <= 0) {
    promise.deliver(protocol::to_caf({ErrorCode::Timeout,
                                      "no time was given, so nothing was written to the console",
                                      "what is done in the guest takes a while"}));
    return;
  }
  auto boxed = std::make_shared<caf::response_promise>(std::move(promise));
  auto deadline = std::make_shared<Limit>();
  const auto id = waiters_.converse(talk, loop_.now(),
                                    [this, talk, boxed, give, deadline](const result<void>& end) {
                                      lift(*deadline);
                                      if (end.ok())
                                        give(*talk, *boxed);
                                      else
                                        boxed->deliver(protocol::to_caf(end.error()));
                                    });
  limit(deadline, id, timeout);
  schedule_wakeup();
}

protocol::ConsoleUnit::behavior_type ConsoleState::make_behavior() {
  using namespace protocol;
  return {
      [this](write_atom, std::string& bytes) -> caf::result<void> {
        auto promise = self_->make_response_promise();
        queue(std::move(bytes), promise);
        return promise;
      },
      [this](wait_for_atom, Lines& patterns, caf::timespan timeout) -> caf::result<ConsoleMatch> {
        auto boxed = std::make_shared<caf::response_promise>(self_->make_response_promise());
        auto deadline = std::make_shared<Limit>();
        const auto id = waiters_.wait_for_any(std::move(patterns), loop_.now(),
                                              [this, boxed, deadline](result<ConsoleMatch> match) {
                                                lift(*deadline);
                                                answer(*boxed, std::move(match));
                                              });
        if (!id.ok())
          boxed->deliver(to_caf(id.error()));
        else
          limit(deadline, *id, timeout);
        schedule_wakeup();
        return *boxed;
      },
      [this](read_atom, caf::timespan timeout) {
        return read(timeout, [this](Waiters::OnMatch done) {
          return waiters_.read_available(loop_.now(), std::move(done));
        });
      },
      [this](read_atom, wait_atom, caf::timespan timeout) {
        return read(timeout, [this](Waiters::OnMatch done) {
          return waiters_.read_some(kReadAtMost, loop_.now(), std::move(done));
        });
      },
      [this](exec_atom, const std::string& command,
             caf::timespan timeout) -> caf::result<ConsoleOutput> {
        auto script = ExecScript::make(command, fresh_nonce());
        if (!script.ok()) return to_caf(script.error());
        auto promise = self_->make_response_promise();
        converse(
            std::make_shared<ExecParser>(std::move(*script)), timeout, promise,
            [](const ExecParser& talk, caf::response_promise& to) { answer(to, talk.outcome()); });
        return promise;
      },
      [this](run_atom, std::string& command, std::string& prompt,
             caf::timespan timeout) -> caf::result<std::string> {
        auto talk = RunCommand::make(std::move(command), std::move(prompt));
        if (!talk.ok()) return to_caf(talk.error());
        auto promise = self_->make_response_promise();
        converse(
            std::make_shared<RunCommand>(std::move(*talk)), timeout, promise,
            [](const RunCommand& done, caf::response_promise& to) { answer(to, done.outcome()); });
        return promise;
      },
      [this](login_atom, std::string& user, std::optional<std::string>& password,
             caf::timespan timeout) -> caf::result<void> {
        auto talk = Login::make(std::move(user), std::move(password));
        if (!talk.ok()) return to_caf(talk.error());
        auto promise = self_->make_response_promise();
        converse(std::make_shared<Login>(std::move(*talk)), timeout, promise,
                 [](const Login& done, caf::response_promise& to) { answer(to, done.outcome()); });
        return promise;
      },
      [this](attach_atom, const FdBox& line) { attach(line.take()); },
      [this](detach_atom, const std::string& why) { detach(why); },
      [this](read_atom, const FdBox& pipe) { add_pipe(pipe.take()); },
  };
}

}  // namespace capsa::console
