#include <actors/guest/assets.hpp>
#include <actors/guest/cache.hpp>
#include <actors/guest/content_key.hpp>
#include <actors/guest/tsc.hpp>
#include <backends/runtime_dir/libexec.hpp>
#include <capsa/result.hpp>
#include <tools/benchmarks/bare_qemu.hpp>
#include <tools/benchmarks/guests.hpp>

#include <sstream>

namespace capsa::bench {

std::vector<GuestAssets> guests(const std::string& kind) {
  const auto root = guest_cache().value();
  const auto key = guest::file_key(libexec_program("capsa-agent")).value();
  std::vector<GuestAssets> found;
  for (const bool tuned : {false, true}) {
    if (kind == (tuned ? "stock" : "tuned")) continue;
    auto known = guest::list_guests(root);
    std::erase_if(known, [&](const auto& one) { return one.manifest.tuned != tuned; });
    if (const auto chosen = guest::choose_guest(std::move(known), key))
      found.push_back(guest::describe(*chosen, guest::tsc_khz()));
  }
  if (found.empty())
    throw error(ErrorCode::GuestNotPrepared,
                "no " + (kind.empty() ? "guest" : kind + " guest") + " with this agent is prepared",
                kind == "tuned" ? "run: capsa guest prepare --tuned" : "run: capsa guest prepare");
  return found;
}

void add_guest_option(CLI::App& command, std::string& kind, const std::string& help) {
  command.add_option("--guest", kind, help)->check(CLI::IsMember({"stock", "tuned"}));
}

void add_backend_option(CLI::App& command, std::string& name) {
  command.add_option("--backend", name, "auto, kvm or qemu (default: auto)")
      ->check(CLI::IsMember({"auto", "kvm", "qemu"}));
}

Backend backend_named(const std::string& name) {
  if (name == "kvm") return Backend::Kvm;
  return name == "qemu" ? Backend::Qemu : Backend::Auto;
}

VmBuilder plain_vm(const Runtime& runtime, const GuestAssets& guest) {
  LinuxDirectBootConfig boot(guest.kernel, guest.initrd);
  boot.acpi = guest.acpi;
  auto builder = runtime.vm(boot);
  std::istringstream words(guest.command_line);
  for (std::string word; words >> word;)
    builder = std::move(builder).cmdline_flag(word);
  return builder;
}

void wait_for_init(const VmHandle& vm) {
  vm.console().get().wait_for_timeout(kReadyLine, std::chrono::minutes(2)).get();
}

std::string name_of(const GuestAssets& guest) {
  return (guest.tuned ? "tuned " : "stock ") + guest.kernel_version;
}

}  // namespace capsa::bench
