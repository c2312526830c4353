#include <actors/guest/cache.hpp>
#include <tools/guest/kernel.hpp>
#include <tools/guest/modules.hpp>
#include <tools/guest/vmlinux.hpp>

namespace capsa::guest {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMetaPackage = "linux-image-cloud-amd64";
constexpr std::string_view kPrefix = "linux-image-";
constexpr std::size_t kMaxImage = std::size_t{128} * 1024 * 1024;

/// The agent's line to the host.
const std::vector<std::string> kFirst = {"virtio_mmio", "vmw_vsock_virtio_transport"};
const std::vector<std::string> kNeeded = {"virtio_console", "virtiofs", "virtio_rng", "virtio_net",
                                          "virtio_blk",     "erofs",    "overlay"};
/// Not every distribution has these: faster checksums, memory given back, the power button and a
/// program's way to read it, panics reported to the host.
const std::vector<std::string> kWelcome = {"crc32c_intel", "virtio_balloon", "button", "evdev",
                                           "pvpanic_mmio"};

/// The only entry of a directory.
result<fs::path> only_entry(const fs::path& directory) {
  std::error_code failed;
  fs::directory_iterator it(directory, failed);
  if (failed || it == fs::directory_iterator{})
    return error(ErrorCode::NotFound,
                 "the kernel package has nothing in " + directory.filename().string());
  return it->path();
}

/// Debian has /lib/modules in its packages, newer releases /usr/lib/modules.
fs::path modules_in(const fs::path& unpacked) {
  std::error_code failed;
  const fs::path merged = unpacked / "usr/lib/modules";
  return fs::is_directory(merged, failed) ? merged : unpacked / "lib/modules";
}

result<void> copy_modules(const ModuleTree& tree, Kernel& kernel) {
  auto wanted = kFirst;
  const auto first = tree.load_order(wanted);
  if (!first) return first.error();
  wanted.insert(wanted.end(), kNeeded.begin(), kNeeded.end());
  for (const auto& name : kWelcome)
    if (tree.has(name)) wanted.push_back(name);
  const auto order = tree.load_order(wanted);
  if (!order) return order.error();
  kernel.modules = {{}, {}};
  // What the first group alone needs comes first in the whole order, too.
  for (const auto& name : *order) {
    const auto bytes = tree.read(name);
    if (!bytes) return bytes.error();
    const fs::path target = kernel.directory / "modules" / tree.path_of(name);
    std::error_code failed;
    fs::create_directories(target.parent_path(), failed);
    if (auto written = write_file(target, *bytes); !written) return written;
    auto& group = kernel.modules[kernel.modules.front().size() < first->size() ? 0 : 1];
    group.push_back(tree.path_of(name));
  }
  return {};
}

result<Kernel> extract(const fs::path& unpacked, const fs::path& into) {
  const auto tree_path = only_entry(modules_in(unpacked));
  if (!tree_path) return tree_path.error();
  Kernel kernel{into, tree_path->filename()};
  const auto image = read_file(unpacked / "boot" / ("vmlinuz-" + kernel.version), kMaxImage);
  if (!image) return image.error();
  const auto vmlinux = unpack_vmlinux(*image);
  if (!vmlinux) return vmlinux.error();
  if (auto written = write_file(into / "vmlinux", *vmlinux); !written) return written.error();
  const auto tree = ModuleTree::open(*tree_path);
  if (!tree) return tree.error();
  if (auto copied = copy_modules(*tree, kernel); !copied) return copied.error();
  if (auto written = write_kernel(kernel); !written) return written.error();
  return kernel;
}

}  // namespace

result<Kernel> stock_kernel(const fs::path& root, bool anew, const Progress& progress) {
  if (progress) progress("look up the kernel package", 0, 0);
  const auto package = resolve_package(kMetaPackage, kPrefix);
  const auto version = package ? package_version(*package) : package;
  if (!version) {
    if (auto kernel = last_kernel(root, false); kernel && !anew) {
      if (progress) progress("take the kernel in the cache: apt knows no newer one", 0, 0);
      return *std::move(kernel);
    }
    return version.error();
  }
  // Two versions of one package may have the same kernel release, so both are in the name.
  const fs::path target = kernels_directory(root) /
                          entry_name(false, package->substr(kPrefix.size()) + "_" + *version, {});
  if (auto known = open_kernel(target); known && !anew) return known;

  auto unpacked = NewEntry::create(root);
  if (!unpacked) return unpacked.error();
  if (auto fetched = fetch_package(*package, unpacked->path(), progress); !fetched)
    return fetched.error();
  if (progress) progress("unpack the kernel", 0, 0);
  auto entry = NewEntry::create(root);
  if (!entry) return entry.error();
  if (auto made = extract(unpacked->path(), entry->path()); !made) return made.error();
  if (auto published = entry->publish(target); !published) return published.error();
  return open_kernel(target);
}

}  // namespace capsa::guest
