#pragma once

#include <capsa/detail/unique_fd.hpp>
#include <capsa/loop.hpp>
#include <functional>
#include <initializer_list>

namespace capsa::agent::guest {

/// Signals of this process as events of the loop. Blocks them for everything else; started
/// programs get the default mask back.
class Signals {
 public:
  Signals(Loop& loop, std::initializer_list<int> signals, std::function<void(int signo)> on_signal);
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

 private:
  void on_ready();

  Loop& loop_;
  UniqueFd fd_;
  std::function<void(int)> on_signal_;
};

}  // namespace capsa::agent::guest
