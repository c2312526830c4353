#pragma once

#include <capsa/agent_types.hpp>
#include <capsa/result.hpp>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

namespace capsa::protocol {

/// How processes in the guests of one VM have ended, for those who ask when the agent's actor of
/// that boot, which they would have asked, is gone. Thread-safe.
class EndedProcesses {
 public:
  /// The newest are kept: a status is small, and who asks does so soon.
  static constexpr std::size_t kRemembered = 1024;

  /// `link`: the id of the agent's actor; `process`: the id that actor gave it. Once for each.
  void add(std::uint64_t link, std::uint64_t process, result<ExitStatus> end) {
    std::lock_guard lock(mutex_);
    const Key key(link, process);
    if (!ends_.emplace(key, std::move(end)).second) return;
    order_.push_back(key);
    if (order_.size() <= kRemembered) return;
    ends_.erase(order_.front());
    order_.pop_front();
  }

  std::optional<result<ExitStatus>> find(std::uint64_t link, std::uint64_t process) const {
    std::lock_guard lock(mutex_);
    const auto it = ends_.find(Key(link, process));
    if (it == ends_.end()) return std::nullopt;
    return it->second;
  }

 private:
  using Key = std::pair<std::uint64_t, std::uint64_t>;

  mutable std::mutex mutex_;  // guards the rest
  std::map<Key, result<ExitStatus>> ends_;
  std::deque<Key> order_;  // oldest end first
};

}  // namespace capsa::protocol
