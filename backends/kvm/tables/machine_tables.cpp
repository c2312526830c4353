#include <backends/kvm/tables/machine_tables.hpp>
#include <string>

namespace capsa::kvm {

namespace {

constexpr std::uint64_t kFourGiB = 0x1'0000'0000;
/// "Virtual Machine Generation ID", Microsoft: the buffer is 8-byte aligned.
constexpr GuestAddress kGenerationIdAlignment = 8;

result<void> check(const VirtioSlot& slot, std::size_t index) {
  const auto named = [&](const char* what) {
    return error(ErrorCode::InvalidConfig, "virtio slot " + std::to_string(index) + ": " + what);
  };
  // Memory32Fixed has 32 bits for each, and no way to say "all of them".
  if (slot.size == 0) return named("no registers");
  if (slot.address >= kFourGiB || slot.size > kFourGiB - slot.address || slot.size == kFourGiB)
    return named("its registers do not lie below 4 GiB");
  // The lines below are of devices that are declared as not sharing theirs.
  if (slot.line < kFirstVirtioLine || slot.line >= kInterruptLines)
    return named("its interrupt line is none of virtio's");
  return {};
}

}  // namespace

result<void> check(const MachineTables& machine) {
  if (machine.cpus == 0 || machine.cpus > kMaxCpus) {
    return error(ErrorCode::InvalidConfig,
                 std::to_string(machine.cpus) + " CPUs: a machine has 1 to 255");
  }
  if (machine.virtio.size() > kMaxVirtioSlots) {
    return error(ErrorCode::ResourceExhausted,
                 std::to_string(machine.virtio.size()) + " virtio devices: too many to name");
  }
  for (std::size_t i = 0; i < machine.virtio.size(); ++i) {
    if (auto fine = check(machine.virtio[i], i); !fine) return fine;
  }
  if (machine.generation_id &&
      (*machine.generation_id == 0 || *machine.generation_id % kGenerationIdAlignment != 0)) {
    return error(ErrorCode::InvalidConfig, "the generation id lies at no multiple of 8");
  }
  return {};
}

}  // namespace capsa::kvm
