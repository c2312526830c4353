#include <asm/bootparam.h>

#include <algorithm>
#include <backends/kvm/boot/handover.hpp>
#include <cstring>

namespace capsa::kvm {
namespace {

constexpr std::uint8_t kLoaderWithoutNumber = 0xff;
constexpr std::uint16_t kVideoModeNormal = 0xffff;

static_assert(sizeof(boot_params) == 4096);
static_assert(kZeroPageAddress + sizeof(boot_params) <= kPageTablesAddress);
static_assert(kMaxMemoryMap <= E820_MAX_ENTRIES_ZEROPAGE);

std::uint32_t low(std::uint64_t value) {
  return static_cast<std::uint32_t>(value);
}
std::uint32_t high(std::uint64_t value) {
  return static_cast<std::uint32_t>(value >> 32);
}

}  // namespace

bool write_boot_params(const memory::GuestMemory& memory, const Handover& handover,
                       std::span<const std::byte> setup_header, GuestAddress kernel) {
  boot_params params = {};
  auto& header = params.hdr;
  std::memcpy(&header, setup_header.data(), std::min(setup_header.size(), sizeof header));
  // Whatever the file said of what is the loader's to say.
  header.vid_mode = kVideoModeNormal;
  header.type_of_loader = kLoaderWithoutNumber;
  header.ext_loader_type = 0;
  header.ext_loader_ver = 0;
  header.loadflags = LOADED_HIGH;
  header.code32_start = low(kernel);
  header.setup_data = 0;
  header.ramdisk_image = 0;
  header.ramdisk_size = 0;
  header.cmd_line_ptr = low(kCommandLineAddress);
  if (handover.initrd) {
    header.ramdisk_image = low(handover.initrd->address);
    header.ramdisk_size = low(handover.initrd->size);
    params.ext_ramdisk_image = high(handover.initrd->address);
    params.ext_ramdisk_size = high(handover.initrd->size);
  }
  params.acpi_rsdp_addr = handover.rsdp.value_or(0);
  for (const auto& entry : handover.map) {
    params.e820_table[params.e820_entries++] = {entry.address, entry.size,
                                                static_cast<__u32>(entry.type)};
  }
  return memory.store(kZeroPageAddress, params);
}

}  // namespace capsa::kvm
