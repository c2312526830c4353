#pragma once

#include <actors/loop/epoll_loop.hpp>
#include <actors/loop/file_pool.hpp>
#include <actors/runtime/callbacks.hpp>
#include <actors/runtime/log.hpp>
#include <atomic>
#include <backends/block/file_io.hpp>
#include <backends/qemu/probe.hpp>
#include <backends/qemu/spawn.hpp>
#include <backends/runtime_dir/runtime_dir.hpp>
#include <capsa/runtime.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace capsa::network {
class Clusters;
class NetworkHost;
}  // namespace capsa::network

namespace capsa {

/// What has happened to the VMs of a runtime since its start.
struct VmCounters {
  std::atomic<std::uint64_t> boots{0};     ///< machines that ran
  std::atomic<std::uint64_t> failures{0};  ///< VMs that became Failed
};

/// What all units of a runtime share. Outlives every actor. Not destroyed on one of its own
/// threads, which it joins.
class Services {
  const std::shared_ptr<Callbacks> callbacks_;

 public:
  Services(caf::actor_system& system, const RuntimeOptions& options,
           std::shared_ptr<Callbacks> callbacks);
  ~Services();
  Services(const Services&) = delete;
  Services& operator=(const Services&) = delete;

  caf::actor_system& system;
  const RuntimeOptions options;
  Log log;
  VmCounters counters;
  RuntimeDir runtime_dir;
  CallbackThread& callbacks = callbacks_->thread();

  loop::EpollLoop& next_loop();
  std::size_t loops() const noexcept { return loops_.size(); }
  std::size_t callbacks_queued() const { return callbacks_->queued(); }
  network::NetworkHost& network() { return *network_; }
  loop::FilePool& files() { return *files_; }
  qemu::Spawner& spawner() { return *spawner_; }
  /// Where what may become large and is to go with its VM is kept.
  std::filesystem::path scratch_dir() const;
  /// The file operations of all disks on a loop; on that loop. There as long as somebody has it.
  result<std::shared_ptr<block::FileIo>> file_io(loop::EpollLoop& loop);

  /// The QEMU of this machine, probed at the first call; later calls are cheap. Thread-safe.
  result<qemu::QemuInfo> qemu();
  /// CIDs 0 to 2 are taken (vsock(7)).
  std::uint32_t next_cid() { return next_cid_++; }
  std::uint64_t next_vm() { return next_vm_++; }
  std::uint64_t next_pool() { return next_pool_++; }
  network::Clusters& clusters() { return *clusters_; }

 private:
  std::vector<std::unique_ptr<loop::EpollLoop>> loops_;
  std::unique_ptr<loop::FilePool> files_;
  std::unique_ptr<qemu::Spawner> spawner_;
  std::unique_ptr<network::NetworkHost> network_;
  std::unique_ptr<network::Clusters> clusters_;
  std::atomic<std::size_t> next_loop_{0};
  std::atomic<std::uint32_t> next_cid_{3};
  std::atomic<std::uint64_t> next_vm_{1};
  std::atomic<std::uint64_t> next_pool_{1};
  std::mutex mutex_;  // guards qemu_ and file_io_
  std::map<loop::EpollLoop*, std::weak_ptr<block::FileIo>> file_io_;
  std::optional<result<qemu::QemuInfo>> qemu_;
};

}  // namespace capsa
