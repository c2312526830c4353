#pragma once

#include <backends/block/file_io.hpp>
#include <backends/block/partition_table.hpp>
#include <backends/block/store.hpp>
#include <capsa/detail/unique_fd.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

namespace capsa::block {

/// Several files as the partitions of one read-only disk, in their order: what an image of many
/// layers is to a guest, which would have a device for each of them otherwise. The files are open
/// as long as the store is, and may lose their names; they are not locked, as nobody writes to
/// them.
class JoinedStore final : public BlockStore, private FileUser {
 public:
  /// `io` is shared by all disks of a loop. NotFound, PermissionDenied; InvalidConfig where a file
  /// is none, or its size is no multiple of kPartitionUnit.
  static result<std::unique_ptr<JoinedStore>> open(const std::vector<std::filesystem::path>& files,
                                                   std::shared_ptr<FileIo> io);
  JoinedStore(const JoinedStore&) = delete;
  JoinedStore& operator=(const JoinedStore&) = delete;
  ~JoinedStore() override;

  const StoreInfo& info() const noexcept override { return info_; }
  void attach(StoreClient* client) noexcept override { client_ = client; }
  void start(Request& request) override;
  void submit() override;
  void close(std::function<void()> done) override;

 private:
  /// A piece of the disk: so many bytes of a file, from there on.
  struct Segment {
    std::uint64_t begin;  ///< on the disk
    std::uint64_t end;
    UniqueFd fd;
    std::uint64_t offset;  ///< of `begin` in the file
  };

  explicit JoinedStore(std::shared_ptr<FileIo> io) : io_(std::move(io)) {}

  result<void> add_table(const PartitionTable& table);
  void finished(Request& request, int outcome) override;
  void batch_end() override;
  void start_step(Request& request);
  const Segment& segment_of(const Request& request) const;
  std::uint64_t step_length(const Request& request) const;
  FileStep next_step(Request& request);
  void mend(Request& request);
  bool moved(Request& request, int outcome);

  StoreInfo info_;
  std::vector<Segment> segments_;  // by place, without gaps; none: closed
  std::shared_ptr<FileIo> io_;
  StoreClient* client_ = nullptr;
  std::size_t in_flight_ = 0;
  bool closing_ = false;
  std::function<void()> close_done_;
};

}  // namespace capsa::block
