#pragma once

#include <memory>
#include <string>
#include <tests/conformance/guest_fixture.hpp>
#include <tests/conformance/net_servers.hpp>
#include <tests/support/scratch_dir.hpp>

namespace capsa::test {

/// What a line of shell prints in a guest; "status N: …" where it fails.
std::string said(const AgentClient& agent, const std::string& line);

/// One VM that was built with one of everything: most rows are an aspect of it.
struct BuilderScene {
  tests::ScratchDir dir;
  std::string raw_bytes;     ///< of the first disk
  std::string qcow2_bytes;   ///< of the second, by its name
  std::string locked_bytes;  ///< of the third, read-only
  VmHandle vm;
  AgentClient agent;
  Console console;

  BuilderScene();

 private:
  VmHandle build();
};
BuilderScene& builder_scene();

/// A VM with a root disk, and one whose format its name does not tell.
struct DiskScene {
  tests::ScratchDir dir;
  std::string root_bytes;
  std::string odd_bytes;  ///< of /dev/vdb: qcow2, and called .img
  VmHandle vm;
  AgentClient agent;

  DiskScene();

 private:
  VmHandle build();
};
DiskScene& disk_scene();

/// For what ends VMs: a plain one, started, its console open at a shell's prompt.
struct PlainScene {
  VmHandle vm;
  Console console;
  PlainScene();
};

/// Ports of the scene's VM on vsock.
inline constexpr std::uint32_t kListenPort = 1024;
inline constexpr std::uint32_t kListenAtPort = 1025;
inline constexpr std::uint32_t kConnectPort = 2049;    ///< the guest echoes there
inline constexpr std::uint32_t kConnectAtPort = 2050;  ///< there, too

/// Starts the guest's end of vsock: see tests/support/guest/vsock_peer.c.
void start_vsock_peer(const AgentClient& agent);
/// What comes back over a stream for "there and back\n".
std::string echoed(int fd);
/// A connection to a unix socket.
UniqueFd dial(const std::filesystem::path& path);

}  // namespace capsa::test
