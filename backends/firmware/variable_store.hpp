#pragma once

#include <backends/firmware/ovmf.hpp>
#include <capsa/detail/unique_fd.hpp>
#include <capsa/result.hpp>
#include <filesystem>

namespace capsa::firmware {

// A variable store is the flash chip in which firmware keeps its variables, byte for byte: a file
// of just the size that the firmware was built for.

/// Opens a store for one machine, and makes it of the firmware's first variables where there is
/// none and `create` is set; it is there whole or not at all.
///
/// The store is locked as long as anybody has this open file: the descriptor, a copy, or a process
/// that has inherited one. The lock (fcntl(2), F_OFD_SETLK) is exclusive and on all of the file, as
/// those of disk images are.
///
/// NotFound where there is none, PermissionDenied, InvalidConfig (no regular file, or of a size
/// that is not this firmware's), ResourceExhausted where somebody else has it open; the message
/// names the file.
result<UniqueFd> open_variable_store(const std::filesystem::path& path, const Ovmf& firmware,
                                     bool create);

/// A store without a name, which is gone when the last who has it open closes it.
result<UniqueFd> make_nameless_store(const Ovmf& firmware);

/// Whether open_variable_store() can be expected to work; opens and makes nothing. The same errors
/// but ResourceExhausted.
result<void> check_variable_store(const std::filesystem::path& path, const Ovmf& firmware,
                                  bool create);

}  // namespace capsa::firmware
