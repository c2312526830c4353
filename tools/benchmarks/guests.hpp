#pragma once

#include <CLI/CLI.hpp>
#include <capsa/guest.hpp>
#include <string>
#include <vector>

namespace capsa::bench {

/// The prepared guests with this library's agent: the newest distribution's, and the newest small
/// one. Empty `kind`: both, else "stock" or "tuned". Throws capsa::error GuestNotPrepared where
/// there is none of them.
std::vector<GuestAssets> guests(const std::string& kind);

/// The option --guest of every benchmark; `help` tells what happens without it.
void add_guest_option(CLI::App& command, std::string& kind, const std::string& help);

/// "tuned 6.1.192-capsa"
std::string name_of(const GuestAssets& guest);

}  // namespace capsa::bench
