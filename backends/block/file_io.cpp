#include <backends/block/file_io.hpp>
#include <backends/block/io_ring.hpp>
#include <backends/block/io_threads.hpp>

namespace capsa::block {

result<std::shared_ptr<FileIo>> make_file_io(Loop& loop) {
  if (auto ring = IoRing::create(loop)) return std::shared_ptr<FileIo>(std::move(*ring));
  auto threads = IoThreads::create(loop);
  if (!threads) return threads.error();
  return std::shared_ptr<FileIo>(std::move(*threads));
}

}  // namespace capsa::block
