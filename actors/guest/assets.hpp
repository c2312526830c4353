#pragma once

#include <capsa/guest.hpp>
#include <capsa/result.hpp>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>

namespace capsa::guest {

struct CachedGuest;

/// The guest to boot from the cache at `root`, for the agent with this content key (empty: any).
/// GuestNotPrepared where there is none.
result<GuestAssets> find_in(const std::filesystem::path& root, std::string_view agent_key,
                            std::optional<std::uint32_t> tsc_khz);

/// What a cache entry means on this host.
GuestAssets describe(const CachedGuest& guest, std::optional<std::uint32_t> tsc_khz);

/// MiB of memory below which the guest does not come up: its kernel, its initrd as it was loaded
/// and as it is unpacked, and 32 MiB to run in. 0 where the files cannot be read.
std::uint64_t least_memory_mb(const GuestAssets& guest);

}  // namespace capsa::guest
