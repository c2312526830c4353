#pragma once

#include <capsa/config.hpp>
#include <capsa/result.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// What is written on capsa's command line, as values. Errors are InvalidConfig.
namespace capsa::cli {

/// "HOST:TARGET[:ro|rw]"; read-only unless told otherwise. Read from its end: HOST may hold colons.
result<ShareConfig> parse_share(std::string_view text);

/// "IMAGE[:ro|rw|overlay][:raw|qcow2]"; writable unless told otherwise, its format by its name.
/// Read from its end: IMAGE may hold colons, and may be an nbd:// URI.
result<DiskImage> parse_disk(std::string_view option, std::string_view text);

/// What of `capsa vm` says how the machine comes up, as written.
struct BootWords {
  std::string kernel;
  std::string initrd;
  std::string root_disk;
  bool no_acpi = false;
  bool uefi = false;
  std::string efi_vars;
  bool secure_boot = false;
};

/// A kernel and its initrd, or the first of `disks`, which is then no longer among them.
result<BootConfig> parse_boot(const BootWords& words, std::vector<DiskImage>& disks);

/// "KEY=VALUE", or "KEY" for the value that it has here.
result<std::pair<std::string, std::string>> parse_env(std::string_view text);

/// "PORT[:PATH]".
result<VsockPortConfig> parse_vsock(std::string_view text, bool connects);

/// A number of MiB, or a number with the suffix M or G.
result<std::uint64_t> parse_memory(std::string_view text);

/// A number of bytes, or a number with the suffix K, M, G or T.
result<std::uint64_t> parse_size(std::string_view text);

/// A number of seconds, with a fraction or without; more than 0.
result<std::chrono::milliseconds> parse_seconds(std::string_view text);

/// Words divided by blanks; double quotes hold blanks, as on the kernel's command line, and are
/// taken out.
result<std::vector<std::string>> split_words(std::string_view text);

result<Backend> parse_backend(std::string_view text);
result<Accelerator> parse_accelerator(std::string_view text);

}  // namespace capsa::cli
