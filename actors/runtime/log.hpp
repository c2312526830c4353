#pragma once

#include <capsa/runtime.hpp>
#include <memory>
#include <string>
#include <string_view>

namespace spdlog {
class logger;
}

namespace capsa {

/// Log lines with a component, a stable event id and the VM that they are about, to the user's
/// function or, through spdlog, to standard error. Thread-safe.
class Log {
 public:
  Log(LogLevel level, std::function<void(const LogRecord&)> sink);
  /// `vm`: its name; empty where the line is about none.
  void write(LogLevel level, std::string_view component, std::string_view event,
             std::string message, std::string_view vm = {}) const;

 private:
  LogLevel level_;
  std::function<void(const LogRecord&)> sink_;
  std::shared_ptr<spdlog::logger> logger_;
};

}  // namespace capsa
