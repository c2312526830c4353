#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <backends/kvm/boot/linux.hpp>
#include <cstdlib>
#include <cstring>
#include <vector>

using namespace capsa;

namespace {

constexpr std::uint64_t kMemoryMb = 64;
constexpr std::uint64_t kInitrdSize = 5000;
/// A stretch of the first MiB that nothing of ours lies in.
constexpr std::uint64_t kFree = 0x30000;
constexpr std::uint64_t kFreeSize = 0x1000;
constexpr kvm::AddressRange kReserved{40 * kvm::kMiB, 0x1000};

/// One guest for all runs: what is loaded is small, and mapping is what would cost.
const memory::GuestMemory& guest() {
  static const auto memory = [] {
    const std::vector<memory::OwnRegion> regions{{0, kMemoryMb * kvm::kMiB}};
    return memory::GuestMemory::allocate(regions).value();
  }();
  return *memory;
}

int new_file() {
  const int fd = ::memfd_create("kernel-image", MFD_CLOEXEC);
  if (fd < 0) std::abort();
  return fd;
}

int initrd() {
  static const int fd = [] {
    const int made = new_file();
    const std::vector<char> bytes(kInitrdSize, 'i');
    if (::write(made, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()))
      std::abort();
    return made;
  }();
  return fd;
}

void fill(std::uint64_t address, std::uint64_t size, int value) {
  std::memset(guest().slice(address, size).value().data(), value, size);
}

void check_filled(std::uint64_t address, std::uint64_t size, int value) {
  const auto bytes = guest().slice(address, size).value();
  for (const auto byte : bytes)
    if (byte != std::byte(value)) std::abort();
}

/// Where the initrd went, as the guest is told.
std::uint64_t initrd_address(const kvm::EntryState& state) {
  if (state.mode == kvm::BootMode::Long64)
    return guest().load<std::uint32_t>(kvm::kZeroPageAddress + 0x218).value();
  const auto module = guest().load<std::uint64_t>(kvm::kStartInfoAddress + 16).value();
  return guest().load<std::uint64_t>(module).value();
}

}  // namespace

/// A kernel's file, loaded beside an initrd, a reserved page and our tables: none of them may be
/// hit, and what comes out must be there to run.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const int kernel = new_file();
  if (::ftruncate(kernel, 0) != 0 || ::pwrite(kernel, data, size, 0) != static_cast<ssize_t>(size))
    std::abort();
  fill(kFree, kFreeSize, 0x5A);
  fill(kReserved.address, kReserved.size, 0x5A);
  kvm::BootFiles files;
  files.kernel_fd = kernel;
  files.initrd_fd = initrd();
  files.command_line = "quiet";
  files.memory_mb = kMemoryMb;
  files.reserved = {kReserved};
  const auto state = kvm::load_linux(guest(), files);
  check_filled(kFree, kFreeSize, 0x5A);
  check_filled(kReserved.address, kReserved.size, 0x5A);
  if (!state) {
    if (state.error().message().empty()) std::abort();
    return 0;
  }
  if (state->instruction_pointer < kvm::kHighMemoryStart ||
      !guest().slice(state->instruction_pointer, 1))
    std::abort();
  check_filled(initrd_address(*state), kInitrdSize, 'i');
  return 0;
}
