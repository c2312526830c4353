#include <tests/conformance/uefi_disk.hpp>

#include <actors/guest/cache.hpp>
#include <backends/firmware/ovmf.hpp>
#include <backends/runtime_dir/libexec.hpp>
#include <cstdlib>
#include <iostream>
#include <tests/conformance/disk_images.hpp>
#include <tools/guest/initrd.hpp>
#include <tools/guest/modules.hpp>

namespace capsa::test {

namespace fs = std::filesystem;
using guest::Kernel;
using guest::ModuleTree;

namespace {

constexpr std::size_t kMaxFile = std::size_t{128} << 20;

// What the guest needs on a PC: its line to the host first.
const std::vector<std::string> kModules = {"virtio_pci", "vmw_vsock_virtio_transport",
                                           "virtio_blk", "virtio_console",
                                           "virtio_net", "virtio_rng",
                                           "virtiofs",   "efivarfs",
                                           "vfat",       "nls_cp437",
                                           "nls_ascii",  "button",
                                           "evdev"};

constexpr const char* kGrubConfig =
    "linux /vmlinuz console=hvc0 console=ttyS0 no_timer_check tsc=reliable panic=-1 capsa.ready=1\n"
    "initrd /initrd.img\n"
    "boot\n";

[[noreturn]] void skip(const std::string& why) {
  std::cerr << "skipped: " << why << std::endl;
  std::_Exit(77);
}

template <class T>
T need(result<T> outcome) {
  if (!outcome.ok()) skip(outcome.error().what());
  return *std::move(outcome);
}
void need(const result<void>& outcome) {
  if (!outcome.ok()) skip(outcome.error().what());
}

/// On the host; a tool that is missing says so itself.
void run(const std::string& line) {
  const auto ran = run_on_host(line);
  if (ran.status == 127) skip(ran.output);
  if (ran.status != 0) throw std::runtime_error(line + ": " + ran.output);
}

/// The kernel's image and its modules, as the guest's builder wants them.
void keep_kernel(const fs::path& unpacked, const fs::path& into) {
  fs::create_directories(into);
  const fs::path modules = fs::directory_iterator(unpacked / "lib/modules")->path();
  Kernel kernel{into, modules.filename()};
  fs::copy_file(unpacked / "boot" / ("vmlinuz-" + kernel.version), into / "vmlinux");
  const auto tree = need(ModuleTree::open(modules));
  kernel.modules = {{}};
  for (const auto& name : need(tree.load_order(kModules))) {
    const auto file = tree.path_of(name);
    fs::create_directories((into / "modules" / file).parent_path());
    need(guest::write_file(into / "modules" / file, need(tree.read(name))));
    kernel.modules.front().push_back(file);
  }
  need(guest::write_kernel(kernel));
}

/// What the disk is made of, but for the agent: kernel/, shim.efi and grub.efi.
fs::path parts() {
  const fs::path done = fs::path(UEFI_PARTS) / "debian";
  if (fs::exists(done)) return done;
  fs::create_directories(UEFI_PARTS);
  auto entry = need(guest::NewEntry::create(UEFI_PARTS));
  const auto fetch = [](const std::string& package) {
    auto unpacked = need(guest::NewEntry::create(UEFI_PARTS));
    need(guest::fetch_package(package, unpacked.path(), {}));
    return unpacked;
  };
  const auto kernel =
      fetch(need(guest::resolve_package("linux-image-cloud-amd64", "linux-image-")));
  keep_kernel(kernel.path(), entry.path() / "kernel");
  const auto shim = fetch("shim-signed");
  fs::copy_file(shim.path() / "usr/lib/shim/shimx64.efi.signed", entry.path() / "shim.efi");
  const auto grub = fetch("grub-efi-amd64-signed");
  fs::copy_file(grub.path() / "usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed",
                entry.path() / "grub.efi");
  need(entry.publish(done));
  return done;
}

std::string initrd(const Kernel& kernel) {
  const auto agent = libexec_program("capsa-agent");
  if (agent.empty()) skip("capsa-agent is not built");
  auto busybox = need(guest::find_busybox(need(guest_cache()), {}));
  return need(
      guest::build_initrd({need(guest::read_file(agent, kMaxFile)), std::move(busybox.program),
                           std::move(busybox.applets), kernel}));
}

/// How mtools name the partition: it begins at 1 MiB.
std::string partition(const fs::path& disk) {
  return " -i " + disk.string() + "@@1M ";
}

}  // namespace

fs::path make_uefi_disk(const fs::path& directory) {
  const auto from = parts();
  const auto kernel = need(guest::open_kernel(from / "kernel"));
  const auto disk = directory / "boot.img";
  const auto initial = directory / "initrd.img";
  need(guest::write_file(initial, initrd(kernel)));
  const auto config = directory / "grub.cfg";
  need(guest::write_file(config, kGrubConfig));

  const auto on_disk = partition(disk);
  run("truncate -s 128M " + disk.string());
  // In /sbin, where not everybody's PATH leads.
  run("printf 'label: gpt\\nstart=2048, type=uefi\\n' | PATH=$PATH:/usr/sbin:/sbin sfdisk -q " +
      disk.string());
  run("mformat -F" + on_disk + "::");
  run("mmd" + on_disk + "::/EFI ::/EFI/BOOT ::/EFI/debian");
  const auto put = [&](const fs::path& file, const std::string& place) {
    run("mcopy" + on_disk + file.string() + " ::" + place);
  };
  put(from / "shim.efi", "/EFI/BOOT/BOOTX64.EFI");
  put(from / "grub.efi", "/EFI/BOOT/grubx64.efi");
  put(config, "/EFI/debian/grub.cfg");
  put(from / "kernel/vmlinux", "/vmlinuz");
  put(initial, "/initrd.img");
  return disk;
}

void replace_on_uefi_disk(const fs::path& disk, const fs::path& file, const std::string& place) {
  run("mcopy -o" + partition(disk) + file.string() + " ::" + place);
}

fs::path signed_boot_program() {
  return parts() / "shim.efi";
}

void need_firmware() {
  if (const auto found = firmware::find_ovmf(true); !found.ok()) skip(found.error().what());
}

}  // namespace capsa::test
