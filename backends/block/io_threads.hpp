#pragma once

#include <backends/block/file_io.hpp>
#include <backends/block/touched_users.hpp>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace capsa::block {

/// FileIo by a few threads, for where io_uring is forbidden.
class IoThreads final : public FileIo, public std::enable_shared_from_this<IoThreads> {
 public:
  /// ResourceExhausted where no thread can be made.
  static result<std::shared_ptr<IoThreads>> create(Loop& loop);
  IoThreads(const IoThreads&) = delete;
  IoThreads& operator=(const IoThreads&) = delete;
  /// Waits for what is being carried out.
  ~IoThreads() override;

  void start(FileUser& user, Request& request, const FileStep& step) override;
  void submit() override;
  void wait_for(FileUser& user, const std::size_t& in_flight) override;
  std::string_view name() const noexcept override { return "threads"; }

 private:
  struct Work {
    Request* request;
    FileStep step;
  };
  struct Finished {
    Request* request;
    int outcome;
  };

  explicit IoThreads(Loop& loop) : loop_(loop) {}
  void run();
  void post_reap();
  void reap();

  Loop& loop_;
  std::vector<Work> started_;  // the loop's, until submit()
  TouchedUsers touched_;

  std::mutex mutex_;
  std::condition_variable work_there_;
  std::condition_variable finished_there_;
  std::deque<Work> work_;
  std::vector<Finished> finished_;
  bool reap_posted_ = false;
  bool stop_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace capsa::block
