#pragma once

#include <actors/disk/image_process.hpp>
#include <actors/loop/epoll_loop.hpp>
#include <actors/protocol/device_link.hpp>
#include <actors/protocol/internal.hpp>
#include <backends/block/file_io.hpp>
#include <backends/block/nbd_store.hpp>
#include <backends/virtio/block/device.hpp>
#include <capsa/disk.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>

namespace capsa::disk {

/// What a disk needs of its VM and of the runtime.
struct DiskPlan {
  DiskImage image;
  /// Where there are any: the partitions of a read-only disk, and `image` only names it.
  std::vector<std::filesystem::path> layers;
  std::string name;  ///< "vda"; names its files in `directory`
  std::filesystem::path directory;
  std::filesystem::path scratch;  ///< where an overlay grows
  std::uint16_t queues = 1;
  /// The file operations of this loop, shared by all its disks; on the loop.
  std::function<result<std::shared_ptr<block::FileIo>>()> file_io;
  qemu::Spawner* spawner = nullptr;  ///< outlives the actor
};

/// One disk of a running machine: its store, its device, and what drives it. Opening an image may
/// take a process and a connection, so the machine waits until this has answered that it is ready.
///
/// Asked to end it brings the device to rest, then closes the store, and then lets the process that
/// serves it write what it has: whoever sees this actor end may open the image.
class DiskState {
 public:
  static inline const char* name = "capsa.disk";
  using Self = protocol::DiskUnit::base*;

  DiskState(Self self, loop::EpollLoop& loop, DiskPlan plan, protocol::LinkDevice link);

  protocol::DiskUnit::behavior_type make_behavior();
  void on_exit();

 private:
  void open();
  void open_raw();
  void open_layers();
  void open_served();
  void open_overlay();
  result<block::BackingImage> open_base(std::uint64_t& size);
  void serve(const block::ImageServerConfig& config, const UniqueFd& image = {});
  void connect(block::NbdTarget target);
  void take_store(std::unique_ptr<block::BlockStore> store);
  void lost_server(const capsa::error& why);
  void fail(const capsa::error& why);
  void on_exit_message(caf::exit_msg& message);
  void close_store();
  void end_process();
  void finish();

  Self self_;
  loop::EpollLoop& loop_;
  DiskPlan plan_;
  protocol::LinkDevice link_device_;
  UniqueFd base_;  // keeps the lock on an overlay's raw base
  std::unique_ptr<ImageProcess> process_;
  std::unique_ptr<block::NbdConnector> connector_;
  std::shared_ptr<virtio::blk::BlkDevice> device_;
  std::shared_ptr<virtio::DeviceLink> link_;
  std::optional<capsa::error> failure_;
  std::optional<Loop::TimerId> patience_;       // for the last words of the process
  std::vector<caf::response_promise> waiting_;  // for the disk to be ready
  bool ending_ = false;
  bool at_rest_ = false;
  caf::error reason_;
  // Expires with this: what is called back late finds nobody.
  std::shared_ptr<DiskState*> alive_ = std::make_shared<DiskState*>(this);
};

}  // namespace capsa::disk
