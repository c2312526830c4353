#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <tests/support/oci_layout_builder.hpp>
#include <tests/support/tar_builder.hpp>
#include <thread>

namespace capsa::test {

/// The static busybox of the prepared guest, out of its initrd: the tests need no image of others.
const std::string& busybox();

/// A layer with busybox, sh and an account "app" (1000:100).
std::string base_layer();

/// A registry on this host's loopback; none where docker-registry is not installed.
class LoopbackRegistry {
 public:
  static std::unique_ptr<LoopbackRegistry> start(const std::filesystem::path& directory);
  LoopbackRegistry(const LoopbackRegistry&) = delete;
  LoopbackRegistry& operator=(const LoopbackRegistry&) = delete;
  ~LoopbackRegistry() { stop(); }

  void stop();
  /// "127.0.0.1:PORT/NAME"
  std::string name_of(const std::string& name) const {
    return "127.0.0.1:" + std::to_string(port_) + "/" + name;
  }
  /// Has skopeo push the image of a layout. False where it fails, with its words on standard error.
  bool push(const tests::OciLayoutBuilder& layout, const std::string& name) const;

 private:
  LoopbackRegistry(pid_t pid, std::uint16_t port) : pid_(pid), port_(port) {}
  pid_t pid_;
  std::uint16_t port_;
  std::thread reader_;
};

}  // namespace capsa::test
