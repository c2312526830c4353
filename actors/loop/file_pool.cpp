#include <actors/loop/callback_thread.hpp>
#include <actors/loop/file_pool.hpp>

#include <pthread.h>

namespace capsa::loop {

class FilePool::Strand final : public virtio::Executor,
                               public std::enable_shared_from_this<Strand> {
 public:
  Strand(FilePool& pool, Loop& owner) : pool_(pool), owner_(owner) {}

  void submit(std::function<void()> work, std::function<void()> done) override {
    bool first;
    {
      std::lock_guard lock(mutex_);
      first = queue_.empty() && !running_;
      queue_.push_back({std::move(work), std::move(done)});
      if (first) running_ = true;
    }
    if (first) pool_.schedule(shared_from_this());
  }

  /// Does what is queued now; true where more came meanwhile.
  bool run_batch() {
    std::deque<Item> batch;
    {
      std::lock_guard lock(mutex_);
      batch.swap(queue_);
    }
    std::vector<std::function<void()>> finished;
    finished.reserve(batch.size());
    for (auto& item : batch) {
      item.work();
      item.work = nullptr;
      finished.push_back(std::move(item.done));
    }
    // One wake-up of the loop for the batch.
    if (!finished.empty())
      owner_.post([finished = std::move(finished)] {
        for (const auto& done : finished)
          done();
      });
    std::lock_guard lock(mutex_);
    running_ = !queue_.empty();
    return running_;
  }

 private:
  struct Item {
    std::function<void()> work;
    std::function<void()> done;
  };
  FilePool& pool_;
  Loop& owner_;
  std::mutex mutex_;
  std::deque<Item> queue_;
  bool running_ = false;
};

FilePool::FilePool(unsigned threads) {
  threads_.reserve(threads);
  for (unsigned i = 0; i < threads; ++i)
    threads_.emplace_back([this] { run(); });
}

FilePool::~FilePool() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  ready_.notify_all();
  for (auto& thread : threads_)
    thread.join();
}

std::shared_ptr<virtio::Executor> FilePool::make_executor(Loop& owner) {
  return std::make_shared<Strand>(*this, owner);
}

void FilePool::schedule(std::shared_ptr<Strand> strand) {
  {
    std::lock_guard lock(mutex_);
    runnable_.push_back(std::move(strand));
  }
  ready_.notify_one();
}

void FilePool::run() {
  ::pthread_setname_np(::pthread_self(), "capsa-file");
  mark_runtime_thread();
  std::unique_lock lock(mutex_);
  while (true) {
    ready_.wait(lock, [this] { return stopping_ || !runnable_.empty(); });
    if (runnable_.empty()) return;
    auto strand = std::move(runnable_.front());
    runnable_.pop_front();
    lock.unlock();
    const bool again = strand->run_batch();
    lock.lock();
    if (again) runnable_.push_back(std::move(strand));
  }
}

}  // namespace capsa::loop
