#pragma once

#include <capsa/detail/unique_fd.hpp>
#include <cstddef>
#include <utility>

namespace capsa::virtio::fs {

/// How many descriptors a share may keep. Single-threaded. Outlives every BudgetedFd of it.
class FdBudget {
 public:
  explicit FdBudget(std::size_t limit) noexcept : limit_(limit) {}
  FdBudget(const FdBudget&) = delete;
  FdBudget& operator=(const FdBudget&) = delete;

  std::size_t limit() const noexcept { return limit_; }
  std::size_t used() const noexcept { return used_; }
  bool has_room(std::size_t count) const noexcept { return used_ + count <= limit_; }

 private:
  friend class BudgetedFd;
  std::size_t limit_;
  std::size_t used_ = 0;
};

/// A descriptor that counts against a budget for as long as it is open. Taking one never fails:
/// whoever opens asks has_room() first.
class BudgetedFd {
 public:
  BudgetedFd(UniqueFd fd, FdBudget& budget) noexcept : fd_(std::move(fd)), budget_(&budget) {
    ++budget_->used_;
  }
  BudgetedFd(BudgetedFd&& other) noexcept
      : fd_(std::move(other.fd_)), budget_(std::exchange(other.budget_, nullptr)) {}
  BudgetedFd(const BudgetedFd&) = delete;
  BudgetedFd& operator=(const BudgetedFd&) = delete;
  BudgetedFd& operator=(BudgetedFd&&) = delete;
  ~BudgetedFd() {
    if (budget_ != nullptr) --budget_->used_;
  }

  int get() const noexcept { return fd_.get(); }

 private:
  UniqueFd fd_;
  FdBudget* budget_;
};

}  // namespace capsa::virtio::fs
