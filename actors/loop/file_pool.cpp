#include <actors/loop/callback_thread.hpp>
#include <actors/loop/file_pool.hpp>
#include <actors/loop/quiet_thread.hpp>

#include <pthread.h>

#include <chrono>
#include <optional>

namespace capsa::loop {

namespace {
// What one executor does before it goes behind the others: enough that handing over costs nothing,
// little enough that a guest which never stops asking delays the next one by no more than this and
// one piece of work.
constexpr std::size_t kItemsPerTurn = 8;
constexpr std::chrono::milliseconds kTurn{2};
}  // namespace

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

  /// Does some of what is queued; true where there is more.
  bool run_turn() {
    const auto until = std::chrono::steady_clock::now() + kTurn;
    std::vector<std::function<void()>> finished;
    finished.reserve(kItemsPerTurn);
    do {
      auto item = next();
      if (!item) break;
      item->work();
      item->work = nullptr;
      finished.push_back(std::move(item->done));
    } while (finished.size() < kItemsPerTurn && std::chrono::steady_clock::now() < until);
    // One wake-up of the loop for the turn.
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

  std::optional<Item> next() {
    std::lock_guard lock(mutex_);
    if (queue_.empty()) return std::nullopt;
    std::optional<Item> item(std::move(queue_.front()));
    queue_.pop_front();
    return item;
  }

  FilePool& pool_;
  Loop& owner_;
  std::mutex mutex_;
  std::deque<Item> queue_;
  bool running_ = false;
};

FilePool::FilePool(unsigned threads) {
  threads_.reserve(threads);
  for (unsigned i = 0; i < threads; ++i)
    threads_.push_back(quiet_thread([this] { run(); }));
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
    const bool again = strand->run_turn();
    lock.lock();
    // Behind those that wait: with as many busy strands as threads the others must get theirs.
    if (again) runnable_.push_back(std::move(strand));
  }
}

}  // namespace capsa::loop
