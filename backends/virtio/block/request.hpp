#pragma once

#include <array>
#include <backends/block/request.hpp>
#include <backends/block/store.hpp>
#include <backends/virtio/device.hpp>
#include <backends/virtio/queue.hpp>
#include <cstddef>
#include <cstdint>

// A virtio-blk request (virtio 1.2, 5.2.6): readable, a header of 16 bytes and what is written or
// discarded; writable, what is read and a last byte of status.
//
//   | type:32 | reserved:32 | sector:64 | data ... |   | data ... | status:8 |
//
// Drivers may split it into buffers as they like (2.7.4), so nothing here goes by their borders.
namespace capsa::virtio::blk {

/// What goes into the last writable byte.
enum class Status : std::uint8_t { Ok = 0, IoError = 1, Unsupported = 2 };

/// virtio 1.2, 5.2.6: what GET_ID gives; shorter ones end with a NUL.
inline constexpr std::size_t kSerialBytes = 20;
using Serial = std::array<std::byte, kSerialBytes>;

/// The disk as its requests are judged.
struct DiskTraits {
  block::StoreInfo store;
  bool discard = false;        ///< agreed with the driver, and the store takes it
  bool write_zeroes = false;   ///< likewise
  bool write_through = false;  ///< the driver knows no flush: every write is durable
  Serial serial{};
};

/// A request from the moment its chain is taken until it is given back. Reused, with its memory.
struct GuestRequest : block::Request {
  QueueIndex queue = 0;
  std::uint16_t head = 0;
  /// In guest memory; nullptr where the driver left no room for it, so that nothing can be said.
  std::byte* status = nullptr;
  /// The answer where the store has no error to report.
  Status answer = Status::Ok;
  /// Bytes that an Ok fills of the writable part, status included.
  std::uint32_t written = 0;
};

/// Reads the chain once and makes a request for the store of it: Operation::Nothing with `answer`
/// set where the driver asks for what is not to be had, or for something that needs no store. All
/// of the chain is the guest's; nothing of it is believed. Sets all but `queue`.
void parse(const Chain& chain, const DiskTraits& disk, GuestRequest& request);

}  // namespace capsa::virtio::blk
