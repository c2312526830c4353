#pragma once

#include <filesystem>
#include <tests/conformance/guest_fixture.hpp>

namespace capsa::test {

/// Makes a disk, "boot.img" in that directory, which firmware boots under secure boot, too:
/// Debian's signed shim, GRUB and cloud kernel in an EFI system partition (/dev/vda1, FAT), and an
/// initrd whose init is the agent. The kernel talks to its serial port, and to the console where
/// there is one.
///
/// The packages are downloaded once, into the build's directory, and never installed: shim's would
/// change how this machine boots. A program that can have neither packages nor tools ends as
/// skipped, with the reason.
std::filesystem::path make_uefi_disk(const std::filesystem::path& directory);

/// Puts a file on such a disk in the place of another: "/EFI/BOOT/BOOTX64.EFI".
void replace_on_uefi_disk(const std::filesystem::path& disk, const std::filesystem::path& file,
                          const std::string& place);

/// The program that firmware starts on such a disk; signed.
std::filesystem::path signed_boot_program();

/// Ends the program as skipped where this host has no UEFI firmware.
void need_firmware();

}  // namespace capsa::test
