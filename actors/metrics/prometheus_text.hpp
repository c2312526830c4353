#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace capsa::metrics {

/// Only grows, or goes up and down.
enum class Type : std::uint8_t { Counter, Gauge };

/// A name and a value. The name is ours and plain; the value may be anybody's.
using Label = std::pair<std::string_view, std::string_view>;
using Labels = std::initializer_list<Label>;

/// Writes Prometheus' text exposition format, version 0.0.4: families one after the other, each
/// with its HELP and TYPE once and all its samples behind them. A family without a sample is left
/// out.
class PrometheusText {
 public:
  /// Begins a family; one of each name. `help` has no newline.
  void family(std::string_view name, Type type, std::string_view help);
  /// Of the family that was begun last. One of each set of labels.
  void sample(std::uint64_t value, Labels labels = {});
  void sample(double value, Labels labels = {});

  /// All of it; ends with a newline, or is empty.
  const std::string& text() const noexcept { return text_; }

 private:
  void write(std::string_view value, Labels labels);

  std::string text_;
  std::string name_;
  std::string head_;  // of a family that has no sample yet
};

}  // namespace capsa::metrics
