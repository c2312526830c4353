#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <backends/memory/guest_memory.hpp>
#include <cerrno>
#include <limits>
#include <string>
#include <utility>

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

error bad_region(GuestAddress address, std::string_view what) {
  return {ErrorCode::InvalidConfig,
          "guest memory region at " + std::to_string(address) + ": " + std::string(what)};
}

/// Whether every page of the file stays there: touching one that is gone is a SIGBUS, and whoever
/// else has the file open (a hypervisor that its guest took over) could take it away at any time.
result<void> check_lasting(const RegionSpec& spec) {
  // Only memfds can be sealed; QEMU's memory-backend-memfd is, unless told otherwise (seal=on).
  const int seals = ::fcntl(spec.fd, F_GET_SEALS);
  if (seals < 0 && errno != EINVAL) return error_from_errno(errno, "F_GET_SEALS of guest memory");
  if (seals < 0 || (seals & F_SEAL_SHRINK) == 0) {
    return bad_region(spec.guest_address,
                      "its file is not sealed against shrinking (F_SEAL_SHRINK)");
  }
  struct statfs file_system = {};
  if (::fstatfs(spec.fd, &file_system) != 0) {
    return error_from_errno(errno, "fstatfs of guest memory");
  }
  // A hole punched into one of these may find no huge page left to fill it with.
  if (file_system.f_type == HUGETLBFS_MAGIC)
    return bad_region(spec.guest_address, "its file has huge pages");
  return {};
}

result<void> check_place(GuestAddress address, std::uint64_t size) {
  if (size == 0) return bad_region(address, "it is empty");
  if (wraps(address, size)) return bad_region(address, "its addresses wrap");
  return {};
}

result<void> check(const RegionSpec& spec) {
  if (auto place = check_place(spec.guest_address, spec.size); !place) return place;
  if (wraps(spec.user_address, spec.size))
    return bad_region(spec.guest_address, "its user addresses wrap");
  // mmap(2) takes a signed offset.
  constexpr std::uint64_t kMaxFile = std::numeric_limits<std::int64_t>::max();
  if (spec.file_offset > kMaxFile || spec.size > kMaxFile - spec.file_offset) {
    return bad_region(spec.guest_address, "it does not fit into a file");
  }
  if (auto lasting = check_lasting(spec); !lasting) return lasting;
  struct stat status = {};
  // Only now: a sealed file is never again shorter than it is seen to be.
  if (::fstat(spec.fd, &status) != 0) return error_from_errno(errno, "fstat of guest memory");
  if (static_cast<std::uint64_t>(status.st_size) < spec.file_offset + spec.size) {
    return bad_region(spec.guest_address, "its file is too short");
  }
  return {};
}

result<void> check(const OwnRegion& region) {
  return check_place(region.guest_address, region.size);
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

/// The guest's huge pages are the host's only where both begin at a multiple of their size.
constexpr std::uint64_t kHugePage = std::uint64_t{2} << 20;

result<std::byte*> allocate_one(const OwnRegion& region) {
  if (region.size > std::numeric_limits<std::uint64_t>::max() - 2 * kHugePage)
    return bad_region(region.guest_address, "it does not fit into memory");
  void* base = ::mmap(nullptr, region.size + kHugePage, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) return error_from_errno(errno, "mmap of guest memory");
  auto* const begin = static_cast<std::byte*>(base);
  const auto lead = (region.guest_address - reinterpret_cast<std::uintptr_t>(begin)) % kHugePage;
  const std::uint64_t end = (lead + region.size + page_size() - 1) / page_size() * page_size();
  if (lead != 0) ::munmap(begin, lead);
  if (end < region.size + kHugePage) ::munmap(begin + end, region.size + kHugePage - end);
  std::byte* const host = begin + lead;
  // A child of the program would double what the guest writes to from then on. Advice, all three.
  ::madvise(host, region.size, MADV_DONTFORK);
  ::madvise(host, region.size, MADV_DONTDUMP);
  // 4 KiB at a time, a boot is mostly page faults: each stops the guest and is one of ours, too.
  ::madvise(host, region.size, MADV_HUGEPAGE);
  return host;
}

/// A page of the file is one of the mapping: map_one() begins where the file's pages do.
bool whole_pages(std::span<std::byte> bytes) {
  return reinterpret_cast<std::uintptr_t>(bytes.data()) % page_size() == 0 &&
         bytes.size() % page_size() == 0;
}

bool give_back(std::span<std::byte> pages, bool own) {
  return ::madvise(pages.data(), pages.size(), own ? MADV_DONTNEED : MADV_REMOVE) == 0;
}

template <class Spec>
result<std::vector<Spec>> checked(std::span<const Spec> regions) {
  if (regions.size() > GuestMemory::kMaxRegions) {
    return error(ErrorCode::InvalidConfig,
                 "guest memory has " + std::to_string(regions.size()) + " regions; at most " +
                     std::to_string(GuestMemory::kMaxRegions) + " are allowed");
  }
  std::vector<Spec> sorted(regions.begin(), regions.end());
  std::sort(sorted.begin(), sorted.end(),
            [](const Spec& a, const Spec& b) { return a.guest_address < b.guest_address; });
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    if (auto fine = check(sorted[i]); !fine) return fine.error();
    if (i != 0 && sorted[i].guest_address - sorted[i - 1].guest_address < sorted[i - 1].size) {
      return bad_region(sorted[i].guest_address, "it overlaps another region");
    }
  }
  return sorted;
}

}  // namespace

result<std::shared_ptr<const GuestMemory>> GuestMemory::map(std::span<const RegionSpec> regions) {
  const auto sorted = checked(regions);
  if (!sorted) return sorted.error();
  // Regions are entered as they are mapped: whatever was mapped is unmapped on the way out.
  auto memory = std::shared_ptr<GuestMemory>(new GuestMemory());
  memory->regions_.reserve(sorted->size());
  for (const auto& spec : *sorted) {
    auto host = map_one(spec);
    if (!host) return host.error();
    memory->regions_.push_back({spec.guest_address, spec.size, spec.user_address, *host, false});
  }
  return std::shared_ptr<const GuestMemory>(std::move(memory));
}

result<std::shared_ptr<const GuestMemory>> GuestMemory::allocate(
    std::span<const OwnRegion> regions) {
  const auto sorted = checked(regions);
  if (!sorted) return sorted.error();
  auto memory = std::shared_ptr<GuestMemory>(new GuestMemory());
  memory->regions_.reserve(sorted->size());
  for (const auto& region : *sorted) {
    auto host = allocate_one(region);
    if (!host) return host.error();
    memory->regions_.push_back({region.guest_address, region.size, 0, *host, true});
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
  std::array<std::pair<std::span<std::byte>, bool>, kMaxRegions> pieces;
  std::size_t count = 0;
  while (length != 0) {
    const auto piece = slice_beginning(address, length);
    if (!piece || !whole_pages(*piece)) return false;
    pieces[count++] = {*piece, region_of(address)->own};
    address += piece->size();
    length -= piece->size();
  }
  return std::all_of(pieces.begin(), pieces.begin() + static_cast<std::ptrdiff_t>(count),
                     [](const auto& piece) { return give_back(piece.first, piece.second); });
}

bool GuestMemory::discard(std::span<std::byte> bytes) const {
  if (bytes.empty()) return true;
  const auto ours = std::find_if(regions_.begin(), regions_.end(), [bytes](const Region& region) {
    // Compared as numbers: the pointers may belong to different mappings.
    const auto begin = reinterpret_cast<std::uintptr_t>(region.host);
    const auto at = reinterpret_cast<std::uintptr_t>(bytes.data());
    return at >= begin && at - begin < region.size && bytes.size() <= region.size - (at - begin);
  });
  return ours != regions_.end() && whole_pages(bytes) && give_back(bytes, ours->own);
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

result<std::uint64_t> GuestMemory::resident() const {
  // In pieces: the kernel answers with a byte for each page.
  std::vector<unsigned char> pages(4096);
  const std::uint64_t piece = pages.size() * page_size();
  std::uint64_t count = 0;
  for (const auto& region : regions_) {
    const auto lead = reinterpret_cast<std::uintptr_t>(region.host) % page_size();
    std::byte* const begin = region.host - lead;
    for (std::uint64_t at = 0; at < region.size + lead; at += piece) {
      const auto length = std::min(piece, region.size + lead - at);
      if (::mincore(begin + at, length, pages.data()) != 0)
        return error_from_errno(errno, "look at guest memory");
      const auto end =
          pages.begin() + static_cast<std::ptrdiff_t>((length + page_size() - 1) / page_size());
      count += static_cast<std::uint64_t>(
          std::count_if(pages.begin(), end, [](unsigned char page) { return (page & 1) != 0; }));
    }
  }
  return std::min(count * page_size(), size());
}

std::uint64_t GuestMemory::size() const noexcept {
  std::uint64_t total = 0;
  for (const auto& region : regions_)
    total += region.size;
  return total;
}

}  // namespace capsa::memory
