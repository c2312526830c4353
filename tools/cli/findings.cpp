#include <actors/guest/cache.hpp>
#include <actors/values/validate.hpp>
#include <algorithm>
#include <backends/firmware/ovmf.hpp>
#include <backends/kvm/host.hpp>
#include <backends/kvm_device.hpp>
#include <backends/program/program.hpp>
#include <backends/qemu/probe.hpp>
#include <backends/runtime_dir/libexec.hpp>
#include <capsa/guest.hpp>
#include <fstream>
#include <net/host_nat/host_facts.hpp>
#include <tools/cli/findings.hpp>

namespace capsa::cli {
namespace {

Finding found(std::string name, bool required, std::string detail) {
  return {std::move(name), true, required, std::move(detail), {}};
}

Finding missing(std::string name, bool required, const error& why) {
  return {std::move(name), false, required, why.message(), why.hint()};
}

Finding find_hypervisor() {
  const auto qemu = qemu::find_qemu();
  if (!qemu) return missing("qemu", true, qemu.error());
  return found("qemu", true, qemu->path.string() + ", version " + to_string(qemu->version));
}

Finding find_firmware() {
  const auto plain = firmware::find_ovmf(false);
  if (!plain) return missing("uefi", false, plain.error());
  const bool secure = firmware::find_ovmf(true).ok();
  return found("uefi", false,
               plain->code.string() + (secure ? ", and for secure boot" : "; not for secure boot"));
}

Finding find_kvm() {
  const auto kvm = hypervisor::probe_kvm();
  return kvm ? found("kvm", false, "/dev/kvm works") : missing("kvm", false, kvm.error());
}

Finding find_program(std::string name) {
  const auto path = libexec_program(name);
  if (!path.empty()) return found(std::move(name), true, path.string());
  const error why(ErrorCode::NotFound, "it is not where it is installed or built",
                  "install capsa again, or set CAPSA_LIBEXEC to the directory that holds it");
  return missing(std::move(name), true, why);
}

Finding find_prepared_guest() {
  const auto guest = find_guest();
  if (!guest) return missing("guest", true, guest.error());
  const auto root = guest_cache();
  const auto count = root ? guest::list_guests(*root).size() : 0;
  return found("guest", true,
               std::string(guest->tuned ? "tuned" : "stock") + " kernel " + guest->kernel_version +
                   " in " + guest->kernel.parent_path().string() + "; " + std::to_string(count) +
                   " prepared");
}

Finding find_host_nat() {
  const auto facts = net::host_nat::host_facts();
  const auto usable = net::host_nat::check(facts);
  return usable ? found("host NAT", false, "by " + facts.nft.string())
                : missing("host NAT", false, usable.error());
}

Finding find_skopeo() {
  const auto version = program::run({.words = {"skopeo", "--version"}, .package = "skopeo"});
  return version ? found("images", false, version->substr(0, version->find('\n')))
                 : missing("images", false, version.error());
}

Finding find_runtime_dir() {
  const auto directory = RuntimeDir::create();
  if (!directory) return missing("runtime directory", true, directory.error());
  return found("runtime directory", true, runtime_base().string());
}

std::uint64_t available_memory_mb() {
  std::ifstream file("/proc/meminfo");
  std::string key;
  for (std::uint64_t kib = 0; file >> key >> kib; file.ignore(80, '\n'))
    if (key == "MemAvailable:") return kib / 1024;
  return 0;
}

Finding find_memory() {
  const auto total = host_context().host_memory_mb;
  const auto available = available_memory_mb();
  const auto detail =
      std::to_string(available) + " MiB of " + std::to_string(total) + " MiB are available";
  // What a VM has unless it is given another size.
  const auto usual = ResourceConfig{}.memory_mb;
  if (available >= usual) return found("memory", false, detail);
  return {"memory", false, false, detail,
          "end other programs, or give VMs less than the usual " + std::to_string(usual) + " MiB"};
}

}  // namespace

bool Diagnosis::ready() const {
  return std::all_of(findings.begin(), findings.end(),
                     [](const Finding& f) { return f.ok || !f.required; });
}

Diagnosis diagnose() {
  Diagnosis out;
  if (auto leftovers = clean_leftovers()) out.leftovers = *std::move(leftovers);
  out.findings = {find_hypervisor(),
                  find_kvm(),
                  find_firmware(),
                  find_program("capsa-launcher"),
                  find_program("capsa-agent"),
                  find_prepared_guest(),
                  find_runtime_dir(),
                  find_skopeo(),
                  find_host_nat(),
                  find_memory()};
  return out;
}

std::vector<BackendInfo> list_backends() {
  const auto qemu = qemu::find_qemu();
  const std::string path =
      qemu ? qemu->path.string() + ", version " + to_string(qemu->version) : qemu.error().what();
  const auto own = kvm::recommend_host();
  const BackendInfo in_process{
      "kvm", "kvm", own.ok(),
      own.ok() ? "a machine in the program that uses capsa" : std::string(own.error().what()),
      "hardware virtualization; devices in the program's own process, vCPU "
      "threads behind a system call filter"};
  BackendInfo kvm{"qemu", "kvm", qemu && qemu->kvm, path,
                  "hardware virtualization around a sandboxed process"};
  if (qemu && !qemu->kvm) kvm.detail = qemu->kvm_reason;
  const BackendInfo tcg{"qemu", "tcg", qemu.ok(), path, "none (emulation is no security boundary)"};
  return {in_process, kvm, tcg};
}

}  // namespace capsa::cli
