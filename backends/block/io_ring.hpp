#pragma once

#include <liburing.h>

#include <backends/block/file_io.hpp>
#include <backends/block/touched_users.hpp>
#include <capsa/detail/unique_fd.hpp>
#include <deque>
#include <memory>

namespace capsa::block {

/// FileIo on one io_uring(7). The loop watches an eventfd, which the kernel writes to for what
/// completes later. What the page cache can answer has completed when submit() returns from the
/// kernel, and is told from in there without a detour through the loop.
class IoRing final : public FileIo, public std::enable_shared_from_this<IoRing> {
 public:
  /// On the loop's thread: the kernel takes submissions from the thread that makes the ring only.
  /// UnsupportedFeature where the kernel has no io_uring or forbids it, else the errno's code.
  static result<std::shared_ptr<IoRing>> create(Loop& loop);
  IoRing(const IoRing&) = delete;
  IoRing& operator=(const IoRing&) = delete;
  ~IoRing() override;

  void start(FileUser& user, Request& request, const FileStep& step) override;
  void submit() override;
  void wait_for(FileUser& user, const std::size_t& in_flight) override;
  std::string_view name() const noexcept override { return "io_uring"; }

 private:
  struct Waiting {
    Request* request;
    FileStep step;
  };

  explicit IoRing(Loop& loop) : loop_(loop) {}

  bool enqueue(Request& request, const FileStep& step);
  void ready();
  void flush();
  void begin_round();
  void reap();
  void end_round();
  bool pending() const;
  void wake();
  void retry_later();

  Loop& loop_;
  UniqueFd event_;
  io_uring ring_{};
  bool made_ = false;
  bool watched_ = false;
  bool busy_ = false;            // in a round that ends with a flush()
  bool retrying_ = false;        // a timer will flush()
  std::deque<Waiting> backlog_;  // what the submission queue had no room for
  TouchedUsers touched_;
};

}  // namespace capsa::block
