#include <backends/kvm/boot/handover.hpp>
#include <cstring>
#include <vector>

namespace capsa::kvm {
namespace {

// All little-endian, without padding; an address of 0 means that there is none.
struct StartInfo {
  std::uint32_t magic = 0x336EC578;
  std::uint32_t version = 1;
  std::uint32_t flags = 0;
  std::uint32_t modules = 0;
  std::uint64_t module_list = 0;
  std::uint64_t command_line = 0;
  std::uint64_t rsdp = 0;
  std::uint64_t memory_map = 0;
  std::uint32_t memory_map_entries = 0;
  std::uint32_t reserved = 0;
};
static_assert(sizeof(StartInfo) == 56);

struct Module {
  std::uint64_t address = 0;
  std::uint64_t size = 0;
  std::uint64_t command_line = 0;
  std::uint64_t reserved = 0;
};
static_assert(sizeof(Module) == 32);

struct MapEntry {
  std::uint64_t address = 0;
  std::uint64_t size = 0;
  std::uint32_t type = 0;
  std::uint32_t reserved = 0;
};
static_assert(sizeof(MapEntry) == 24);

constexpr GuestAddress kModuleAddress = kStartInfoAddress + sizeof(StartInfo);
constexpr GuestAddress kMapAddress = kModuleAddress + sizeof(Module);
static_assert(kMapAddress + kMaxMemoryMap * sizeof(MapEntry) <= kZeroPageAddress);

}  // namespace

bool write_start_info(const memory::GuestMemory& memory, const Handover& handover) {
  StartInfo info;
  Module module;
  if (handover.initrd) {
    module.address = handover.initrd->address;
    module.size = handover.initrd->size;
    info.modules = 1;
    info.module_list = kModuleAddress;
  }
  info.command_line = kCommandLineAddress;
  info.rsdp = handover.rsdp.value_or(0);
  info.memory_map = kMapAddress;
  info.memory_map_entries = static_cast<std::uint32_t>(handover.map.size());
  std::vector<MapEntry> map;
  map.reserve(handover.map.size());
  for (const auto& entry : handover.map)
    map.push_back({entry.address, entry.size, static_cast<std::uint32_t>(entry.type), 0});
  return memory.store(kStartInfoAddress, info) && memory.store(kModuleAddress, module) &&
         memory.write(kMapAddress, std::as_bytes(std::span(map)));
}

}  // namespace capsa::kvm
