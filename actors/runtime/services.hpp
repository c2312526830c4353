#pragma once

#include <actors/loop/callback_thread.hpp>
#include <actors/loop/epoll_loop.hpp>
#include <actors/loop/file_pool.hpp>
#include <actors/runtime/log.hpp>
#include <atomic>
#include <backends/qemu/probe.hpp>
#include <backends/qemu/spawn.hpp>
#include <backends/runtime_dir/runtime_dir.hpp>
#include <capsa/runtime.hpp>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace capsa {

/// What all units of a runtime share. Outlives every actor; members are destroyed in reverse, and
/// that order matters: the spawner's children post to the loops, file work posts to them too.
class Services {
 public:
  Services(caf::actor_system& system, const RuntimeOptions& options);
  ~Services();

  caf::actor_system& system;
  const RuntimeOptions options;
  Log log;
  RuntimeDir runtime_dir;
  CallbackThread callbacks{"capsa-callback"};

  loop::EpollLoop& next_loop();
  loop::FilePool& files() { return *files_; }
  qemu::Spawner& spawner() { return *spawner_; }

  /// The QEMU of this machine, probed at the first call; later calls are cheap. Thread-safe.
  result<qemu::QemuInfo> qemu();
  /// CIDs 0 to 2 are taken (vsock(7)).
  std::uint32_t next_cid() { return next_cid_++; }
  std::uint64_t next_vm() { return next_vm_++; }

 private:
  std::vector<std::unique_ptr<loop::EpollLoop>> loops_;
  std::unique_ptr<loop::FilePool> files_;
  std::unique_ptr<qemu::Spawner> spawner_;
  std::atomic<std::size_t> next_loop_{0};
  std::atomic<std::uint32_t> next_cid_{3};
  std::atomic<std::uint64_t> next_vm_{1};
  std::mutex mutex_;  // guards qemu_
  std::optional<result<qemu::QemuInfo>> qemu_;
};

}  // namespace capsa
