#include <actors/protocol/defaults.hpp>
#include <actors/protocol/errors.hpp>

namespace capsa::protocol {

void set_defaults(caf::scheduled_actor& actor) {
  actor.set_exception_handler([](caf::scheduled_actor*, std::exception_ptr& thrown) -> caf::error {
    try {
      std::rethrow_exception(thrown);
    } catch (const capsa::error& e) {
      return to_caf(e);
    } catch (const std::exception& e) {
      return to_caf(capsa::error(ErrorCode::Internal, std::string("an actor threw: ") + e.what()));
    } catch (...) {
      return to_caf(capsa::error(ErrorCode::Internal, "an actor threw"));
    }
  });
  actor.set_default_handler(
      [](caf::scheduled_actor*, caf::message_view&) -> caf::result<caf::message> {
        return caf::sec::unexpected_message;
      });
}

void kill_now(const caf::strong_actor_ptr& actor, caf::error reason) {
  if (!actor) return;
  actor->enqueue(
      caf::make_mailbox_element(nullptr, caf::make_message_id(caf::message_priority::high), {},
                                caf::exit_msg{actor->address(), std::move(reason)}),
      nullptr);
}

}  // namespace capsa::protocol
