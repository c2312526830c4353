#pragma once

#include <optional>
#include <utility>

namespace capsa::virtio::fs {

/// errno(3) of the host or of our own rules, as the guest will get it. Never 0.
struct Errno {
  int value;
};

/// A value or an errno: what a step of a request ends with. The capsa::error of the layers above
/// would be too much for something that happens a million times a minute.
template <class T>
class [[nodiscard]] Outcome {
 public:
  Outcome(T value) : value_(std::move(value)) {}          // NOLINT: implicit
  Outcome(Errno error) noexcept : error_(error.value) {}  // NOLINT: implicit

  explicit operator bool() const noexcept { return value_.has_value(); }
  T& operator*() noexcept { return *value_; }
  const T& operator*() const noexcept { return *value_; }
  T* operator->() noexcept { return &*value_; }
  const T* operator->() const noexcept { return &*value_; }
  /// 0 where there is a value.
  int error() const noexcept { return error_; }

 private:
  std::optional<T> value_;
  int error_ = 0;
};

}  // namespace capsa::virtio::fs
