#pragma once

#include <actors/loop/loop_actor.hpp>
#include <actors/protocol/internal.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace capsa::vsock_units::test {

using protocol::ConnectionId;

/// What an actor was told, from its thread to the test's.
class Notes {
 public:
  void add(std::string note) {
    const std::lock_guard lock(mutex_);
    notes_.push_back(std::move(note));
  }
  /// How many begin with `start`.
  std::size_t count(const std::string& start) const {
    const std::lock_guard lock(mutex_);
    std::size_t found = 0;
    for (const auto& note : notes_)
      found += note.starts_with(start) ? 1 : 0;
    return found;
  }
  /// Everything since the last call, joined by "; ".
  std::string take() {
    const std::lock_guard lock(mutex_);
    std::string joined;
    for (const auto& note : std::exchange(notes_, {}))
      joined += (joined.empty() ? "" : "; ") + note;
    return joined;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> notes_;
};

/// Waits until something is so.
inline void wait_until(const std::function<bool()>& so) {
  for (int i = 0; i < 4000 && !so(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  BOOST_TEST_REQUIRE(so());
}

/// A system with one loop, and an actor on it that is tested.
template <class Handle>
class Fixture {
 public:
  Fixture() : system(config_), loop(system) {}

  /// For the destructor of what is derived, whose members the actors use.
  void end() {
    caf::anon_send_exit(unit, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(other, caf::exit_reason::user_shutdown);
    unit = nullptr;
    other = nullptr;
    system.await_all_actors_done();
    loop.stop();
  }

  template <class... Ts>
  void tell(Ts&&... xs) {
    caf::anon_send(unit, std::forward<Ts>(xs)...);
  }
  /// Waits until the unit has handled this request, and so all that it was told before.
  template <class... Ts>
  void ask(Ts&&... xs) {
    caf::scoped_actor self(system);
    bool answered = false;
    self->request(caf::actor_cast<caf::actor>(unit), std::chrono::seconds(20),
                  std::forward<Ts>(xs)...)
        .receive([&] { answered = true; },
                 [&](const caf::error& why) { answered = why != caf::sec::request_timeout; });
    BOOST_TEST_REQUIRE(answered);
  }

  Notes notes;

 private:
  struct Config : caf::actor_system_config {
    Config() { actors::configure(*this); }
  };
  Config config_;

 public:
  caf::actor_system system;
  loop::EpollLoop loop;
  Handle unit;
  caf::actor other;  // whom the test plays
};

inline std::string flags(bool no_more_receive, bool no_more_send) {
  return std::string(no_more_receive ? "r" : "-") + (no_more_send ? "s" : "-");
}

}  // namespace capsa::vsock_units::test
