#include <actors/disk/disk.hpp>
#include <actors/protocol/defaults.hpp>
#include <actors/protocol/spawn.hpp>
#include <backends/block/image_file.hpp>
#include <backends/block/joined_store.hpp>
#include <backends/block/new_image.hpp>
#include <backends/block/raw_store.hpp>

namespace capsa::disk {

namespace {

// The connection to a process breaks before its end is known here, by far less than this.
constexpr std::chrono::seconds kLastWords{2};

}  // namespace

DiskState::DiskState(Self self, loop::EpollLoop& loop, DiskPlan plan, protocol::LinkDevice link)
    : self_(self), loop_(loop), plan_(std::move(plan)), link_device_(std::move(link)) {
  self_->set_exit_handler([this](caf::exit_msg& message) { on_exit_message(message); });
  open();
}

void DiskState::open() {
  const DiskImage& image = plan_.image;
  if (!plan_.layers.empty()) return open_layers();
  if (image.is_remote()) {
    block::NbdTarget target;
    target.uri = image.path.native();
    target.read_only = image.is_read_only;
    return connect(std::move(target));
  }
  // Of one that is not written to nothing is to be forgotten.
  if (image.is_overlay && !image.is_read_only) return open_overlay();
  if (image.effective_format() == ImageFormat::Raw) return open_raw();
  open_served();
}

void DiskState::open_raw() {
  const auto io = plan_.file_io();
  if (!io.ok()) return fail(io.error());
  auto store = block::RawStore::open(plan_.image.path, plan_.image.is_read_only, *io);
  if (!store.ok()) return fail(store.error());
  take_store(std::move(*store));
}

void DiskState::open_layers() {
  const auto io = plan_.file_io();
  if (!io.ok()) return fail(io.error());
  auto store = block::JoinedStore::open(plan_.layers, *io);
  if (!store.ok()) return fail(store.error());
  take_store(std::move(*store));
}

void DiskState::open_served() {
  block::ImageServerConfig config;
  config.image = plan_.image.path;
  config.format = block::ImageFormat::Qcow2;
  config.read_only = plan_.image.is_read_only;
  if (const auto checked = block::check_image(config.image, config.format, false); !checked.ok())
    return fail(checked.error());
  serve(config);
}

/// What is written goes into an image that has no name, and so is gone with the process that serves
/// it, however both end.
void DiskState::open_overlay() {
  std::uint64_t size = 0;
  auto base = open_base(size);
  if (!base.ok()) return fail(base.error());
  const auto image = block::create_unnamed_qcow2(plan_.scratch, size);
  if (!image.ok()) return fail(image.error());
  block::ImageServerConfig config;
  config.image = block::image_of_descriptor();
  config.format = block::ImageFormat::Qcow2;
  config.backing.push_back(std::move(*base));
  config.throw_away = true;
  serve(config, *image);
}

result<block::BackingImage> DiskState::open_base(std::uint64_t& size) {
  block::BackingImage base;
  base.path = plan_.image.path;
  if (plan_.image.effective_format() == ImageFormat::Qcow2) {
    base.format = block::ImageFormat::Qcow2;
    if (const auto checked = block::check_image(base.path, base.format, false); !checked.ok())
      return checked.error();
    const auto known = block::image_size(base.path, base.format);
    if (!known.ok()) return known.error();
    size = *known;
    return base;
  }
  // With the lock of every other raw disk, which QEMU's own would take for a writer's.
  auto file = block::open_image(base.path, true);
  if (!file.ok()) return file.error();
  base_ = std::move(file->fd);
  base.lock = false;
  size = file->info.size;
  return base;
}

void DiskState::serve(const block::ImageServerConfig& config, const UniqueFd& image) {
  auto process = ImageProcess::start(
      loop_, *plan_.spawner, config, plan_.directory, plan_.name,
      [this](const capsa::error& why) { fail(why); }, image);
  if (!process.ok()) return fail(process.error());
  process_ = std::move(*process);
  block::NbdTarget target;
  target.socket = process_->socket();
  target.export_name = process_->export_name();
  target.read_only = plan_.image.is_read_only;
  connect(std::move(target));
}

void DiskState::connect(block::NbdTarget target) {
  connector_ = std::make_unique<block::NbdConnector>(
      loop_, std::move(target), [this](result<std::unique_ptr<block::NbdStore>> store) {
        connector_.reset();
        if (!store.ok()) return lost_server(store.error());
        (*store)->on_lost([this](const capsa::error& why) { lost_server(why); });
        take_store(std::move(*store));
      });
}

void DiskState::take_store(std::unique_ptr<block::BlockStore> store) {
  virtio::blk::BlkConfig config;
  config.serial = plan_.image.serial.empty() ? "capsa-" + plan_.name : plan_.image.serial;
  config.queues = plan_.queues;
  auto device = virtio::blk::BlkDevice::create(std::move(config), std::move(store));
  if (!device.ok()) return fail(device.error());
  device_ = std::move(*device);
  // The machine ends first, or the VM ends this: either way the VM has heard of it itself.
  link_ = link_device_(loop_, *device_, [](const result<void>&) {});
  for (auto& promise : waiting_)
    promise.deliver(caf::unit);
  waiting_.clear();
}

/// A process of ours that closes its connection has ended, or will in a moment: what it says of
/// that tells more than the broken connection does.
void DiskState::lost_server(const capsa::error& why) {
  if (!process_ || why.code() != ErrorCode::ConnectionClosed) return fail(why);
  patience_ = loop_.call_after(kLastWords, [this, why] {
    patience_.reset();
    fail(why);
  });
}

/// The disk cannot be had, or is lost: its VM ends with it.
void DiskState::fail(const capsa::error& why) {
  if (failure_ || ending_) return;
  const std::string& image = plan_.image.path.native();
  const bool named = why.message().find(image) != std::string::npos;
  failure_ =
      capsa::error(why.code(), (named ? "" : "disk " + image + ": ") + why.message(), why.hint());
  // Asked about it is told to whoever waits, or to the VM by the end of this actor.
  if (!waiting_.empty()) {
    protocol::fail_all(waiting_, protocol::to_caf(*failure_));
  } else if (device_) {
    protocol::end_from_loop(self_, protocol::to_caf(*failure_));
  }
}

void DiskState::on_exit_message(caf::exit_msg& message) {
  if (at_rest_) return self_->quit(std::move(message.reason));
  if (std::exchange(ending_, true)) return;
  reason_ = std::move(message.reason);
  connector_.reset();
  if (!link_) return close_store();
  link_->close([weak = std::weak_ptr(alive_)] {
    if (const auto alive = weak.lock()) (*alive)->close_store();
  });
}

void DiskState::close_store() {
  if (!device_) return end_process();
  device_->store().close([weak = std::weak_ptr(alive_)] {
    if (const auto alive = weak.lock()) (*alive)->end_process();
  });
}

void DiskState::end_process() {
  if (!process_) return finish();
  process_->end([weak = std::weak_ptr(alive_)] {
    if (const auto alive = weak.lock()) (*alive)->finish();
  });
}

void DiskState::finish() {
  at_rest_ = true;
  // Called back maybe at once, maybe from the loop, where quit() would do nothing.
  protocol::end_from_loop(self_, reason_);
}

void DiskState::on_exit() {
  if (patience_) loop_.cancel(*patience_);
  const auto why = failure_.value_or(capsa::error(ErrorCode::VmEnded, "the disk was closed"));
  protocol::fail_all(waiting_, protocol::to_caf(why));
  if (at_rest_ || !link_) return;
  // Ended by a defect, not asked: what is in flight keeps the device until it is done.
  loop_.post([link = std::move(link_), device = device_,
              base = std::make_shared<UniqueFd>(std::move(base_)),
              process = std::shared_ptr(std::move(process_))] {
    link->close([link, device, base, process] {});
  });
}

protocol::DiskUnit::behavior_type DiskState::make_behavior() {
  using namespace protocol;
  return {
      [this](actors::stats_atom) {
        actors::DiskStats stats;
        if (!device_) return stats;
        const auto& seen = device_->stats();
        stats.size_bytes = device_->store().info().size;
        stats.reads = seen.reads;
        stats.writes = seen.writes;
        stats.flushes = seen.flushes;
        stats.discards = seen.discards;
        stats.read_bytes = seen.read_bytes;
        stats.written_bytes = seen.written_bytes;
        stats.errors = seen.errors;
        return stats;
      },
      [this](actors::ready_atom) -> caf::result<void> {
        if (device_) return caf::unit;
        if (failure_) return to_caf(*failure_);
        auto promise = self_->make_response_promise();
        waiting_.push_back(promise);
        return promise;
      },
  };
}

}  // namespace capsa::disk
