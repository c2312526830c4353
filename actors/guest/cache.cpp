#include <fcntl.h>
#include <unistd.h>

#include <actors/guest/cache.hpp>
#include <algorithm>
#include <array>
#include <backends/runtime_dir/private_directory.hpp>
#include <cstdlib>
#include <tuple>

namespace capsa::guest {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kUnfinished = ".new-";
constexpr std::size_t kMaxManifest = 64 * 1024;  // a real one has a few hundred bytes

bool is_file(const fs::path& path) {
  std::error_code failed;
  return fs::is_regular_file(path, failed);
}

result<void> make_directories(const fs::path& directory) {
  std::error_code failed;
  fs::create_directories(directory, failed);
  if (failed)
    return error_from_errno(failed.value(), "create " + directory.string(),
                            "name another cache directory, or set XDG_CACHE_HOME");
  return {};
}

}  // namespace

fs::path guests_directory(const fs::path& root) {
  return root / "guest";
}
fs::path kernels_directory(const fs::path& root) {
  return root / "kernels";
}

std::string entry_name(bool tuned, std::string_view version, std::string_view key) {
  std::string name = tuned ? "tuned-" : "stock-";
  for (const char c : version) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       c == '.' || c == '_' || c == '-';
    name += plain ? c : '_';
  }
  if (!key.empty()) name.append("-").append(key);
  return name;
}

std::vector<CachedGuest> list_guests(const fs::path& root) {
  std::vector<CachedGuest> found;
  std::error_code failed;
  for (fs::directory_iterator it(guests_directory(root), failed), end; !failed && it != end;
       it.increment(failed)) {
    const fs::path& directory = it->path();
    if (!is_file(directory / Manifest::kKernelName) || !is_file(directory / Manifest::kInitrdName))
      continue;
    const auto text = read_file(directory / Manifest::kFileName, kMaxManifest);
    if (!text) continue;
    if (auto manifest = parse_manifest(*text)) found.push_back({directory, *std::move(manifest)});
  }
  return found;
}

std::optional<CachedGuest> choose_guest(std::vector<CachedGuest> guests,
                                        std::string_view agent_key) {
  if (!agent_key.empty())
    std::erase_if(guests, [&](const CachedGuest& g) { return g.manifest.agent_key != agent_key; });
  const auto rank = [](const CachedGuest& g) {
    return std::tuple(g.manifest.tuned, g.manifest.created, g.directory.filename().native());
  };
  const auto best =
      std::max_element(guests.begin(), guests.end(),
                       [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
  if (best == guests.end()) return {};
  return std::move(*best);
}

result<UniqueFd> lock_cache(const fs::path& root, const std::function<void()>& waiting) {
  if (auto made = make_directories(root); !made) return made.error();
  const UniqueFd directory(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return error_from_errno(errno, "open " + root.string());
  auto lock = lock_file(directory.get(), ".lock", false);
  if (lock || lock.error().code() != ErrorCode::ResourceExhausted) return lock;
  if (waiting) waiting();
  return lock_file(directory.get(), ".lock", true);
}

result<NewEntry> NewEntry::create(const fs::path& root) {
  if (auto made = make_directories(root); !made) return made.error();
  std::string name = root / (std::string(kUnfinished) + "XXXXXX");
  if (::mkdtemp(name.data()) == nullptr)
    return error_from_errno(errno, "create a directory in " + root.string());
  // mkdtemp(3) makes it 0700; a cache that several users read is for the umask to decide.
  std::error_code failed;
  fs::permissions(name, fs::perms(0755), failed);
  return NewEntry(name);
}

NewEntry::NewEntry(NewEntry&& other) noexcept : path_(std::exchange(other.path_, {})) {}

NewEntry::~NewEntry() {
  std::error_code failed;
  if (!path_.empty()) fs::remove_all(path_, failed);
}

result<void> NewEntry::publish(const fs::path& target) {
  if (auto made = make_directories(target.parent_path()); !made) return made;
  // The rename may reach the disk before what is in the directory does: after a power cut the name
  // would stand for less.
  const UniqueFd made_directory(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!made_directory || ::syncfs(made_directory.get()) != 0)
    return error_from_errno(errno, "write " + path_.string());
  // rename(2) does not replace a directory that has something in it: the old one steps aside first,
  // under a name that remove_unfinished() knows.
  std::error_code failed;
  const fs::path old = path_.string() + "-old";
  fs::rename(target, old, failed);
  fs::rename(path_, target, failed);
  if (failed) return error_from_errno(failed.value(), "rename to " + target.string());
  path_.clear();
  fs::remove_all(old, failed);
  return {};
}

void remove_unfinished(const fs::path& root) {
  std::error_code failed;
  std::vector<fs::path> left;
  for (fs::directory_iterator it(root, failed), end; !failed && it != end; it.increment(failed))
    if (it->path().filename().native().starts_with(kUnfinished)) left.push_back(it->path());
  for (const auto& path : left)
    fs::remove_all(path, failed);
}

result<std::string> read_file(const fs::path& file, std::size_t limit) {
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return error_from_errno(errno, "open " + file.string());
  std::string content;
  std::array<char, 65536> buffer;
  for (;;) {
    const auto n = ::read(fd.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return error_from_errno(errno, "read " + file.string());
    if (n == 0) return content;
    if (content.size() + static_cast<std::size_t>(n) > limit)
      return error(ErrorCode::ResourceExhausted,
                   file.string() + " is longer than " + std::to_string(limit) + " bytes");
    content.append(buffer.data(), static_cast<std::size_t>(n));
  }
}

result<void> write_file(const fs::path& file, std::string_view content) {
  const UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!fd) return error_from_errno(errno, "create " + file.string());
  while (!content.empty()) {
    const auto n = ::write(fd.get(), content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return error_from_errno(errno, "write " + file.string());
    content.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

}  // namespace capsa::guest
