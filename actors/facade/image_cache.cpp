#include <backends/image/image_store.hpp>
#include <capsa/guest.hpp>
#include <capsa/image.hpp>

namespace capsa {
namespace {

/// The store below the cache's root, where guests have their own directories.
result<image::ImageStore> store_of(const std::optional<std::filesystem::path>& cache_dir) {
  const auto root = guest_cache(cache_dir);
  if (!root.ok()) return root.error();
  return image::ImageStore(*root / "oci");
}

}  // namespace

ImageCache::ImageCache(std::optional<std::filesystem::path> cache_dir)
    : cache_dir_(std::move(cache_dir)) {}

result<Image> ImageCache::pull(const OciImage& image,
                               const std::function<void(const ImageProgress&)>& on_progress) const {
  const auto store = store_of(cache_dir_);
  if (!store.ok()) return store.error();
  return store->pull(image, on_progress);
}

result<std::vector<Image>> ImageCache::list() const {
  const auto store = store_of(cache_dir_);
  if (!store.ok()) return store.error();
  return store->list();
}

result<void> ImageCache::remove(const std::string& reference) const {
  const auto store = store_of(cache_dir_);
  if (!store.ok()) return store.error();
  return store->remove(reference);
}

result<std::uint64_t> ImageCache::prune() const {
  const auto store = store_of(cache_dir_);
  if (!store.ok()) return store.error();
  return store->prune();
}

}  // namespace capsa
