#include <actors/metrics/prometheus_text.hpp>
#include <array>
#include <charconv>
#include <cmath>

namespace capsa::metrics {
namespace {

/// A label's value: the format escapes three characters, and takes all others as they are.
std::string escaped(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '\\' || c == '"') out += '\\';
    out += c;
  }
  return out;
}

}  // namespace

void PrometheusText::family(std::string_view name, Type type, std::string_view help) {
  name_ = name;
  head_ = "# HELP " + name_ + " " + std::string(help) + "\n# TYPE " + name_ +
          (type == Type::Counter ? " counter\n" : " gauge\n");
}

void PrometheusText::sample(std::uint64_t value, Labels labels) {
  write(std::to_string(value), labels);
}

void PrometheusText::sample(double value, Labels labels) {
  if (std::isnan(value)) return write("NaN", labels);
  if (std::isinf(value)) return write(value > 0 ? "+Inf" : "-Inf", labels);
  // The shortest that reads back as the same, whatever the locale.
  std::array<char, 32> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  write({digits.data(), static_cast<std::size_t>(end - digits.data())}, labels);
}

void PrometheusText::write(std::string_view value, Labels labels) {
  text_ += std::exchange(head_, {});
  text_ += name_;
  char before = '{';
  for (const auto& [label, content] : labels) {
    text_ += before;
    text_ += std::string(label) + "=\"" + escaped(content) + '"';
    before = ',';
  }
  if (before == ',') text_ += '}';
  text_ += ' ';
  text_ += value;
  text_ += '\n';
}

}  // namespace capsa::metrics
