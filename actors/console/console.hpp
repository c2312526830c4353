#pragma once

#include <actors/console/core/waiters.hpp>
#include <actors/loop/epoll_loop.hpp>
#include <actors/loop/reader_pipe.hpp>
#include <actors/protocol/internal.hpp>
#include <array>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace capsa::console {

/// A VM's console: the line of the machine that runs now, the buffered output, and those who wait
/// for some of it. Lives as long as its VM's actor.
class ConsoleState {
 public:
  static inline const char* name = "capsa.console";
  using Self = protocol::ConsoleUnit::base*;

  ConsoleState(Self self, loop::EpollLoop& loop);

  protocol::ConsoleUnit::behavior_type make_behavior();
  void on_exit();

 private:
  struct Write {
    std::string bytes;
    std::size_t done = 0;
    caf::response_promise promise;
  };

  struct Pipe {
    std::unique_ptr<loop::ReaderPipe> to;
    Waiters::Id offer = 0;  // the last one; none is under way while the pipe is full
  };

  struct Limit {
    Loop::TimerId timer = 0;
    bool over = false;
  };
  using LimitPtr = std::shared_ptr<Limit>;

  void attach(UniqueFd line);
  void detach(const std::string& why);
  void read_line();
  void write_line();
  void queue(std::string bytes, caf::response_promise promise);
  void update();
  /// Ends a waiter after `timeout`, at once where there is none; lifted when it is answered.
  void limit(const LimitPtr& limit, Waiters::Id id, caf::timespan timeout);
  void lift(Limit& limit);
  void schedule_wakeup();
  /// Reads by `queue`, which is given what to do with it.
  template <class Queue>
  caf::result<std::string> read(caf::timespan timeout, Queue queue);
  // -- pipes by which users read
  void add_pipe(UniqueFd pipe);
  void offer_to(int pipe);
  std::size_t write_pipe(int pipe, std::array<std::string_view, 2> bytes);
  void drop_pipe(int pipe);
  /// Runs a conversation; `give` answers the promise once it has succeeded.
  template <class Talk, class Give>
  void converse(std::shared_ptr<Talk> talk, caf::timespan timeout, caf::response_promise promise,
                Give give);

  Self self_;
  loop::EpollLoop& loop_;
  Waiters waiters_;
  UniqueFd line_;
  std::deque<Write> writes_;
  Loop::TimerId wakeup_ = 0;
  std::map<int, Pipe> pipes_;  // by their descriptors
};

}  // namespace capsa::console
