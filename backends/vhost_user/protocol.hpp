#pragma once

#include <cstddef>
#include <cstdint>

/// The vhost-user wire format as far as this back-end speaks it. QEMU (the front-end) asks over a
/// unix stream socket and attaches file descriptors; we answer. Names and values are those of
/// "Vhost-user Protocol" in QEMU's manual (docs/interop/vhost-user). Little-endian, packed.
namespace capsa::vhost_user {

enum class Request : std::uint32_t {
  GetFeatures = 1,
  SetFeatures = 2,
  SetOwner = 3,
  ResetOwner = 4,
  SetMemTable = 5,
  SetLogBase = 6,
  SetLogFd = 7,
  SetVringNum = 8,
  SetVringAddr = 9,
  SetVringBase = 10,
  GetVringBase = 11,
  SetVringKick = 12,
  SetVringCall = 13,
  SetVringErr = 14,
  GetProtocolFeatures = 15,
  SetProtocolFeatures = 16,
  GetQueueNum = 17,
  SetVringEnable = 18,
  GetConfig = 24,
  SetConfig = 25,
  ResetDevice = 34,
};

/// Feature bit 30: SET_PROTOCOL_FEATURES may be used, and rings begin disabled once it is agreed.
inline constexpr std::uint64_t kFeatureProtocolFeatures = 1ULL << 30;

inline constexpr std::uint64_t kProtocolMq = 1ULL << 0;
inline constexpr std::uint64_t kProtocolReplyAck = 1ULL << 3;
inline constexpr std::uint64_t kProtocolConfig = 1ULL << 9;
inline constexpr std::uint64_t kProtocolResetDevice = 1ULL << 13;
/// Offered for every device. Without MQ, QEMU takes it that there is one queue only. CONFIG comes
/// on top where the front-end asks us for configuration space.
inline constexpr std::uint64_t kProtocolAlways =
    kProtocolMq | kProtocolReplyAck | kProtocolResetDevice;

struct Header {
  std::uint32_t request = 0;
  std::uint32_t flags = 0;
  std::uint32_t size = 0;  ///< of what follows
};
static_assert(sizeof(Header) == 12);

inline constexpr std::uint32_t kVersionMask = 0x3;
inline constexpr std::uint32_t kVersion = 0x1;
inline constexpr std::uint32_t kFlagReply = 0x4;
inline constexpr std::uint32_t kFlagNeedReply = 0x8;

/// Rings: {index, number}: SET_VRING_NUM, _BASE, _ENABLE, GET_VRING_BASE.
struct VringState {
  std::uint32_t index = 0;
  std::uint32_t number = 0;
};

struct VringAddress {
  std::uint32_t index = 0;
  std::uint32_t flags = 0;
  std::uint64_t descriptors = 0;  ///< addresses in the front-end's process
  std::uint64_t used = 0;
  std::uint64_t available = 0;
  std::uint64_t log = 0;
};
static_assert(sizeof(VringAddress) == 40);
inline constexpr std::uint32_t kVringFlagLog = 0x1;

/// SET_VRING_KICK, _CALL, _ERR carry a u64: the ring, and whether no descriptor comes with it.
inline constexpr std::uint64_t kVringIndexMask = 0xff;
inline constexpr std::uint64_t kVringNoFd = 0x100;

struct MemTableHeader {
  std::uint32_t regions = 0;
  std::uint32_t padding = 0;
};

struct MemRegion {
  std::uint64_t guest_address = 0;
  std::uint64_t size = 0;
  std::uint64_t user_address = 0;
  std::uint64_t file_offset = 0;
};
static_assert(sizeof(MemRegion) == 32);

/// Before the bytes of configuration space in GET_CONFIG and SET_CONFIG.
struct ConfigHeader {
  std::uint32_t offset = 0;
  std::uint32_t size = 0;
  std::uint32_t flags = 0;
};
static_assert(sizeof(ConfigHeader) == 12);

/// QEMU's VHOST_USER_MAX_CONFIG_SIZE, and the size of configuration space in the specification.
inline constexpr std::uint32_t kMaxConfigSize = 256;
/// VHOST_MEMORY_BASELINE_NREGIONS; no message carries more descriptors than a memory table.
inline constexpr std::size_t kMaxFds = 8;
/// The largest message that we understand has 268 bytes; a front-end that announces more than this
/// has lost its place in the stream.
inline constexpr std::uint32_t kMaxPayload = 4096;

}  // namespace capsa::vhost_user
