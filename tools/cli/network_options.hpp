#pragma once

#include <CLI/CLI.hpp>
#include <capsa/network.hpp>
#include <capsa/result.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace capsa::cli {

/// The network of a VM, as written on the command line.
struct NetworkWords {
  std::string mode;  ///< empty: user where another of these is given, else none
  std::vector<std::string> publish;
  std::vector<std::string> allow;
  std::vector<std::string> deny;
  std::string policy_file;
};

void add_network_options(CLI::App& command, NetworkWords& words);

/// InvalidConfig says which option is wrong; NotFound and its like, which file.
result<NetworkMode> parse_network(const NetworkWords& words);

/// "[IP:]HOST:GUEST[/tcp|/udp]"; HOST may be 0.
result<PortForward> parse_publish(std::string_view text);

}  // namespace capsa::cli
