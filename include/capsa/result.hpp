#pragma once

#include <capsa/error.hpp>
#include <optional>
#include <utility>
#include <variant>

namespace capsa {

/// A value or an error. What std::expected<T, error> will be once C++23 is the floor.
template <class T>
class [[nodiscard]] result {
 public:
  using value_type = T;  ///< what it holds where it is ok()

  ///@{
  /// Implicit, so that a function can return either.
  result(T value) : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: implicit
  result(capsa::error what)
      : state_(std::in_place_index<1>, std::move(what)) {}  // NOLINT: implicit
  ///@}

  ///@{
  /// Whether there is a value.
  bool ok() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return ok(); }
  ///@}

  ///@{
  /// The value; throws the error where there is none.
  T& value() & {
    if (!ok()) throw std::get<1>(state_);
    return std::get<0>(state_);
  }
  const T& value() const& {
    if (!ok()) throw std::get<1>(state_);
    return std::get<0>(state_);
  }
  T&& value() && {
    if (!ok()) throw std::get<1>(state_);
    return std::get<0>(std::move(state_));
  }
  ///@}

  ///@{
  /// Unchecked access, for callers that have looked at ok().
  T& operator*() & noexcept { return *std::get_if<0>(&state_); }
  const T& operator*() const& noexcept { return *std::get_if<0>(&state_); }
  T&& operator*() && noexcept { return std::move(*std::get_if<0>(&state_)); }
  T* operator->() noexcept { return std::get_if<0>(&state_); }
  const T* operator->() const noexcept { return std::get_if<0>(&state_); }
  ///@}

  /// The error; only where !ok().
  const capsa::error& error() const noexcept { return *std::get_if<1>(&state_); }

 private:
  std::variant<T, capsa::error> state_;
};

/// Success without a value, or an error.
template <>
class [[nodiscard]] result<void> {
 public:
  using value_type = void;  ///< it holds none

  result() = default;
  /// Implicit, so that a function can return one.
  result(capsa::error what) : error_(std::move(what)) {}  // NOLINT: implicit

  ///@{
  /// Whether there is no error.
  bool ok() const noexcept { return !error_.has_value(); }
  explicit operator bool() const noexcept { return ok(); }
  ///@}
  /// Throws the error where there is one.
  void value() const {
    if (error_) throw *error_;
  }
  /// The error; only where !ok().
  const capsa::error& error() const noexcept { return *error_; }

 private:
  std::optional<capsa::error> error_;
};

}  // namespace capsa
