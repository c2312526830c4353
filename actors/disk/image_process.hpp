#pragma once

#include <backends/block/image_server.hpp>
#include <backends/qemu/child_monitor.hpp>
#include <backends/qemu/spawn.hpp>
#include <capsa/loop.hpp>
#include <functional>
#include <memory>
#include <optional>

namespace capsa::disk {

/// The process that serves one image which is not raw: QEMU's own block layer, behind a private
/// unix socket. On the loop's thread. Destruction kills it: end() lets it write what it has.
class ImageProcess {
 public:
  /// It ended, or never began, though nobody asked it to: with its own words. Once.
  using Lost = std::function<void(capsa::error)>;

  /// Starts it. `directory` is private to the VM, `name` names the disk in it. What the socket
  /// needs is there when this returns: whoever connects waits in its backlog. `image` is what
  /// block::image_of_descriptor() names, where the configuration does.
  static result<std::unique_ptr<ImageProcess>> start(Loop& loop, qemu::Spawner& spawner,
                                                     const block::ImageServerConfig& config,
                                                     const std::filesystem::path& directory,
                                                     const std::string& name, Lost lost,
                                                     const UniqueFd& image = {});
  ImageProcess(const ImageProcess&) = delete;
  ImageProcess& operator=(const ImageProcess&) = delete;
  ~ImageProcess();

  const std::filesystem::path& socket() const noexcept { return command_.socket; }
  const std::string& export_name() const noexcept { return command_.export_name; }

  /// Asks it to end, and kills it where it does not within seconds. `done` is called once it has
  /// ended, possibly from in here, and may destroy this.
  void end(std::function<void()> done);

 private:
  ImageProcess(Loop& loop, block::ImageServerCommand command, Lost lost);
  void take_child(result<qemu::ChildProcess> child);
  void exited(qemu::ExitStatus status);
  void gone();

  Loop& loop_;
  const block::ImageServerCommand command_;
  Lost lost_;
  std::unique_ptr<qemu::ChildMonitor> child_;
  bool starting_ = true;
  std::function<void()> on_end_;
  std::optional<Loop::TimerId> patience_;
  std::shared_ptr<ImageProcess*> self_;  // emptied by the destructor
};

}  // namespace capsa::disk
