#include <unistd.h>

#include <algorithm>
#include <backends/virtio/balloon/pages.hpp>

namespace capsa::virtio::balloon {

std::vector<PageRun> merge(std::span<PageNumber> pages) {
  std::sort(pages.begin(), pages.end());
  std::vector<PageRun> runs;
  for (const std::uint64_t page : pages) {
    if (!runs.empty() && page < runs.back().first + runs.back().count) continue;
    if (!runs.empty() && page == runs.back().first + runs.back().count) {
      ++runs.back().count;
    } else {
      runs.push_back({page, 1});
    }
  }
  return runs;
}

std::span<std::byte> whole_pages(std::span<std::byte> bytes) {
  static const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t over = reinterpret_cast<std::uintptr_t>(bytes.data()) % page;
  const std::size_t lead = over == 0 ? 0 : page - over;
  if (bytes.size() < lead) return {};
  bytes = bytes.subspan(lead);
  return bytes.first(bytes.size() - bytes.size() % page);
}

}  // namespace capsa::virtio::balloon
