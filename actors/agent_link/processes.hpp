#pragma once

#include <agent/host/session.hpp>
#include <capsa/actors.hpp>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace capsa::agent_link {

/// A process that somebody started with handlers. Its end is told once its output has been taken:
/// who has the status has seen all of the output.
struct RunningProcess {
  struct Write {
    std::string bytes;
    std::size_t done = 0;
    caf::response_promise promise;
  };

  std::uint64_t id = 0;
  agent::RequestId request = 0;  ///< in the session that runs it
  OutputHandlers handlers;
  caf::response_promise started;
  std::deque<Write> writes;
  bool close_after_writes = false;
  bool stdin_gone = false;
  std::uint64_t outstanding = 0;  ///< bytes with the handlers
  std::optional<result<ExitStatus>> end;
  std::vector<caf::response_promise> waiters;
  bool told = false;  ///< its end is known beyond this link

  bool over() const { return end.has_value() && outstanding == 0; }
  /// Gives what is queued to the session, as far as the guest has room.
  void pump(agent::Session& session);
  void fail_writes(const capsa::error& why);
  /// Answers the waiters, and whoever still waits for the start, once it is over().
  void settle();
  /// Answers them now.
  void answer(const result<ExitStatus>& with);
};

/// The processes of one link, by the id that the link's users know. Ids are never reused; of the
/// ended ones the newest are kept for those who ask late.
class ProcessTable {
 public:
  /// How many ended processes are remembered: a status is small, and who asks does so soon.
  static constexpr std::size_t kRemembered = 1024;

  std::shared_ptr<RunningProcess> add();
  std::shared_ptr<RunningProcess> find(std::uint64_t id) const;
  /// Notes that a process is over, and forgets those beyond kRemembered whose end is the oldest.
  void ended(std::uint64_t id);
  template <class F>
  void for_each(F f) {
    for (auto& [id, process] : processes_)
      f(*process);
  }

 private:
  std::map<std::uint64_t, std::shared_ptr<RunningProcess>> processes_;
  std::deque<std::uint64_t> ended_;  // oldest end first
  std::uint64_t next_id_ = 1;
};

}  // namespace capsa::agent_link
