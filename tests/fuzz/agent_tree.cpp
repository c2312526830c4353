// A tree of files from a hostile guest. The first byte says how the rest is cut; however that is,
// the same must come of it, within its limits, and nothing may change outside of the directory that
// it is written to.
#include <agent/codec.hpp>
#include <agent/tree/tree_sink.hpp>
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace {

using namespace capsa::agent;
namespace fs = std::filesystem;

constexpr TreeLimits kLimits{50, 4096};

void require(bool holds) {
  if (!holds) std::abort();
}

/// A directory of its own, gone with the program.
struct Place {
  Place() {
    std::string name = (fs::temp_directory_path() / "capsa-fuzz-tree-XXXXXX").string();
    require(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Place() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  fs::path path;
};

const fs::path& place() {
  static const Place here;
  return here.path;
}

struct Outcome {
  bool refused = false;
  capsa::CopyStats stats;
  bool operator==(const Outcome&) const = default;
};

Outcome write(std::span<const std::byte> bytes, std::size_t piece) {
  const auto to = place() / "to";
  std::error_code ignored;
  // What the guest has made may be closed to us.
  for (fs::recursive_directory_iterator it(to, ignored), end; it != end; it.increment(ignored))
    if (it->is_directory(ignored) && !it->is_symlink(ignored))
      fs::permissions(it->path(), fs::perms::owner_all, ignored);
  fs::permissions(to, fs::perms::owner_all, ignored);
  fs::remove_all(to, ignored);
  std::ofstream(place() / "victim") << "untouched";

  Outcome out;
  {
    TreeSink sink(to.string(), kLimits);
    while (!bytes.empty() && !out.refused) {
      const auto part = bytes.first(std::min(piece, bytes.size()));
      bytes = bytes.subspan(part.size());
      out.refused = sink.feed(part).has_value();
    }
    out.refused = out.refused || sink.finish().has_value();
    out.stats = sink.stats();
  }
  require(out.stats.files + out.stats.directories + out.stats.symlinks + out.stats.skipped <=
          kLimits.entries);
  std::ifstream victim(place() / "victim");
  require(std::string(std::istreambuf_iterator<char>(victim), {}) == "untouched");
  for (const auto& entry : fs::directory_iterator(place()))
    require(entry.path().filename() == "victim" || entry.path().filename() == "to");
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const auto bytes = std::as_bytes(std::span(data + 1, size - 1));
  require(write(bytes, bytes.size() + 1) == write(bytes, std::size_t{data[0]} + 1));
  return 0;
}
