#include <actors/guest/cache.hpp>
#include <backends/program/program.hpp>
#include <set>
#include <sstream>
#include <tools/guest/cpio.hpp>
#include <tools/guest/elf.hpp>
#include <tools/guest/initrd.hpp>

namespace capsa::guest {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxProgram = std::size_t{64} * 1024 * 1024;

struct TextFile {
  const char* path;
  const char* content;
};
// Users and names as small images have them. resolv.conf is the agent's to fill in.
constexpr TextFile kTextFiles[] = {
    {"etc/passwd",
     "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"},
    {"etc/group", "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n"},
    {"etc/hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"},
    {"etc/resolv.conf", ""},
    {"etc/profile", "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"},
};

/// Creates parents of a path before the path, each once.
class Directories {
 public:
  explicit Directories(CpioWriter& archive) : archive_(archive) {}
  void make(const fs::path& directory, unsigned permissions = 0755) {
    if (directory.empty() || known_.contains(directory)) return;
    make(directory.parent_path());
    known_.insert(directory);
    archive_.directory(directory.native(), permissions);
  }

 private:
  CpioWriter& archive_;
  std::set<fs::path> known_;
};

result<void> check_static(std::string_view program, std::string_view name) {
  const auto elf = Elf::parse(program);
  if (!elf || !elf->is_program())
    return error(ErrorCode::InvalidConfig, std::string(name) + " is no 64-bit x86 program");
  const auto dynamic = elf->has_interpreter();
  if (!dynamic) return dynamic.error();
  if (*dynamic)
    return error(ErrorCode::InvalidConfig, std::string(name) + " is not linked statically",
                 "there are no libraries in an initrd: link it with -static");
  return {};
}

result<void> add_modules(CpioWriter& archive, Directories& directories, const Kernel& kernel) {
  const fs::path base = fs::path("lib/modules") / kernel.version;
  std::string list;
  for (const auto& group : kernel.modules) {
    if (!list.empty()) list += '\n';
    for (const auto& module : group) {
      const auto bytes = read_file(kernel.directory / "modules" / module, kMaxProgram);
      if (!bytes) return bytes.error();
      directories.make((base / module).parent_path());
      if (auto added = archive.file((base / module).native(), 0644, *bytes); !added) return added;
      list += "/" + (base / module).native() + "\n";
    }
  }
  directories.make("etc/capsa");
  return archive.file("etc/capsa/modules", 0644, list);
}

result<std::string> read_host_busybox() {
  for (const char* place : {"/bin/busybox", "/usr/bin/busybox"}) {
    auto program = read_file(place, kMaxProgram);
    if (program && check_static(*program, place)) return program;
  }
  return error(ErrorCode::NotFound, "no static busybox on this host");
}

/// Every applet's path, without those that would hide busybox itself or the agent.
result<std::vector<std::string>> list_applets(const fs::path& busybox) {
  auto output = program::run({.words = {busybox.string(), "--list-full"}});
  if (!output) return output.error();
  std::vector<std::string> applets;
  std::istringstream lines(*output);
  for (std::string line; std::getline(lines, line);)
    if (line.find('/') != std::string::npos && line != "bin/busybox" && !line.starts_with('/') &&
        line.find("..") == std::string::npos)
      applets.push_back(line);
  return applets;
}

}  // namespace

result<std::string> build_initrd(const InitrdParts& parts) {
  if (auto checked = check_static(parts.agent, "the guest agent"); !checked) return checked.error();
  if (auto checked = check_static(parts.busybox, "busybox"); !checked) return checked.error();
  CpioWriter archive;
  Directories directories(archive);
  for (const char* name :
       {"bin", "dev", "etc", "mnt", "proc", "run", "sbin", "sys", "usr/bin", "usr/sbin", "var"})
    directories.make(name);
  directories.make("root", 0700);
  directories.make("tmp", 01777);
  // The kernel opens the console for init before anything mounts devtmpfs.
  archive.character_device("dev/console", 0600, 5, 1);
  archive.character_device("dev/null", 0666, 1, 3);
  if (auto added = archive.file("init", 0755, parts.agent); !added) return added.error();
  if (auto added = archive.file("bin/busybox", 0755, parts.busybox); !added) return added.error();
  for (const auto& applet : parts.applets) {
    directories.make(fs::path(applet).parent_path());
    archive.symlink(applet, "/bin/busybox");
  }
  for (const auto& file : kTextFiles)
    if (auto added = archive.file(file.path, 0644, file.content); !added) return added.error();
  if (auto added = add_modules(archive, directories, parts.kernel); !added) return added.error();
  return archive.finish();
}

result<Busybox> find_busybox(const fs::path& root, const Progress& progress) {
  auto program = read_host_busybox();
  if (!program) {
    auto entry = NewEntry::create(root);
    if (!entry) return entry.error();
    if (auto fetched = fetch_package("busybox-static", entry->path(), progress); !fetched)
      return fetched.error();
    for (const char* place : {"bin/busybox", "usr/bin/busybox"})
      if (!program) program = read_file(entry->path() / place, kMaxProgram);
    if (!program) return program.error();
  }
  // Asked of exactly the bytes that go into the initrd.
  auto scratch = NewEntry::create(root);
  if (!scratch) return scratch.error();
  const fs::path copy = scratch->path() / "busybox";
  if (auto written = write_file(copy, *program); !written) return written.error();
  std::error_code failed;
  fs::permissions(copy, fs::perms(0755), failed);
  auto applets = list_applets(copy);
  if (!applets) return applets.error();
  return Busybox{*std::move(program), *std::move(applets)};
}

}  // namespace capsa::guest
