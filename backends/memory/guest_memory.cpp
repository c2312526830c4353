#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <backends/memory/guest_memory.hpp>
#include <limits>
#include <string>

namespace capsa::memory {
namespace {

std::uint64_t page_size() {
  static const auto size = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return size;
}

/// Whether base+length runs past the end of the address space.
bool wraps(std::uint64_t base, std::uint64_t length) {
  return length != 0 && length - 1 > std::numeric_limits<std::uint64_t>::max() - base;
}

error bad_region(const RegionSpec& spec, std::string_view what) {
  return {ErrorCode::InvalidConfig, "guest memory region at " + std::to_string(spec.guest_address) +
                                        ": " + std::string(what)};
}

/// Whether every page of the file stays there: touching one that is gone is a SIGBUS, and whoever
/// else has the file open (a hypervisor that its guest took over) could take it away at any time.
result<void> check_lasting(const RegionSpec& spec) {
  // Only memfds can be sealed; QEMU's memory-backend-memfd is, unless told otherwise (seal=on).
  const int seals = ::fcntl(spec.fd, F_GET_SEALS);
  if (seals < 0 && errno != EINVAL) return error_from_errno(errno, "F_GET_SEALS of guest memory");
  if (seals < 0 || (seals & F_SEAL_SHRINK) == 0) {
    return bad_region(spec, "its file is not sealed against shrinking (F_SEAL_SHRINK)");
  }
  struct statfs file_system = {};
  if (::fstatfs(spec.fd, &file_system) != 0) {
    return error_from_errno(errno, "fstatfs of guest memory");
  }
  // A hole punched into one of these may find no huge page left to fill it with.
  if (file_system.f_type == HUGETLBFS_MAGIC) return bad_region(spec, "its file has huge pages");
  return {};
}

result<void> check(const RegionSpec& spec) {
  if (spec.size == 0) return bad_region(spec, "it is empty");
  if (wraps(spec.guest_address, spec.size)) return bad_region(spec, "its addresses wrap");
  if (wraps(spec.user_address, spec.size)) return bad_region(spec, "its user addresses wrap");
  // mmap(2) takes a signed offset.
  constexpr std::uint64_t kMaxFile = std::numeric_limits<std::int64_t>::max();
  if (spec.file_offset > kMaxFile || spec.size > kMaxFile - spec.file_offset) {
    return bad_region(spec, "it does not fit into a file");
  }
  if (auto lasting = check_lasting(spec); !lasting) return lasting;
  struct stat status = {};
  // Only now: a sealed file is never again shorter than it is seen to be.
  if (::fstat(spec.fd, &status) != 0) return error_from_errno(errno, "fstat of guest memory");
  if (static_cast<std::uint64_t>(status.st_size) < spec.file_offset + spec.size) {
    return bad_region(spec, "its file is too short");
  }
  return {};
}

result<std::byte*> map_one(const RegionSpec& spec) {
  // Sections that QEMU splits out of one file begin anywhere; mmap(2) wants whole pages.
  const std::uint64_t lead = spec.file_offset % page_size();
  void* base = ::mmap(nullptr, spec.size + lead, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
                      spec.fd, static_cast<off_t>(spec.file_offset - lead));
  if (base == MAP_FAILED) return error_from_errno(errno, "mmap of guest memory");
  // A core file of ours has no business carrying the guest's secrets. Advice only.
  ::madvise(base, spec.size + lead, MADV_DONTDUMP);
  return static_cast<std::byte*>(base) + lead;
}

/// A page of the file is one of the mapping: map_one() begins where the file's pages do.
bool whole_pages(std::span<std::byte> bytes) {
  return reinterpret_cast<std::uintptr_t>(bytes.data()) % page_size() == 0 &&
         bytes.size() % page_size() == 0;
}

bool give_back(std::span<std::byte> pages) {
  return ::madvise(pages.data(), pages.size(), MADV_REMOVE) == 0;
}

}  // namespace

result<std::shared_ptr<const GuestMemory>> GuestMemory::map(std::span<const RegionSpec> regions) {
  if (regions.size() > kMaxRegions) {
    return error(ErrorCode::InvalidConfig, "guest memory has " + std::to_string(regions.size()) +
                                               " regions; at most " + std::to_string(kMaxRegions) +
                                               " are allowed");
  }
  std::vector<RegionSpec> sorted(regions.begin(), regions.end());
  std::sort(sorted.begin(), sorted.end(), [](const RegionSpec& a, const RegionSpec& b) {
    return a.guest_address < b.guest_address;
  });
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    if (auto checked = check(sorted[i]); !checked) return checked.error();
    if (i != 0 && sorted[i].guest_address - sorted[i - 1].guest_address < sorted[i - 1].size) {
      return bad_region(sorted[i], "it overlaps another region");
    }
  }
  // Regions are entered as they are mapped: whatever was mapped is unmapped on the way out.
  auto memory = std::shared_ptr<GuestMemory>(new GuestMemory());
  memory->regions_.reserve(sorted.size());
  for (const auto& spec : sorted) {
    auto host = map_one(spec);
    if (!host) return host.error();
    memory->regions_.push_back({spec.guest_address, spec.size, spec.user_address, *host});
  }
  return std::shared_ptr<const GuestMemory>(std::move(memory));
}

GuestMemory::~GuestMemory() {
  for (const auto& region : regions_) {
    const auto lead = reinterpret_cast<std::uintptr_t>(region.host) % page_size();
    ::munmap(region.host - lead, region.size + lead);
  }
}

const GuestMemory::Region* GuestMemory::region_of(GuestAddress address) const {
  // The last region that begins at or before the address is the only one that can hold it.
  auto after = std::upper_bound(
      regions_.begin(), regions_.end(), address,
      [](GuestAddress value, const Region& region) { return value < region.guest_address; });
  if (after == regions_.begin()) return nullptr;
  const Region& region = *--after;
  return address - region.guest_address < region.size ? &region : nullptr;
}

std::optional<std::span<std::byte>> GuestMemory::slice_beginning(GuestAddress address,
                                                                 std::uint64_t length) const {
  if (length == 0) return std::span<std::byte>();
  const Region* region = region_of(address);
  if (region == nullptr) return std::nullopt;
  const std::uint64_t offset = address - region->guest_address;
  return std::span(region->host + offset, std::min(length, region->size - offset));
}

std::optional<std::span<std::byte>> GuestMemory::slice(GuestAddress address,
                                                       std::uint64_t length) const {
  const auto beginning = slice_beginning(address, length);
  if (!beginning || beginning->size() != length) return std::nullopt;
  return beginning;
}

bool GuestMemory::read(GuestAddress address, std::span<std::byte> out) const {
  const auto bytes = slice(address, out.size());
  if (!bytes) return false;
  if (!out.empty()) std::memcpy(out.data(), bytes->data(), out.size());
  return true;
}

bool GuestMemory::write(GuestAddress address, std::span<const std::byte> in) const {
  const auto bytes = slice(address, in.size());
  if (!bytes) return false;
  if (!in.empty()) std::memcpy(bytes->data(), in.data(), in.size());
  return true;
}

bool GuestMemory::discard(GuestAddress address, std::uint64_t length) const {
  // A region may end where the address space does: a range must not go on at 0.
  if (wraps(address, length)) return false;
  // All of it is looked at before any of it goes. At most one piece per region.
  std::array<std::span<std::byte>, kMaxRegions> pieces;
  std::size_t count = 0;
  while (length != 0) {
    const auto piece = slice_beginning(address, length);
    if (!piece || !whole_pages(*piece)) return false;
    pieces[count++] = *piece;
    address += piece->size();
    length -= piece->size();
  }
  return std::all_of(pieces.begin(), pieces.begin() + static_cast<std::ptrdiff_t>(count),
                     give_back);
}

bool GuestMemory::discard(std::span<std::byte> bytes) const {
  if (bytes.empty()) return true;
  const bool ours = std::any_of(regions_.begin(), regions_.end(), [bytes](const Region& region) {
    // Compared as numbers: the pointers may belong to different mappings.
    const auto begin = reinterpret_cast<std::uintptr_t>(region.host);
    const auto at = reinterpret_cast<std::uintptr_t>(bytes.data());
    return at >= begin && at - begin < region.size && bytes.size() <= region.size - (at - begin);
  });
  return ours && whole_pages(bytes) && give_back(bytes);
}

std::optional<GuestAddress> GuestMemory::from_user_address(std::uint64_t user_address,
                                                           std::uint64_t length) const {
  for (const auto& region : regions_) {
    if (region.user_address == 0 || user_address < region.user_address) continue;
    const std::uint64_t offset = user_address - region.user_address;
    if (offset < region.size && length <= region.size - offset) {
      return region.guest_address + offset;
    }
  }
  return std::nullopt;
}

std::uint64_t GuestMemory::size() const noexcept {
  std::uint64_t total = 0;
  for (const auto& region : regions_)
    total += region.size;
  return total;
}

}  // namespace capsa::memory
