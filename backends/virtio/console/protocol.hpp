#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

// What goes over the wire (virtio 1.2, 5.3). Little-endian, as all hosts are that we build for.
namespace capsa::virtio::console {

// 5.3.3 "Feature bits".
inline constexpr std::uint64_t kFeatureSize = 1ULL << 0;
inline constexpr std::uint64_t kFeatureMultiport = 1ULL << 1;
inline constexpr std::uint64_t kFeatureEmergencyWrite = 1ULL << 2;

/// 5.3.4 "Device configuration layout".
struct Config {
  std::uint16_t columns = 0;
  std::uint16_t rows = 0;
  std::uint32_t max_ports = 0;
  std::uint32_t emergency_write = 0;  ///< written by the driver; reads as 0
};
static_assert(sizeof(Config) == 12);

/// 5.3.6.2 "Multiport Device Operation". The guest's may hold any value.
enum class Event : std::uint16_t {
  DeviceReady = 0,  ///< from the driver; value 0: it failed
  PortAdd = 1,
  PortRemove = 2,
  PortReady = 3,  ///< from the driver; value 0: it failed
  ConsolePort = 4,
  Resize = 5,
  PortOpen = 6,  ///< both ways; value 0: closed
  PortName = 7,
};

/// A message of the control queues. PortName goes on with the name, without a zero at its end;
/// Resize with the columns and then the rows, 16 bits each. (Linux read these two the other way
/// round until 6.15.)
struct Control {
  std::uint32_t port = 0;
  Event event = Event::DeviceReady;
  std::uint16_t value = 0;
};
static_assert(sizeof(Control) == 8);

inline std::array<std::byte, sizeof(Control)> encode(const Control& control) {
  std::array<std::byte, sizeof(Control)> raw;
  std::memcpy(raw.data(), &control, sizeof(Control));
  return raw;
}

inline Control decode(const std::array<std::byte, sizeof(Control)>& raw) {
  Control control;
  std::memcpy(&control, raw.data(), sizeof(Control));
  return control;
}

}  // namespace capsa::virtio::console
