#pragma once

#include <capsa/guest.hpp>
#include <chrono>
#include <filesystem>
#include <functional>
#include <string>

namespace capsa::bench {

/// A directory with what the measured guests boot and use; removed with the scope.
class BlockFiles {
 public:
  /// An initrd that has guest/block_load.c beside what `guest` has, and an image of `mib` MiB that
  /// is written throughout. Throws capsa::error.
  BlockFiles(const GuestAssets& guest, unsigned mib);
  ~BlockFiles();
  BlockFiles(const BlockFiles&) = delete;
  BlockFiles& operator=(const BlockFiles&) = delete;

  /// Boots that initrd; block_load is its init.
  const GuestAssets& guest() const noexcept { return guest_; }
  std::filesystem::path image() const { return directory_ / "disk"; }

  /// A program that is `qemu`, but gives a machine with a disk of ours a disk of QEMU's own
  /// besides: the same image, with the serial number kPeer.
  std::filesystem::path qemu_with_peer(const std::string& qemu, const std::string& aio,
                                       bool iothread) const;

 private:
  std::filesystem::path directory_;
  GuestAssets guest_;
};

/// Writes a line to a guest's console and gives what comes back, through `end`.
using Ask = std::function<std::string(const std::string& line, const std::string& end)>;

/// The serial numbers of the two disks.
constexpr const char* kOwn = "capsa";
constexpr const char* kPeer = "qemu";

/// Has block_load do one turn with the disk of that serial number; the time per request.
std::chrono::nanoseconds block_turn(const Ask& ask, const std::string& serial,
                                    const std::string& what, unsigned size, unsigned depth,
                                    std::chrono::milliseconds time);

}  // namespace capsa::bench
