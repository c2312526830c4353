#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <backends/image/digest.hpp>
#include <backends/image/files.hpp>
#include <backends/image/image_record.hpp>
#include <backends/image/image_store.hpp>
#include <cerrno>
#include <set>

namespace capsa::image {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxRecord = std::size_t{16} << 20;

result<UniqueFd> open_lock(const fs::path& root) {
  std::error_code failed;
  for (const auto* part : {"images", "layers"}) {
    fs::create_directories(root / part, failed);
    if (failed)
      return error_from_errno(failed.value(), "create " + (root / part).string(),
                              "name another cache directory, or set XDG_CACHE_HOME");
  }
  UniqueFd lock(::open((root / ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!lock) return error_from_errno(errno, "open " + (root / ".lock").string());
  return lock;
}

result<void> take(const UniqueFd& lock, int how, const fs::path& root) {
  while (::flock(lock.get(), how) != 0) {
    if (errno != EINTR) return error_from_errno(errno, "lock " + root.string());
  }
  return {};
}

std::vector<fs::path> entries(const fs::path& directory) {
  std::vector<fs::path> found;
  std::error_code failed;
  for (fs::directory_iterator it(directory, failed), end; !failed && it != end;
       it.increment(failed))
    found.push_back(it->path());
  return found;
}

}  // namespace

fs::path ImageStore::record_file(const std::string& canonical) const {
  return images() / (hex_of(sha256(canonical)) + ".json");
}

std::optional<Image> ImageStore::read_record(const fs::path& file) const {
  const auto text = read_file(file, kMaxRecord);
  if (!text) return std::nullopt;
  auto image = parse_record(*text, layers());
  if (!image) return std::nullopt;
  for (const auto& layer : image->layers) {
    std::error_code failed;
    if (fs::file_size(layer.file_system, failed) != layer.bytes || failed) return std::nullopt;
  }
  return *std::move(image);
}

std::optional<Image> ImageStore::find(const std::string& canonical) const {
  return read_record(record_file(canonical));
}

result<std::vector<Image>> ImageStore::list() const {
  std::vector<Image> found;
  for (const auto& file : entries(images())) {
    if (auto image = read_record(file)) found.push_back(*std::move(image));
  }
  std::sort(found.begin(), found.end(),
            [](const Image& a, const Image& b) { return a.reference < b.reference; });
  return found;
}

result<void> ImageStore::remove(const std::string& reference) const {
  const auto parsed = parse_image_reference(reference);
  if (!parsed) return parsed.error();
  const auto lock = lock_alone();
  if (!lock) return lock.error();
  std::error_code failed;
  if (fs::remove(record_file(parsed->canonical), failed)) return {};
  if (failed) return error_from_errno(failed.value(), "remove the image " + parsed->canonical);
  return error(ErrorCode::NotFound, "there is no image " + parsed->canonical + " in the cache",
               "`capsa image list` shows those that are there");
}

result<std::uint64_t> ImageStore::prune() const {
  const auto lock = lock_alone();
  if (!lock) return lock.error();
  remove_unfinished();
  std::set<fs::path> used;
  std::error_code failed;
  for (const auto& file : entries(images())) {
    const auto image = read_record(file);
    if (!image) {
      fs::remove(file, failed);  // not whole: it would be pulled anew anyway
      continue;
    }
    for (const auto& layer : image->layers)
      used.insert(layer.file_system);
  }
  std::uint64_t freed = 0;
  for (const auto& file : entries(layers())) {
    if (used.count(file) != 0) continue;
    const auto bytes = fs::file_size(file, failed);
    if (!failed && fs::remove(file, failed)) freed += bytes;
  }
  return freed;
}

result<UniqueFd> ImageStore::lock_for_pulling() const {
  auto lock = open_lock(root_);
  if (!lock) return lock;
  // Whoever has it alone for a moment knows that what is unfinished has no maker any more.
  if (::flock(lock->get(), LOCK_EX | LOCK_NB) == 0) remove_unfinished();
  if (auto taken = take(*lock, LOCK_SH, root_); !taken) return taken.error();
  return lock;
}

result<UniqueFd> ImageStore::lock_alone() const {
  auto lock = open_lock(root_);
  if (!lock) return lock;
  if (auto taken = take(*lock, LOCK_EX, root_); !taken) return taken.error();
  return lock;
}

void ImageStore::remove_unfinished() const {
  std::error_code ignored;
  for (const auto& path : entries(root_)) {
    if (path.filename().native().starts_with(Workshop::kPrefix)) fs::remove_all(path, ignored);
  }
}

}  // namespace capsa::image
