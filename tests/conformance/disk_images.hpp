#pragma once

#include <tests/support/guest/disk_script.h>
#include <cstdint>
#include <filesystem>
#include <string>
#include <tests/conformance/guest_fixture.hpp>

namespace capsa::test {

/// How a program of the host ended, and all that it said.
struct HostRun {
  int status = -1;
  std::string output;
};
HostRun run_on_host(const std::string& shell_line);

/// Makes an empty image of this size: qcow2 where it is called so, else raw.
std::filesystem::path make_image(const std::filesystem::path& path, std::uint64_t mib);

/// All bytes of the disk that is in an image that nobody has open.
std::string bytes_of_image(const std::filesystem::path& image);
/// Whether a raw image holds just these bytes; for images that are too large to be held twice.
bool holds(const std::filesystem::path& raw_image, const std::string& bytes);

/// The exit status of `qemu-img check`: 0 where all is well, 3 where space is lost and nothing
/// else.
int check_image(const std::filesystem::path& image);

/// Processes of the host that serve this image: see their command lines.
std::size_t servers_of(const std::filesystem::path& image);
std::vector<int> server_pids_of(const std::filesystem::path& image);

/// Whether somebody has the image locked against writers.
bool is_locked(const std::filesystem::path& image);

/// The agent of a started VM, with the test's program in the guest as /tmp/worker.
AgentClient agent_with_worker(const VmHandle& vm);

/// What must be on a disk of this size after `disk_worker fill SEED MIB WORKERS`.
std::string filled_disk(std::uint64_t disk_mib, std::uint64_t seed, std::uint64_t mib,
                        unsigned workers);
/// What `disk_worker sum` says of a disk with these bytes.
std::string sum_of(const std::string& bytes);

/// What a test's variable says, e.g. CAPSA_DISK_MIB.
std::uint64_t number_from_environment(const char* variable, std::uint64_t otherwise);

}  // namespace capsa::test
