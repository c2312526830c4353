#pragma once

#include <backends/kvm/system.hpp>
#include <backends/memory/guest_memory.hpp>

namespace capsa::kvm {

/// One virtual machine of KVM: its file, memory slots, interrupt controllers and eventfds. Each
/// call is one ioctl(2); errors are those of Documentation/virt/kvm/api.rst. Thread-safe as the
/// kernel is.
class KvmVm {
 public:
  /// Makes it, with the in-kernel interrupt controllers (PIC, I/O APIC, local APICs). `with_pit`:
  /// and the interval timer, for hosts whose KVM cannot tell a guest its clock rate.
  static result<KvmVm> create(const KvmSystem& system, bool with_pit);

  result<void> set_memory(std::uint32_t slot, memory::GuestAddress address,
                          std::span<std::byte> host) const;
  result<UniqueFd> create_vcpu(unsigned id) const;
  /// Guest writes of the 32-bit `value` to `address` add one to the eventfd and cause no exit.
  result<void> add_ioeventfd(int fd, memory::GuestAddress address, std::uint32_t value) const;
  /// Every write to the eventfd is an edge on the interrupt line.
  result<void> add_irqfd(int fd, unsigned line) const;
  /// Sets the level of an interrupt line.
  void set_line(unsigned line, bool high) const noexcept;
  int fd() const noexcept { return fd_.get(); }

 private:
  explicit KvmVm(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace capsa::kvm
