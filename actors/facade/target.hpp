#pragma once

#include <actors/facade/deadline.hpp>
#include <actors/protocol/errors.hpp>
#include <caf/all.hpp>
#include <capsa/future.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>

namespace capsa::facade {

/// An actor behind a handle, for requests from outside of any actor. A request is one message and
/// one reply port, without a thread or a scoped actor. It ends in one of three ways: the answer,
/// its deadline, or the end of the actor, which this object watches once for all requests (CAF
/// itself never answers a request whose promise was dropped). Thread-safe.
class Target : public std::enable_shared_from_this<Target> {
 public:
  static std::shared_ptr<Target> make(caf::actor_system& system, caf::strong_actor_ptr actor,
                                      detail::Post post);

  /// Sends `xs`; `R` is what the actor answers (void for an empty answer). A deadline that has
  /// passed is an immediate check: what the actor answers in its turn counts, what it would have to
  /// wait for is a time-out.
  template <class R, class... Ts>
  future<R> ask(Deadline deadline, Ts&&... xs);
  /// The same, handing the answer to a function on the answering actor's thread.
  template <class R, class F, class... Ts>
  void ask_then(Deadline deadline, F on_answer, Ts&&... xs);

  template <class... Ts>
  void tell(Ts&&... xs) const {
    caf::anon_send(caf::actor_cast<caf::actor>(actor_), std::forward<Ts>(xs)...);
  }

  const caf::strong_actor_ptr& actor() const noexcept { return actor_; }
  /// Whether the actor has ended.
  bool down() const {
    std::lock_guard lock(mutex_);
    return down_;
  }
  const detail::Post& post() const noexcept { return post_; }
  caf::actor_system& system() const noexcept { return system_; }

 private:
  /// Gets the answer as a message, or the error.
  using OnReply = std::function<void(caf::message*, const caf::error*)>;
  class ReplyPort;

  Target(caf::actor_system& system, caf::strong_actor_ptr actor, detail::Post post);
  void send(Deadline deadline, caf::message content, OnReply on_reply);
  void enqueue(std::uint64_t id, const Deadline& deadline, caf::message content);
  void check_behind(std::uint64_t id);
  std::uint64_t add(OnReply on_reply);
  OnReply remove(std::uint64_t id);
  void fail_all();

  caf::actor_system& system_;
  caf::strong_actor_ptr actor_;
  detail::Post post_;
  mutable std::mutex mutex_;  // guards what follows
  std::map<std::uint64_t, OnReply> pending_;
  std::shared_ptr<Target> keep_;  // this, while a request is pending: its future must be answered
  std::uint64_t next_ = 1;
  bool down_ = false;
};

template <class R, class F, class... Ts>
void Target::ask_then(Deadline deadline, F on_answer, Ts&&... xs) {
  send(deadline, caf::make_message(std::forward<Ts>(xs)...),
       [on_answer = std::move(on_answer)](caf::message* answer, const caf::error* why) mutable {
         if (why != nullptr) return on_answer(result<R>(protocol::from_caf(*why)));
         if constexpr (std::is_void_v<R>) {
           on_answer(result<void>());
         } else if (answer->match_elements<R>()) {
           on_answer(result<R>(std::move(answer->get_mutable_as<R>(0))));
         } else {
           on_answer(result<R>(capsa::error(ErrorCode::Internal, "unexpected answer of an actor")));
         }
       });
}

template <class R, class... Ts>
future<R> Target::ask(Deadline deadline, Ts&&... xs) {
  promise<R> p(post_);
  ask_then<R>(
      deadline, [p](result<R> value) { p.set(std::move(value)); }, std::forward<Ts>(xs)...);
  return p.get_future();
}

}  // namespace capsa::facade
