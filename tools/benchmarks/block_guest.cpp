#include <tools/benchmarks/block_guest.hpp>
#include <tools/guest/cpio.hpp>

#include <stdlib.h>

#include <cerrno>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>

namespace capsa::bench {

namespace {

std::string content(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file)
    throw error(ErrorCode::NotFound, "there is no " + path.string(),
                "run tools/bench, which makes it");
  return {std::istreambuf_iterator<char>(file), {}};
}

void write(const std::filesystem::path& path, const std::string& bytes, unsigned times) {
  std::ofstream file(path, std::ios::binary);
  for (unsigned i = 0; i < times; ++i)
    file << bytes;
  if (!file.flush()) throw error(ErrorCode::IoError, "write " + path.string());
}

}  // namespace

BlockFiles::BlockFiles(const GuestAssets& guest, unsigned mib) : guest_(guest) {
  auto name = (std::filesystem::temp_directory_path() / "capsa-bench-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw error_from_errno(errno, "make " + name);
  directory_ = name;
  // The kernel unpacks one archive after the other (initramfs buffer format).
  guest::CpioWriter archive;
  archive.file("block_load", 0755, content(CAPSA_BLOCK_LOAD)).value();
  guest_.initrd = directory_ / "initrd";
  guest_.command_line += " rdinit=/block_load";
  write(guest_.initrd, content(guest.initrd) + archive.finish(), 1);
  write(image(), std::string(std::size_t{1} << 20, 'x'), mib);
}

BlockFiles::~BlockFiles() {
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

std::filesystem::path BlockFiles::qemu_with_peer(const std::string& qemu, const std::string& aio,
                                                 bool iothread) const {
  // Not locked: one image for both, of which only one is used at a time.
  const std::string more =
      " -drive if=none,id=peer,format=raw,file.locking=off,cache=writeback,aio=" + aio +
      ",file.filename=" + image().string() + (iothread ? " -object iothread,id=peer-io" : "") +
      " -device virtio-blk-device,drive=peer,serial=" + kPeer +
      (iothread ? ",iothread=peer-io" : "");
  auto program = directory_ / "qemu";
  write(program,
        "#!/bin/sh\ncase \"$*\" in *vhost-user-blk*) exec " + qemu + " \"$@\"" + more +
            " ;; esac\nexec " + qemu + " \"$@\"\n",
        1);
  std::filesystem::permissions(program, std::filesystem::perms::owner_all);
  return program;
}

std::chrono::nanoseconds block_turn(const Ask& ask, const std::string& serial,
                                    const std::string& what, unsigned size, unsigned depth,
                                    std::chrono::milliseconds time) {
  const auto answer = ask(serial + " " + what + " " + std::to_string(size) + " " +
                              std::to_string(depth) + " " + std::to_string(time.count()),
                          " ns");
  const auto at = answer.rfind("took ");
  const long long taken = at == std::string::npos ? -1 : std::atoll(answer.c_str() + at + 5);
  if (taken <= 0) throw error(ErrorCode::IoError, "the guest's disk failed; it said: " + answer);
  return std::chrono::nanoseconds(taken);
}

}  // namespace capsa::bench
