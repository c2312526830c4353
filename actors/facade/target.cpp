#include <actors/facade/target.hpp>

namespace capsa::facade {

namespace {

// What an actor takes at most until a message has its turn, unless something is wrong.
constexpr std::chrono::nanoseconds kTurn = std::chrono::seconds(1);

caf::error ended() {
  return protocol::to_caf(
      {ErrorCode::NotRunning, "the VM has ended, or its runtime was shut down"});
}

}  // namespace

/// Takes the first response or time-out of one request; whatever comes later finds nothing pending.
class Target::ReplyPort final : public caf::monitorable_actor {
 public:
  ReplyPort(caf::actor_config& config, std::weak_ptr<Target> target, std::uint64_t id)
      : monitorable_actor(config), target_(std::move(target)), id_(id) {}

  using caf::abstract_actor::enqueue;
  void enqueue(caf::mailbox_element_ptr element, caf::execution_unit*) override {
    if (!element->mid.is_response()) return;
    const auto target = target_.lock();
    if (!target) return;
    const auto on_reply = target->remove(id_);
    if (!on_reply) return;
    auto message = element->move_content_to_message();
    if (message.size() == 1 && message.match_element<caf::error>(0)) {
      const auto& why = message.get_as<caf::error>(0);
      on_reply(nullptr, &why);
    } else {
      on_reply(&message, nullptr);
    }
  }
  const char* name() const override { return "capsa.reply-port"; }

 private:
  std::weak_ptr<Target> target_;
  std::uint64_t id_;
};

Target::Target(caf::actor_system& system, caf::strong_actor_ptr actor, detail::Post post)
    : system_(system), actor_(std::move(actor)), post_(std::move(post)) {}

std::shared_ptr<Target> Target::make(caf::actor_system& system, caf::strong_actor_ptr actor,
                                     detail::Post post) {
  std::shared_ptr<Target> target(new Target(system, std::move(actor), std::move(post)));
  // Weak: the actor may well outlive the handles.
  target->actor_->get()->attach_functor([weak = std::weak_ptr<Target>(target)](const caf::error&) {
    if (const auto alive = weak.lock()) alive->fail_all();
  });
  return target;
}

std::uint64_t Target::add(OnReply on_reply) {
  std::lock_guard lock(mutex_);
  if (down_) return 0;
  pending_.emplace(next_, std::move(on_reply));
  keep_ = shared_from_this();
  return next_++;
}

Target::OnReply Target::remove(std::uint64_t id) {
  std::shared_ptr<Target> last;  // destroyed behind the lock
  std::lock_guard lock(mutex_);
  const auto it = pending_.find(id);
  if (it == pending_.end()) return nullptr;
  auto out = std::move(it->second);
  pending_.erase(it);
  if (pending_.empty()) last = std::move(keep_);
  return out;
}

void Target::fail_all() {
  std::map<std::uint64_t, OnReply> pending;
  std::shared_ptr<Target> last;
  {
    std::lock_guard lock(mutex_);
    down_ = true;
    pending.swap(pending_);
    last = std::move(keep_);
  }
  const auto why = ended();
  for (const auto& [id, on_reply] : pending)
    on_reply(nullptr, &why);
}

void Target::send(Deadline deadline, caf::message content, OnReply on_reply) {
  const auto keep = on_reply;
  const auto id = add(std::move(on_reply));
  if (id == 0) {
    const auto why = ended();
    keep(nullptr, &why);
    return;
  }
  const bool only_looks = deadline.passed();
  enqueue(id, only_looks ? Deadline() : deadline, std::move(content));
  if (only_looks) check_behind(id);
}

void Target::enqueue(std::uint64_t id, const Deadline& deadline, caf::message content) {
  caf::actor_config config;
  auto port = caf::make_actor<ReplyPort, caf::strong_actor_ptr>(
      system_.next_actor_id(), system_.node(), &system_, config, weak_from_this(), id);
  const auto request = caf::make_message_id(caf::normal_message_priority_constant{}, 1);
  if (deadline.at())
    system_.clock().set_request_timeout(*deadline.at(), caf::actor_cast<caf::abstract_actor*>(port),
                                        request.response_id());
  actor_->get()->enqueue(
      caf::make_mailbox_element(std::move(port), request, {}, std::move(content)), nullptr);
}

/// Ends request `id` where it is still pending once the actor has dealt with it: a second request
/// behind it, of a kind that CAF answers for every actor in its turn, tells when that is.
void Target::check_behind(std::uint64_t id) {
  const auto fence = add([this, id](caf::message*, const caf::error*) {
    const auto why = caf::make_error(caf::sec::request_timeout);
    if (const auto late = remove(id)) late(nullptr, &why);
  });
  if (fence != 0)
    enqueue(fence, kTurn,
            caf::make_message(caf::sys_atom::value, caf::get_atom::value, std::string("info")));
}

}  // namespace capsa::facade
