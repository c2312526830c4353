#pragma once

#include <actors/facade/make_vm.hpp>
#include <optional>

namespace capsa::detail {

/// Behind ReservedVm and PooledVm: destroys the VM when it goes. Holds the runtime only once it is
/// a user's: the pool's actor, which has it before, ends before the runtime does.
class ReservationImpl {
 public:
  explicit ReservationImpl(facade::MadeVm made) : made_(std::move(made)) {}
  ~ReservationImpl() { destroy(); }
  ReservationImpl(const ReservationImpl&) = delete;
  ReservationImpl& operator=(const ReservationImpl&) = delete;

  /// Once, by whoever hands it to a user.
  void make_handle(const std::shared_ptr<RuntimeImpl>& runtime) {
    vm_ = facade::handle_of(runtime, made_);
  }
  const VmHandle& vm() const { return *vm_; }
  const caf::strong_actor_ptr& actor() const noexcept { return made_.actor; }
  /// The actor ends with the VM, and whatever handles there are find it gone.
  void destroy() const {
    caf::anon_send(caf::actor_cast<caf::actor>(made_.actor), protocol::drop_atom_v);
  }

 private:
  const facade::MadeVm made_;
  std::optional<VmHandle> vm_;
};

}  // namespace capsa::detail
