#pragma once

#include <backends/virtio/device.hpp>
#include <capsa/loop.hpp>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace capsa::loop {

/// Threads for work that may block on a disk. Each executor made here runs its work one piece after
/// the other, so what stands behind it needs no lock; different executors run side by side and take
/// turns of a few pieces. One that blocks holds up nobody while a thread is left.
class FilePool {
 public:
  explicit FilePool(unsigned threads);
  /// Joins the threads; what was submitted before is still done.
  ~FilePool();
  FilePool(const FilePool&) = delete;
  FilePool& operator=(const FilePool&) = delete;

  /// An executor whose `done` runs on `owner`'s thread. The pool outlives it.
  std::shared_ptr<virtio::Executor> make_executor(Loop& owner);

 private:
  class Strand;
  void run();
  void schedule(std::shared_ptr<Strand> strand);

  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<std::shared_ptr<Strand>> runnable_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace capsa::loop
