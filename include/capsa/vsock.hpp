#pragma once

#include <capsa/detail/unique_fd.hpp>
#include <capsa/future.hpp>
#include <cstdint>
#include <filesystem>
#include <memory>

namespace capsa {

namespace detail {
class VmImpl;
}

/// One stream between host and guest.
class VsockStream {
 public:
  /// Made by VsockSocket::connect() and accept().
  explicit VsockStream(UniqueFd fd) : fd_(std::move(fd)) {}
  /// A connected, blocking SOCK_STREAM socket: read, write and shutdown(2) it as any other.
  int fd() const noexcept { return fd_.get(); }
  /// Gives the socket away; fd() is -1 then.
  UniqueFd release() { return std::move(fd_); }

 private:
  UniqueFd fd_;
};

/// A configured vsock port of a VM. Copyable handle; keeps the VM alive; thread-safe.
class VsockSocket {
 public:
  /// The number of the guest's or the host's port, as it was configured.
  std::uint32_t port() const noexcept { return port_; }
  /// The unix socket; it accepts connections while the VM runs.
  const std::filesystem::path& path() const noexcept { return path_; }
  /// Whether the host connects (true) or the guest does.
  bool connects() const noexcept { return connects_; }

  /// Connects to the guest's listener, without the detour over the unix socket. ConnectionClosed
  /// where nobody listens. Only where connects().
  future<VsockStream> connect() const;
  /// The next connection that the guest makes, for as long as the builder's timeout() says. Only
  /// where !connects().
  future<VsockStream> accept() const;

  ///@{
  /// For this library; made by VmHandle::vsock_socket().
  VsockSocket(std::shared_ptr<detail::VmImpl> vm, std::uint32_t port, std::filesystem::path path,
              bool connects)
      : vm_(std::move(vm)), port_(port), path_(std::move(path)), connects_(connects) {}
  const std::shared_ptr<detail::VmImpl>& vm() const noexcept { return vm_; }
  ///@}

 private:
  std::shared_ptr<detail::VmImpl> vm_;
  std::uint32_t port_;
  std::filesystem::path path_;
  bool connects_;
};

}  // namespace capsa
