#pragma once

#include <capsa/result.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <type_traits>
#include <vector>

namespace capsa::memory {

/// A guest-physical address. Any value may come from the guest.
using GuestAddress = std::uint64_t;

/// One piece of guest memory backed by a file that the guest's machine maps too.
struct RegionSpec {
  GuestAddress guest_address = 0;
  std::uint64_t size = 0;
  /// Where the hypervisor process maps it (vhost-user "userspace address"); 0 where there is none.
  std::uint64_t user_address = 0;
  /// Offset in the file.
  std::uint64_t file_offset = 0;
  /// Borrowed: mapped by map(), not closed by it.
  int fd = -1;
};

/// One piece of guest memory that nobody but this process has.
struct OwnRegion {
  GuestAddress guest_address = 0;
  std::uint64_t size = 0;
};

/// The memory of one guest, mapped into this process. Immutable once made; shared by everything
/// that may still touch it, and unmapped when the last of them lets go. The guest writes to it
/// while we read: whatever decides something is copied out once and checked in the copy. Payload
/// may be handed to the kernel in place (preadv, writev), which does its own copying.
/// Thread-safe.
class GuestMemory {
 public:
  /// At most this many regions: the limit of the vhost-user protocol (VHOST_USER_MAX_RAM_SLOTS of
  /// the baseline message) leaves 8; machines of our own need fewer.
  static constexpr std::size_t kMaxRegions = 8;

  /// Refuses overlapping, empty and wrapping regions, and files that are shorter than what they
  /// claim or may become so: touching what is not there would be a SIGBUS. So a file must be a
  /// memfd with F_SEAL_SHRINK (memfd_create(2), MFD_ALLOW_SEALING) and ordinary pages.
  /// InvalidConfig, or the code of the errno of mmap(2) or of looking at the file.
  static result<std::shared_ptr<const GuestMemory>> map(std::span<const RegionSpec> regions);

  /// Memory of this process alone, all zero: in huge pages where the host gives them, not inherited
  /// by a fork(2) and not in core files. Nothing is taken from the host before it is touched.
  /// Refuses overlapping, empty and wrapping regions with InvalidConfig, or gives the code of the
  /// errno of mmap(2).
  static result<std::shared_ptr<const GuestMemory>> allocate(std::span<const OwnRegion> regions);

  GuestMemory(const GuestMemory&) = delete;
  GuestMemory& operator=(const GuestMemory&) = delete;
  ~GuestMemory();

  /// The bytes [address, address+length), or nothing unless all of them lie in one region.
  /// An empty range is an empty span whatever the address.
  std::optional<std::span<std::byte>> slice(GuestAddress address, std::uint64_t length) const;

  /// The beginning of [address, address+length) that lies in one region: shorter than asked where
  /// the range goes on in the next region, nothing where `address` is not guest memory. Adjacent
  /// regions are what NUMA nodes and hotplug make, and drivers merge pages across them.
  std::optional<std::span<std::byte>> slice_beginning(GuestAddress address,
                                                      std::uint64_t length) const;

  /// Copies out. False, and nothing is copied, where the range is not all guest memory.
  bool read(GuestAddress address, std::span<std::byte> out) const;
  /// Copies in, under the same rule.
  bool write(GuestAddress address, std::span<const std::byte> in) const;

  template <class T>
  std::optional<T> load(GuestAddress address) const {
    static_assert(std::is_trivially_copyable_v<T>);
    T value;
    if (!read(address, std::as_writable_bytes(std::span(&value, 1)))) return std::nullopt;
    return value;
  }

  template <class T>
  bool store(GuestAddress address, const T& value) const {
    static_assert(std::is_trivially_copyable_v<T>);
    return write(address, std::as_bytes(std::span(&value, 1)));
  }

  /// Gives whole pages back to the host: they read as zero, through every mapping of a file, until
  /// somebody writes. False where the range is not all guest memory or does not begin
  /// and end with a page of the host, here and in the file; then nothing is given back. False also
  /// where the kernel refuses (madvise(2), MADV_REMOVE or MADV_DONTNEED); then some may be. An
  /// empty range is fine wherever it lies. Takes up to some 0.1 ms for each MiB that was in use.
  bool discard(GuestAddress address, std::uint64_t length) const;
  /// The same for bytes that slice() or slice_beginning() gave, or a part of them.
  bool discard(std::span<std::byte> bytes) const;

  /// Translates an address of the hypervisor process (as vhost-user gives for rings).
  std::optional<GuestAddress> from_user_address(std::uint64_t user_address,
                                                std::uint64_t length) const;

  /// Bytes of all regions together.
  std::uint64_t size() const noexcept;

  /// How many of them the host holds in its memory now (mincore(2)); of a file's, whoever touched
  /// them. Takes up to a ms for each GiB.
  result<std::uint64_t> resident() const;

 private:
  struct Region {
    GuestAddress guest_address;
    std::uint64_t size;
    std::uint64_t user_address;
    std::byte* host;
    bool own;  // of no file
  };
  GuestMemory() = default;

  const Region* region_of(GuestAddress address) const;

  std::vector<Region> regions_;  // sorted by guest_address
};

}  // namespace capsa::memory
