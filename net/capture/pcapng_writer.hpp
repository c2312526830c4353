#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <net/capture/sink.hpp>
#include <net/switch/observer.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace capsa::net {

struct PcapngOptions {
  /// Bytes that are kept of each frame; 0 for all.
  std::uint32_t snap_length = 0;
  /// Of the whole file; what would make it longer is not captured, but counted. 0 for no limit.
  std::uint64_t max_bytes = 0;
  /// The program that captures, as the file names it.
  std::string application = "capsa";
};

/// Writes frames as pcapng (draft-ietf-opsawg-pcapng), which Wireshark and tcpdump read: one
/// section, an interface for each port, times in nanoseconds, and at the end for each interface how
/// many frames came and how many are missing. Single-threaded; warm, it allocates nothing.
class PcapngWriter {
 public:
  using SteadyTime = std::chrono::steady_clock::time_point;
  using WallTime = std::chrono::system_clock::time_point;
  using Interface = std::uint32_t;
  /// Longer names are cut.
  static constexpr std::size_t kMaxName = 255;

  /// `sink` outlives this. `now` and `wall` are one moment: a clock that is set meanwhile does not
  /// make times go back.
  PcapngWriter(CaptureSink& sink, PcapngOptions options, SteadyTime now, WallTime wall);
  PcapngWriter(const PcapngWriter&) = delete;
  PcapngWriter& operator=(const PcapngWriter&) = delete;

  /// An Ethernet interface, at any time before close(). Its frames are all counted as missing where
  /// there was no room for its description.
  Interface add_interface(std::string_view name);
  void write(Interface interface, FrameDirection direction, std::span<const std::byte> frame,
             SteadyTime now);
  /// Writes the counters of all interfaces; nothing is written afterwards. Not done by the
  /// destructor.
  void close(SteadyTime now);

  std::uint64_t bytes() const noexcept { return bytes_; }
  /// Frames that are in the file, and that are not.
  std::uint64_t written(Interface interface) const noexcept;
  std::uint64_t dropped(Interface interface) const noexcept;

 private:
  struct Counters {
    bool described = false;
    Interface id = 0;  // in the file
    std::uint64_t received = 0;
    std::uint64_t dropped = 0;
  };

  void begin(std::uint32_t type);
  void put16(std::uint16_t value);
  void put32(std::uint32_t value);
  void put_time(SteadyTime now);
  void pad();
  void option(std::uint16_t code, std::span<const std::byte> value);
  void option(std::uint16_t code, std::string_view value);
  void option64(std::uint16_t code, std::uint64_t value);
  void option_time(std::uint16_t code, SteadyTime now);
  bool end(bool reserved = false);

  CaptureSink& sink_;
  PcapngOptions options_;
  SteadyTime started_;
  std::int64_t wall_;  // nanoseconds since 1970 at started_
  std::vector<std::byte> block_;
  std::vector<Counters> interfaces_;
  Interface described_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t kept_free_ = 0;  // for the counters at the end
  bool begun_ = false;
  bool closed_ = false;
};

}  // namespace capsa::net
