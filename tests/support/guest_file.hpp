#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <capsa/detail/unique_fd.hpp>
#include <cerrno>
#include <cstdint>
#include <system_error>

namespace capsa::test {

/// A file for guest memory, sealed as QEMU seals its own. Throws std::system_error.
inline UniqueFd make_guest_file(std::uint64_t size) {
  UniqueFd fd(::memfd_create("fake-guest", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd || ::ftruncate(fd.get(), static_cast<off_t>(size)) != 0 ||
      ::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0) {
    throw std::system_error(errno, std::generic_category(), "memfd for a fake guest");
  }
  return fd;
}

}  // namespace capsa::test
