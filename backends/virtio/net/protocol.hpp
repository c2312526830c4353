#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <net/frame_meta.hpp>
#include <optional>
#include <span>

// The wire format of virtio-net (virtio 1.2, 5.1.6). Before each frame lies one header: that of
// net/vnet_header.hpp, and
//
//   10 num_buffers u16
//
// which is not there for a driver of before virtio 1.0 without mergeable buffers.
namespace capsa::virtio::nic {

// Feature bits (virtio 1.2, 5.1.3). GUEST: what the driver takes; HOST: what the device takes.
inline constexpr std::uint64_t kFeatureChecksum = 1ULL << 0;
inline constexpr std::uint64_t kFeatureGuestChecksum = 1ULL << 1;
inline constexpr std::uint64_t kFeatureMtu = 1ULL << 3;
inline constexpr std::uint64_t kFeatureMac = 1ULL << 5;
inline constexpr std::uint64_t kFeatureGuestTso4 = 1ULL << 7;
inline constexpr std::uint64_t kFeatureGuestTso6 = 1ULL << 8;
inline constexpr std::uint64_t kFeatureGuestEcn = 1ULL << 9;
inline constexpr std::uint64_t kFeatureHostTso4 = 1ULL << 11;
inline constexpr std::uint64_t kFeatureHostTso6 = 1ULL << 12;
inline constexpr std::uint64_t kFeatureHostEcn = 1ULL << 13;
inline constexpr std::uint64_t kFeatureMergeableBuffers = 1ULL << 15;
inline constexpr std::uint64_t kFeatureStatus = 1ULL << 16;
inline constexpr std::uint64_t kFeatureControlQueue = 1ULL << 17;
inline constexpr std::uint64_t kFeatureMultiQueue = 1ULL << 22;

inline constexpr std::size_t kHeaderBytes = 12;
inline constexpr std::size_t kLegacyHeaderBytes = 10;

inline constexpr std::uint16_t kStatusLinkUp = 1;

// The control queue (virtio 1.2, 5.1.6.5): class, command, its data; then one byte of answer.
inline constexpr std::uint8_t kControlMultiQueue = 4;
inline constexpr std::uint8_t kSetQueuePairs = 0;
inline constexpr std::byte kControlOk{0};
inline constexpr std::byte kControlError{1};

/// What a driver takes, by the features it agreed to. Features without those that they need
/// (5.1.3.1) count as not agreed.
net::Offloads guest_offloads(std::uint64_t features) noexcept;
/// What a driver may leave to us.
net::Offloads host_offloads(std::uint64_t features) noexcept;
/// The features that offer it to the driver.
std::uint64_t host_offload_features(const net::Offloads& offloads) noexcept;

/// Reads the header of a frame from the driver, of at least kLegacyHeaderBytes. Nothing where it
/// asks for what `agreed` does not have, or no device knows. Whether it fits the frame is left to
/// net::check_offload().
std::optional<net::FrameMeta> decode_header(std::span<const std::byte> header,
                                            const net::Offloads& agreed) noexcept;

/// The header of a frame for a driver that accepts it.
std::array<std::byte, kHeaderBytes> encode_header(const net::FrameMeta& meta,
                                                  std::uint16_t buffers) noexcept;

}  // namespace capsa::virtio::nic
