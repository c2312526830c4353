#pragma once

#include <caf/all.hpp>

namespace capsa::protocol {

/// What CAF's default handlers would print to standard output: a library prints nothing there. An
/// exception that reaches an actor ends it with an error its monitors see; a message that it does
/// not know is answered with one.
void set_defaults(caf::scheduled_actor& actor);

/// Ends an actor before whatever waits in its mailbox: an ordinary exit message waits its turn.
void kill_now(const caf::strong_actor_ptr& actor,
              caf::error reason = caf::exit_reason::user_shutdown);

template <class Handle>
void kill_now(const Handle& handle) {
  if (handle) kill_now(caf::actor_cast<caf::strong_actor_ptr>(handle));
}

/// Ends an actor from a callback of its loop. quit() would do nothing there: CAF looks at it only
/// behind a message.
template <class Self>
void end_from_loop(Self* self, caf::error reason = caf::exit_reason::user_shutdown) {
  kill_now(caf::actor_cast<caf::strong_actor_ptr>(self), std::move(reason));
}

}  // namespace capsa::protocol
