#pragma once

#include <CLI/CLI.hpp>
#include <capsa/guest.hpp>
#include <capsa/runtime.hpp>
#include <string>
#include <vector>

namespace capsa::bench {

/// The prepared guests with this library's agent: the newest distribution's, and the newest small
/// one. Empty `kind`: both, else "stock" or "tuned". Throws capsa::error GuestNotPrepared where
/// there is none of them.
std::vector<GuestAssets> guests(const std::string& kind);

/// The option --guest of every benchmark; `help` tells what happens without it.
void add_guest_option(CLI::App& command, std::string& kind, const std::string& help);

/// The option --backend: auto, kvm or qemu; and what it names.
void add_backend_option(CLI::App& command, std::string& name);
Backend backend_named(const std::string& name);

/// A plain VM of the guest, with all that its kernel needs.
VmBuilder plain_vm(const Runtime& runtime, const GuestAssets& guest);
inline VmBuilder plain_vm(const GuestAssets& guest) {
  return plain_vm(Capsa::runtime(), guest);
}

/// Waits for the agent's line at the console of a VM that was told capsa.ready=1.
void wait_for_init(const VmHandle& vm);

/// "tuned 6.1.192-capsa"
std::string name_of(const GuestAssets& guest);

}  // namespace capsa::bench
