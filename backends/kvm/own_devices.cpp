#include <fcntl.h>

#include <backends/kvm/own_devices.hpp>
#include <capsa/agent_types.hpp>
#include <cerrno>

namespace capsa::kvm {

using virtio::mmio::Transport;

namespace {

// Of a terminal that nobody told us of.
constexpr std::uint16_t kColumns = PtySize{}.cols;
constexpr std::uint16_t kRows = PtySize{}.rows;

}  // namespace

result<std::shared_ptr<OwnDevices>> OwnDevices::create(Loop& loop, int console_fd) {
  auto devices = std::shared_ptr<OwnDevices>(new OwnDevices(loop));
  if (console_fd >= 0)
    if (auto added = devices->add_console(console_fd); !added) return added.error();
  devices->add_rng();
  devices->add_balloon();
  return devices;
}

void OwnDevices::add_balloon() {
  balloon_ = std::make_shared<virtio::balloon::BalloonDevice>([this] {
    loop_.post([weak = std::weak_ptr(balloon_)] {
      if (const auto balloon = weak.lock()) balloon->process_more();
    });
  });
  transports_.push_back(Transport::create(loop_, *balloon_));
}

void OwnDevices::add_rng() {
  rng_ = std::make_shared<virtio::rng::RngDevice>([this] {
    // Behind everything else that this loop has to do now.
    loop_.post([weak = std::weak_ptr(rng_)] {
      if (const auto rng = weak.lock()) rng->process_more();
    });
  });
  transports_.push_back(Transport::create(loop_, *rng_));
}

result<void> OwnDevices::add_console(int console_fd) {
  UniqueFd fd(::fcntl(console_fd, F_DUPFD_CLOEXEC, 0));
  const int flags = fd ? ::fcntl(fd.get(), F_GETFL) : -1;
  if (flags < 0 || ::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK) != 0)
    return error_from_errno(errno, "take over the console's line");
  line_ = std::make_unique<virtio::console::FdLine>(loop_, std::move(fd));
  console_ = std::make_shared<virtio::console::ConsoleDevice>(*line_);
  // A driver takes what it finds for the terminal's size, "0 by 0" too.
  console_->resize(0, kColumns, kRows);
  line_->attach(console_);
  transports_.push_back(Transport::create(loop_, *console_));
  return {};
}

bool OwnDevices::resize_console(std::uint16_t columns, std::uint16_t rows) {
  if (console_) console_->resize(0, columns, rows);
  return console_ != nullptr;
}

void OwnDevices::close() {
  for (const auto& transport : transports_)
    transport->close([self = shared_from_this()] {});
}

}  // namespace capsa::kvm
