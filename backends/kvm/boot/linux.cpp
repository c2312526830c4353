#include <backends/kvm/boot/boot_file.hpp>
#include <backends/kvm/boot/handover.hpp>
#include <backends/kvm/boot/initrd.hpp>
#include <backends/kvm/boot/kernel_plan.hpp>
#include <backends/kvm/boot/linux.hpp>
#include <backends/kvm/boot/page_tables.hpp>

namespace capsa::kvm {
namespace {

// Intel SDM volume 3, 2.5 and 2.2.1.
constexpr std::uint64_t kCr0ProtectionEnable = 1 << 0;
constexpr std::uint64_t kCr0Paging = 1U << 31;
constexpr std::uint64_t kCr4Pae = 1 << 5;
constexpr std::uint64_t kEferLongModeEnable = 1 << 8;
constexpr std::uint64_t kEferLongModeActive = 1 << 10;

static_assert(kGdtAddress + sizeof(Gdt) <= kStartInfoAddress);
static_assert(kPageTablesAddress + kPageTablesSize <= kCommandLineAddress);
static_assert(kCommandLineAddress + kCommandLineSize <= kLowMemoryEnd);

result<void> check_memory(const memory::GuestMemory& memory, std::uint64_t memory_mb) {
  for (const auto& range : ram_ranges(memory_mb)) {
    if (!memory.slice(range.address, range.size)) {
      return error(ErrorCode::InvalidConfig, "the memory of the machine does not have the RAM at " +
                                                 std::to_string(range.address));
    }
  }
  return {};
}

result<void> check_command_line(std::string_view command_line, std::uint64_t limit) {
  if (command_line.size() > limit) {
    return error(ErrorCode::InvalidConfig,
                 "the kernel's command line has " + std::to_string(command_line.size()) +
                     " bytes; this kernel takes " + std::to_string(limit));
  }
  if (command_line.find('\0') != std::string_view::npos)
    return error(ErrorCode::InvalidConfig, "the kernel's command line has a zero byte in it");
  return {};
}

struct Initrd {
  BootFile file;
  AddressRange place;
};

result<std::optional<Initrd>> plan_initrd(int fd, std::span<const E820Entry> map,
                                          const KernelPlan& kernel) {
  if (fd < 0) return std::optional<Initrd>{};
  const auto file = BootFile::open(fd, "initrd");
  if (!file) return file.error();
  if (file->size() == 0) return file->fault(ErrorCode::InvalidConfig, "is empty");
  const auto place = place_initrd(map, kernel.room, kernel.initrd_limit, file->size());
  if (!place) return place.error();
  return std::optional(Initrd{*file, *place});
}

EntryState entry_state(const KernelPlan& plan) {
  EntryState state;
  state.instruction_pointer = plan.entry;
  state.cr0 = kCr0ProtectionEnable;
  state.start_info_or_params = kStartInfoAddress;
  if (!plan.setup_header.empty()) {
    state.mode = BootMode::Long64;
    state.start_info_or_params = kZeroPageAddress;
    state.page_tables = kPageTablesAddress;
    state.cr0 |= kCr0Paging;
    state.cr4 = kCr4Pae;
    state.efer = kEferLongModeEnable | kEferLongModeActive;
  }
  return state;
}

bool write_tables(const memory::GuestMemory& memory, const KernelPlan& plan,
                  const Handover& handover, const std::string& command_line,
                  const EntryState& state) {
  // With the zero that ends it.
  const std::span line(command_line.c_str(), command_line.size() + 1);
  if (!memory.store(kGdtAddress, make_gdt(state.mode)) ||
      !memory.write(kCommandLineAddress, std::as_bytes(line)))
    return false;
  if (state.mode == BootMode::ProtectedPvh) return write_start_info(memory, handover);
  return write_page_tables(memory) &&
         write_boot_params(memory, handover, plan.setup_header, plan.pieces.front().address);
}

}  // namespace

result<EntryState> load_linux(const memory::GuestMemory& memory, const BootFiles& files) {
  const auto map = memory_map(files.memory_mb, files.reserved);
  if (!map) return map.error();
  if (auto checked = check_memory(memory, files.memory_mb); !checked) return checked.error();
  const auto kernel = BootFile::open(files.kernel_fd, "kernel");
  if (!kernel) return kernel.error();
  const auto plan = plan_kernel(*kernel);
  if (!plan) return plan.error();
  if (auto checked = check_command_line(files.command_line, plan->command_line_limit); !checked)
    return checked.error();
  if (auto checked = check_room(*kernel, *plan, *map); !checked) return checked.error();
  const auto initrd = plan_initrd(files.initrd_fd, *map, *plan);
  if (!initrd) return initrd.error();

  if (auto loaded = load_kernel(memory, *kernel, *plan, files.fresh); !loaded)
    return loaded.error();
  Handover handover{*map, {}, files.rsdp};
  if (*initrd) {
    const auto& [file, place] = **initrd;
    if (auto loaded = copy_to_guest(memory, file, 0, place.address, place.size); !loaded)
      return loaded.error();
    handover.initrd = place;
  }
  const auto state = entry_state(*plan);
  if (!write_tables(memory, *plan, handover, files.command_line, state))
    return error(ErrorCode::Internal, "the first MiB of the machine is not RAM");
  return state;
}

}  // namespace capsa::kvm
