#include <backends/virtio/console/device.hpp>

// The control queues of a device with several ports (virtio 1.2, 5.3.6.2): the driver says that it
// is there, hears of each port, says which of them it has, hears what they are, and opens them.
namespace capsa::virtio::console {

void ConsoleDevice::read_control() {
  Queue& queue = active_->queues[kControlTransmit];
  std::size_t budget = queue.size();
  queue.disable_notifications();
  do {
    for (;;) {
      if (budget == 0) {
        control_more_ = more_ = true;
        return;
      }
      const auto chain = queue.pop();
      if (!chain) break;
      std::array<std::byte, sizeof(Control)> raw;
      const bool whole = chain->copy_out(0, raw) == raw.size();
      queue.push(chain->head, 0);
      --budget;
      if (whole) handle(decode(raw));
    }
  } while (queue.enable_notifications());
}

void ConsoleDevice::handle(const Control& control) {
  if (control.event == Event::DeviceReady) {
    if (control.value == 0) return;  // the driver gave up
    for (PortIndex port = 0; port < ports_.size(); ++port)
      ports_[port].owed |= kOwedAdd;
    write_control();
    return;
  }
  if (control.port >= ports_.size()) return;
  Port& port = ports_[control.port];
  switch (control.event) {
    case Event::PortReady:
      port.ready = control.value != 0;
      port.owed &= kOwedAdd;
      if (port.spec.console) owe(control.port, kOwedConsole);
      if (!port.spec.name.empty()) owe(control.port, kOwedName);
      if (port.spec.console && port.sized) owe(control.port, kOwedSize);
      if (port.host_open) owe(control.port, kOwedOpen);
      break;
    case Event::PortOpen:
      set_guest_open(control.port, control.value != 0);
      offer_room(control.port);
      break;
    default:
      break;  // the device's own events, and what nobody knows
  }
}

/// Nothing is owed to a driver that does not have the port: it hears all of it once it has.
void ConsoleDevice::owe(PortIndex index, unsigned news) {
  if (!ports_[index].ready) return;
  ports_[index].owed |= static_cast<std::uint8_t>(news);
  if (!active_) return;  // suspended
  const Turn turn(*this);
  write_control();
}

/// Writes what is owed, as long as there are buffers; then the guest kicks when it has given some.
void ConsoleDevice::write_control() {
  if (!has_queue(kControlReceive)) return;
  for (PortIndex index = 0; index < ports_.size(); ++index) {
    for (const Owed news : {kOwedAdd, kOwedConsole, kOwedName, kOwedSize, kOwedClosed, kOwedOpen}) {
      if ((ports_[index].owed & news) == 0) continue;
      if (!write_control(index, news)) return;
      ports_[index].owed &= static_cast<std::uint8_t>(~news);
    }
  }
}

/// False where there is no buffer.
bool ConsoleDevice::write_control(PortIndex index, Owed news) {
  const Port& port = ports_[index];
  Control control{.port = index, .event = Event::PortAdd, .value = 1};
  std::array<std::uint16_t, 2> size{port.columns, port.rows};
  std::span<const std::byte> rest;
  switch (news) {
    case kOwedAdd:
      break;
    case kOwedConsole:
      control.event = Event::ConsolePort;
      break;
    case kOwedName:
      control.event = Event::PortName;
      rest = std::as_bytes(std::span(port.spec.name));
      break;
    case kOwedSize:
      control.event = Event::Resize;
      rest = std::as_bytes(std::span(size));
      break;
    case kOwedClosed:
      control.value = 0;
      [[fallthrough]];
    case kOwedOpen:
      control.event = Event::PortOpen;
      break;
  }
  const auto chain = take_buffer(kControlReceive, sizeof(Control) + rest.size());
  if (!chain) return false;
  chain->copy_in(0, encode(control));
  chain->copy_in(sizeof(Control), rest);
  active_->queues[kControlReceive].push(chain->head,
                                        static_cast<std::uint32_t>(sizeof(Control) + rest.size()));
  return true;
}

}  // namespace capsa::virtio::console
