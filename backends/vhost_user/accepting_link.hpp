#pragma once

#include <backends/vhost_user/server.hpp>
#include <filesystem>
#include <memory>

namespace capsa::vhost_user {

/// A Server whose hypervisor connects by itself, to a unix socket at a path: QEMU's network cards
/// take no socket that is connected already. The first who connects is served, and the path is
/// removed then; it lies in a directory that nobody else may enter. All calls on the loop's thread.
class AcceptingLink final : public virtio::DeviceLink {
 public:
  /// `listener` listens at `path`. `loop` and `device` outlive the link, and the device its own
  /// reset.
  AcceptingLink(Loop& loop, UniqueFd listener, std::filesystem::path path, virtio::Device& device,
                OnClosed on_closed);
  ~AcceptingLink() override;

  void close(std::function<void()> done) override;

 private:
  void accept();
  void stop_listening();

  Loop& loop_;
  UniqueFd listener_;
  std::filesystem::path path_;
  virtio::Device& device_;
  OnClosed on_closed_;
  std::unique_ptr<Server> server_;
};

/// Listens at a path, for AcceptingLink; whatever lies there is replaced. InvalidConfig where the
/// path is too long, else the code of the errno.
result<UniqueFd> listen_for_hypervisor(const std::filesystem::path& path);

}  // namespace capsa::vhost_user
