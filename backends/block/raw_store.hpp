#pragma once

#include <backends/block/file_io.hpp>
#include <backends/block/image_file.hpp>
#include <backends/block/store.hpp>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>

namespace capsa::block {

/// A raw image on this host. Data moves between the page cache and the buffers of the requests;
/// a Flush is fdatasync(2), a Discard punches a hole, a WriteZeroes asks the file system for
/// zeroes and writes them where it cannot.
class RawStore final : public BlockStore, private FileUser {
 public:
  /// See open_image() for the errors. `io` is shared by all disks of a loop.
  static result<std::unique_ptr<RawStore>> open(const std::filesystem::path& path, bool read_only,
                                                std::shared_ptr<FileIo> io);
  RawStore(const RawStore&) = delete;
  RawStore& operator=(const RawStore&) = delete;
  ~RawStore() override;

  const StoreInfo& info() const noexcept override { return image_.info; }
  void attach(StoreClient* client) noexcept override { client_ = client; }
  void start(Request& request) override;
  void submit() override;
  void close(std::function<void()> done) override;

 private:
  RawStore(ImageFile image, std::shared_ptr<FileIo> io);

  void finished(Request& request, int outcome) override;
  void batch_end() override;
  void start_step(Request& request);
  FileStep next_step(Request& request);
  bool step_done(Request& request, int outcome);
  bool moved(Request& request, int outcome);
  bool zeroed(Request& request, int outcome);

  ImageFile image_;
  std::shared_ptr<FileIo> io_;
  StoreClient* client_ = nullptr;
  std::size_t in_flight_ = 0;
  bool zeroes_by_writing_ = false;  // the file system cannot do it for us
  bool closing_ = false;
  std::function<void()> close_done_;
};

}  // namespace capsa::block
