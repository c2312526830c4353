#pragma once

#include <backends/virtio/console/host.hpp>
#include <backends/virtio/console/protocol.hpp>
#include <backends/virtio/device.hpp>
#include <bitset>
#include <capsa/result.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace capsa::virtio::console {

/// What a port is before any driver has spoken to it.
struct PortSpec {
  std::string name;     ///< the guest's name for it (Linux: /dev/virtio-ports/NAME); may be empty
  bool console = true;  ///< a terminal (Linux: /dev/hvcN), not a plain stream of bytes
};

/// The host's side of virtio-console (virtio 1.2, 5.3). With one port, the default, there are two
/// queues and no talk about ports; with more there is VIRTIO_CONSOLE_F_MULTIPORT. A driver that
/// does not take that has port 0 only. Everything on one thread. What the guest puts into its rings
/// is hostile; nothing of it is kept here but flags for each port.
///
/// suspend() remembers everything. reset() forgets what the driver had said about its ports and
/// how far the host had got in its output; the host's part (open ports, sizes, a stalled output)
/// stays.
class ConsoleDevice final : public virtio::Device {
 public:
  static constexpr std::uint32_t kDeviceType = 3;
  /// Each costs two queues; a transport offers few.
  static constexpr std::size_t kMaxPorts = 8;
  /// So that a name and its header fit into any buffer a driver gives for control messages.
  static constexpr std::size_t kMaxName = 64;
  static constexpr QueueIndex kControlReceive = 2;   ///< device to driver; multiport only
  static constexpr QueueIndex kControlTransmit = 3;  ///< driver to device; multiport only
  static constexpr QueueIndex receive_queue(PortIndex port) noexcept {
    return static_cast<QueueIndex>(port == 0 ? 0 : 2 + 2 * port);
  }
  static constexpr QueueIndex transmit_queue(PortIndex port) noexcept {
    return static_cast<QueueIndex>(receive_queue(port) + 1);
  }

  /// One port. `host` outlives the device. A driver takes the size that it finds for the terminal's
  /// when its console is opened, "0 by 0" too: resize() before it does.
  explicit ConsoleDevice(Host& host);
  /// InvalidConfig where there is no port, too many, or a name that is too long or holds a zero.
  static result<std::shared_ptr<ConsoleDevice>> create(Host& host, std::vector<PortSpec> ports);

  // -- virtio::Device
  DeviceIdentity identity() const override;
  void read_config(std::size_t offset, std::span<std::byte> out) const override;
  void write_config(std::size_t offset, std::span<const std::byte> in) override;
  void activate(Activation activation) override;
  void process(QueueIndex queue) override;
  void suspend(std::function<void()> done) override;
  void reset(std::function<void()> done) override;

  // -- the host side; a port that does not exist is ignored
  /// Goes on after Host::go_on_later(). Nothing while inactive.
  void process_more();
  /// Writes into the guest's buffers and says how many of the bytes fitted; Host::input_room()
  /// follows where that is not all. 0 while there is no driver, or it has not opened the port.
  std::size_t input(PortIndex port, std::span<const std::byte> bytes);
  /// The host takes output again, after a Host::output() that did not take all.
  void resume_output(PortIndex port);
  /// The terminal's size in characters. The guest is told, and every later one.
  void resize(PortIndex port, std::uint16_t columns, std::uint16_t rows);
  /// The host's end, open at first. The output of a closed port is taken and dropped, what it had
  /// not taken yet too; its input goes on. With several ports the guest is told.
  void open(PortIndex port);
  void close(PortIndex port);

  bool active() const noexcept { return active_.has_value(); }
  std::size_t ports() const noexcept { return ports_.size(); }
  /// Whether the guest has opened its end, as Host::opened() last said.
  bool guest_open(PortIndex port) const noexcept {
    return port < ports_.size() && ports_[port].guest_open;
  }

 private:
  /// What a port owes the guest's control queue, a bit each, told in this order. One bit for each
  /// kind of news bounds what waits for a guest that gives no buffers.
  enum Owed : std::uint8_t {
    kOwedAdd = 1,
    kOwedConsole = 2,
    kOwedName = 4,
    kOwedSize = 8,
    kOwedClosed = 16,
    kOwedOpen = 32,
  };

  struct Port {
    PortSpec spec;
    std::uint16_t columns = 0;
    std::uint16_t rows = 0;
    bool sized = false;
    bool host_open = true;
    bool stalled = false;     // Host did not take all: nothing until resume_output()
    bool wants_room = false;  // an input() did not fit
    // What the driver said.
    bool ready = false;
    bool guest_open = false;
    std::uint8_t owed = 0;
    // Its output.
    bool draining = false;  // a call of drain() is under way
    bool more = false;      // has had its turn and was not asked for a kick
    std::size_t taken = 0;  // bytes of the next chain that Host has already
    std::vector<std::span<const std::byte>> pieces;  // kept to save allocations
  };

  /// While one of these lives the guest is not interrupted; then once for all that was done.
  class Turn {
   public:
    explicit Turn(ConsoleDevice& device) noexcept : device_(device) { ++device_.turns_; }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn() {
      if (--device_.turns_ == 0) device_.end_turn();
    }

   private:
    ConsoleDevice& device_;
  };

  ConsoleDevice(Host& host, std::vector<PortSpec> ports);

  // device.cpp
  void greet();
  void end_turn();
  bool has_queue(QueueIndex queue) const noexcept;
  /// The next chain with `least` writable bytes. Where there is none a kick has been asked for.
  std::optional<Chain> take_buffer(QueueIndex queue, std::size_t least);

  // ports.cpp: the bytes of the ports
  void drain(PortIndex index);
  void drain_ring(PortIndex index);
  bool deliver(PortIndex index, const Chain& chain, std::size_t& budget);
  void offer_room(PortIndex index);
  void set_guest_open(PortIndex index, bool open);

  // control.cpp: the talk about them
  void read_control();
  void handle(const Control& control);
  void owe(PortIndex index, unsigned news);
  void write_control();
  bool write_control(PortIndex index, Owed news);

  Host& host_;
  std::vector<Port> ports_;
  std::optional<Activation> active_;
  bool multiport_ = false;     // agreed by the present or suspended driver
  bool greeted_ = false;       // the first process() since activate() was
  bool config_news_ = false;   // the driver has not heard of the latest size
  bool control_more_ = false;  // as Port::more
  bool more_ = false;          // Host::go_on_later() is due
  unsigned turns_ = 0;
  std::bitset<2 + 2 * kMaxPorts> kicks_asked_;  // for buffers to write to, by queue
};

}  // namespace capsa::virtio::console
