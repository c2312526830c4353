#pragma once

#include <atomic>
#include <backends/virtio/fs/config.hpp>
#include <capsa/detail/unique_fd.hpp>
#include <cstddef>
#include <utility>

namespace capsa::virtio::fs {

/// How many descriptors all shares of a process may keep together: guests decide how many each of
/// them needs, and the host program's own files and sockets must find some as well. Thread-safe.
class FdReserve {
 public:
  explicit FdReserve(std::size_t limit) noexcept : limit_(limit) {}
  FdReserve(const FdReserve&) = delete;
  FdReserve& operator=(const FdReserve&) = delete;

  void set_limit(std::size_t limit) noexcept { limit_ = limit; }
  std::size_t used() const noexcept { return used_; }
  /// Shares that ask at the same time may exceed the limit by what each opens next.
  bool has_room(std::size_t count) const noexcept { return used_ + count <= limit_; }

 private:
  friend class FdBudget;
  std::atomic<std::size_t> limit_;
  std::atomic<std::size_t> used_ = 0;
};

/// How many descriptors a share may keep: its own limit, and what the reserve has left. The first
/// kMinOpenFds it gets in any case, so that a greedy guest slows the shares of others down but does
/// not close them. Single-threaded. Outlives every BudgetedFd of it; the reserve outlives it.
class FdBudget {
 public:
  FdBudget(std::size_t limit, FdReserve& reserve) noexcept : limit_(limit), reserve_(reserve) {}
  FdBudget(const FdBudget&) = delete;
  FdBudget& operator=(const FdBudget&) = delete;

  std::size_t limit() const noexcept { return limit_; }
  std::size_t used() const noexcept { return used_; }
  bool has_room(std::size_t count) const noexcept {
    const std::size_t then = used_ + count;
    return then <= limit_ && (then <= kMinOpenFds || reserve_.has_room(count));
  }

 private:
  friend class BudgetedFd;
  void take() noexcept {
    ++used_;
    ++reserve_.used_;
  }
  void give_back() noexcept {
    --used_;
    --reserve_.used_;
  }

  std::size_t limit_;
  std::size_t used_ = 0;
  FdReserve& reserve_;
};

/// A descriptor that counts against a budget for as long as it is open. Taking one never fails:
/// whoever opens asks has_room() first.
class BudgetedFd {
 public:
  BudgetedFd(UniqueFd fd, FdBudget& budget) noexcept : fd_(std::move(fd)), budget_(&budget) {
    budget_->take();
  }
  BudgetedFd(BudgetedFd&& other) noexcept
      : fd_(std::move(other.fd_)), budget_(std::exchange(other.budget_, nullptr)) {}
  BudgetedFd(const BudgetedFd&) = delete;
  BudgetedFd& operator=(const BudgetedFd&) = delete;
  BudgetedFd& operator=(BudgetedFd&&) = delete;
  ~BudgetedFd() {
    if (budget_ != nullptr) budget_->give_back();
  }

  int get() const noexcept { return fd_.get(); }

 private:
  UniqueFd fd_;
  FdBudget* budget_;
};

}  // namespace capsa::virtio::fs
