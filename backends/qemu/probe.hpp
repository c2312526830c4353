#pragma once

#include <backends/qemu/version.hpp>
#include <capsa/result.hpp>
#include <filesystem>
#include <string>
#include <string_view>

namespace capsa::qemu {

/// A QEMU that can be used, and whether this user may use KVM.
struct QemuInfo {
  std::filesystem::path path;
  QemuVersion version;
  bool kvm = false;
  std::string kvm_reason;  ///< why not, in a sentence that says what to do; empty where kvm
};

/// Finds qemu-system-x86_64: `explicit_path` if it is not empty, else the environment variable
/// CAPSA_QEMU, else PATH; runs it for its version (about 50 ms; given up after 10 s) and tries
/// /dev/kvm. Blocks: call it once, at start-up.
/// BackendUnavailable where there is none or it does not run, UnsupportedFeature below 7.2.
result<QemuInfo> find_qemu(const std::filesystem::path& explicit_path = {});

}  // namespace capsa::qemu
