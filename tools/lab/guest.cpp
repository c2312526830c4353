#include <actors/guest/assets.hpp>
#include <actors/guest/cache.hpp>
#include <actors/guest/content_key.hpp>
#include <actors/guest/tsc.hpp>
#include <backends/runtime_dir/libexec.hpp>
#include <sstream>
#include <tools/guest/apt.hpp>
#include <tools/guest/modules.hpp>
#include <tools/lab/guest.hpp>

namespace capsa::lab {
namespace {

namespace fs = std::filesystem;

/// Emulated machines have AMD's virtualization extensions. The rest is what tests make networks of.
const std::vector<std::string> kWanted = {"kvm_amd",       "veth",   "tun",
                                          "nft_chain_nat", "nft_ct", "nft_masq"};
// Names what kWanted was when an entry of the cache was made.
constexpr const char* kEdition = "-3";

// In an entry of the cache, below lab/: the modules, and their order, one file name a line.
constexpr const char* kOrder = "order";
constexpr std::size_t kMaxOrder = 4096;

result<std::vector<fs::path>> read_entry(const fs::path& entry) {
  const auto order = guest::read_file(entry / kOrder, kMaxOrder);
  if (!order) return order.error();
  std::vector<fs::path> files;
  std::istringstream lines(*order);
  for (std::string line; std::getline(lines, line);)
    files.push_back(entry / line);
  return files;
}

result<void> fill_entry(const fs::path& tree_path, const fs::path& entry) {
  const auto tree = guest::ModuleTree::open(tree_path);
  if (!tree) return tree.error();
  const auto order = tree->load_order(kWanted);
  if (!order) return order.error();
  std::string list;
  for (const auto& name : *order) {
    const auto bytes = tree->read(name);
    if (!bytes) return bytes.error();
    const std::string file = tree->path_of(name).filename();
    if (auto written = guest::write_file(entry / file, *bytes); !written) return written;
    list += file + "\n";
  }
  return guest::write_file(entry / kOrder, list);
}

}  // namespace

fs::path modules_entry(const fs::path& cache, const std::string& kernel_version) {
  return cache / "lab" / (kernel_version + kEdition);
}

result<GuestAssets> find_stock_guest(const fs::path& cache) {
  std::string agent_key;
  if (const auto agent = libexec_program("capsa-agent"); !agent.empty()) {
    auto key = guest::file_key(agent);
    if (!key) return key.error();
    agent_key = *std::move(key);
  }
  auto guests = guest::list_guests(cache);
  std::erase_if(guests, [](const auto& one) { return one.manifest.tuned; });
  const auto chosen = guest::choose_guest(std::move(guests), agent_key);
  if (chosen) return guest::describe(*chosen, guest::tsc_khz());
  return error(ErrorCode::GuestNotPrepared,
               "there is no guest with the distribution's kernel and this version's agent in " +
                   cache.string(),
               "run: capsa guest prepare");
}

result<std::vector<fs::path>> kvm_modules(const fs::path& cache, const std::string& kernel_version,
                                          const guest::Progress& progress) {
  const fs::path target = modules_entry(cache, kernel_version);
  if (auto known = read_entry(target)) return known;

  const auto lock = guest::lock_cache(cache);
  if (!lock) return lock.error();
  if (auto known = read_entry(target)) return known;  // another lab was first
  auto unpacked = guest::NewEntry::create(cache);
  if (!unpacked) return unpacked.error();
  if (auto fetched =
          guest::fetch_package("linux-image-" + kernel_version, unpacked->path(), progress);
      !fetched) {
    return fetched.error();
  }
  // Debian has /lib/modules in its packages, newer releases /usr/lib/modules.
  fs::path tree = unpacked->path() / "usr/lib/modules" / kernel_version;
  std::error_code failed;
  if (!fs::is_directory(tree, failed)) tree = unpacked->path() / "lib/modules" / kernel_version;
  auto entry = guest::NewEntry::create(cache);
  if (!entry) return entry.error();
  if (auto filled = fill_entry(tree, entry->path()); !filled) return filled.error();
  if (auto published = entry->publish(target); !published) return published.error();
  return read_entry(target);
}

}  // namespace capsa::lab
