#pragma once

#include <capsa/capsa.hpp>
#include <cstdint>
#include <optional>
#include <string>

namespace capsa::test {

/// The prepared guest; CAPSA_TEST_GUEST (stock or tuned) says which where there are several. A
/// program that finds none ends as skipped, with the reason, at the first use.
const GuestAssets& guest();

/// A builder for a plain VM of the prepared guest, with all that its kernel needs.
/// CAPSA_TEST_CPUS says how many CPUs VMs have that do not ask for their own number; else 1.
VmBuilder guest_vm(Runtime& runtime, std::optional<DiskImage> root_disk = {});
/// The same for a sandbox, on runtime().
SandboxBuilder sandbox();

/// Whether the VMs of this program are machines of our own on KVM: see CAPSA_BACKEND.
bool on_kvm();

/// The runtime of this test program.
Runtime& runtime();

/// `size` bytes that no compressor and no accident reproduces; the same for the same seed.
std::string random_bytes(std::size_t size, std::uint64_t seed);

/// SHA-256 in lower-case hex, by the program sha256sum on the host.
std::string sha256(const std::string& bytes);

/// The code of the error that a future ends with; nothing where it succeeds.
template <class T>
std::optional<ErrorCode> code_of(future<T> f) {
  auto r = f.result();
  if (r.ok()) return std::nullopt;
  return r.error().code();
}

}  // namespace capsa::test

namespace capsa {
inline std::ostream& operator<<(std::ostream& out, ErrorCode code) {
  return out << to_string(code);
}
inline std::ostream& operator<<(std::ostream& out, const std::optional<ErrorCode>& code) {
  return code ? out << *code : out << "success";
}
}  // namespace capsa
