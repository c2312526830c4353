#include <sys/mman.h>
#include <unistd.h>

#include <backends/kvm/boot/guest_copy.hpp>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23  // Linux 5.14
#endif

namespace capsa::kvm {
namespace {

/// Makes the pages that lie in it whole at one call instead of at one fault each. Advice: what it
/// does not do is done by the faults.
void populate(std::span<std::byte> bytes) {
  static const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t lead = (page - reinterpret_cast<std::uintptr_t>(bytes.data()) % page) % page;
  if (bytes.size() < lead + page) return;
  static_cast<void>(
      ::madvise(bytes.data() + lead, (bytes.size() - lead) / page * page, MADV_POPULATE_WRITE));
}

}  // namespace

result<void> copy_to_guest(const memory::GuestMemory& memory, const BootFile& file,
                           std::uint64_t offset, memory::GuestAddress address, std::uint64_t size) {
  const auto bytes = memory.slice(address, size);
  if (!bytes) return error(ErrorCode::Internal, "what is to be loaded lies outside of RAM");
  populate(*bytes);
  return file.read(offset, *bytes);
}

}  // namespace capsa::kvm
