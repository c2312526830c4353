#pragma once

#include <backends/block/store.hpp>
#include <cstddef>
#include <deque>
#include <vector>

namespace capsa::block {

/// A disk in memory whose owner decides when, in which order and how requests complete: for tests,
/// fuzzers and simulated machines. Knows no loop.
class MemoryStore final : public BlockStore {
 public:
  /// All zeroes. `info.size` says how many.
  explicit MemoryStore(StoreInfo info) : info_(info), bytes_(info.size) {}

  const StoreInfo& info() const noexcept override { return info_; }
  void attach(StoreClient* client) noexcept override { client_ = client; }
  void start(Request& request) override;
  /// Counts; completes nothing.
  void submit() override { ++submits_; }
  void close(std::function<void()> done) override;

  /// Carries out and completes the request that was started `position` places after the oldest.
  /// With an `error` it fails and nothing is done. False where there is none. The batch stays open
  /// until end_batch().
  bool finish(std::size_t position = 0, int error = 0);
  void end_batch();
  /// finish() for all that is in flight now, in order, and end_batch(). False where nothing was.
  bool finish_all();

  std::size_t in_flight() const noexcept { return started_.size(); }
  const Request& started(std::size_t position) const { return *started_.at(position); }
  std::size_t submits() const noexcept { return submits_; }
  std::vector<std::byte>& bytes() noexcept { return bytes_; }

 private:
  int carry_out(Request& request);

  StoreInfo info_;
  std::vector<std::byte> bytes_;
  StoreClient* client_ = nullptr;
  std::deque<Request*> started_;
  std::size_t submits_ = 0;
  bool closed_ = false;
  std::function<void()> close_done_;
};

}  // namespace capsa::block
