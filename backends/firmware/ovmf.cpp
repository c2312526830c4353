#include <unistd.h>

#include <backends/firmware/ovmf.hpp>
#include <cerrno>

namespace capsa::firmware {

// The builds for 4 MiB of flash: those for 2 MiB have too little room for the lists of revoked keys
// of today, and newer releases come without them.
result<Ovmf> find_ovmf(bool secure_boot, const std::filesystem::path& directory) {
  Ovmf out;
  out.code = directory / (secure_boot ? "OVMF_CODE_4M.secboot.fd" : "OVMF_CODE_4M.fd");
  out.variables = directory / (secure_boot ? "OVMF_VARS_4M.ms.fd" : "OVMF_VARS_4M.fd");
  for (const auto& file : {out.code, out.variables}) {
    if (::access(file.c_str(), R_OK) == 0) continue;
    if (errno == ENOENT || errno == ENOTDIR)
      return error(ErrorCode::NotFound,
                   "UEFI firmware is not installed: there is no " + file.string(),
                   "apt-get install ovmf");
    return error_from_errno(errno, "read UEFI firmware " + file.string());
  }
  return out;
}

}  // namespace capsa::firmware
