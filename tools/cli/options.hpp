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

/// "IMAGE[:ro|rw][:raw|qcow2]"; writable unless told otherwise, its format by its name. Read from
/// its end: IMAGE may hold colons, and may be an nbd:// URI.
result<DiskImage> parse_disk(std::string_view option, std::string_view text);

/// "KEY=VALUE", or "KEY" for the value that it has here.
result<std::pair<std::string, std::string>> parse_env(std::string_view text);

/// "PORT[:PATH]".
result<VsockPortConfig> parse_vsock(std::string_view text, bool connects);

/// A number of MiB, or a number with the suffix M or G.
result<std::uint64_t> parse_memory(std::string_view text);

/// A number of seconds, with a fraction or without; more than 0.
result<std::chrono::milliseconds> parse_seconds(std::string_view text);

/// Words divided by blanks; double quotes hold blanks, as on the kernel's command line, and are
/// taken out.
result<std::vector<std::string>> split_words(std::string_view text);

result<Backend> parse_backend(std::string_view text);
result<Accelerator> parse_accelerator(std::string_view text);

}  // namespace capsa::cli
