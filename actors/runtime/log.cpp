#include <actors/runtime/log.hpp>
#include <actors/values/text.hpp>

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace capsa {

namespace {
spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::Trace:
      return spdlog::level::trace;
    case LogLevel::Debug:
      return spdlog::level::debug;
    case LogLevel::Info:
      return spdlog::level::info;
    case LogLevel::Warning:
      return spdlog::level::warn;
    case LogLevel::Error:
      return spdlog::level::err;
    case LogLevel::Off:
      break;
  }
  return spdlog::level::off;
}
}  // namespace

Log::Log(LogLevel level, std::function<void(const LogRecord&)> sink)
    : level_(level), sink_(std::move(sink)) {
  if (sink_) return;
  // Not registered by name: a program may have loggers of its own, and several runtimes.
  logger_ = std::make_shared<spdlog::logger>(
      "capsa", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  logger_->set_level(to_spdlog(level));
}

void Log::write(LogLevel level, std::string_view component, std::string_view event,
                std::string message, std::string_view vm) const {
  if (level < level_ || level_ == LogLevel::Off) return;
  if (sink_) {
    sink_({level, component, event, vm, std::move(message)});
    return;
  }
  const std::string about = vm.empty() ? "" : " vm=" + text::quote(vm);
  logger_->log(to_spdlog(level), "component={} event={}{} {}", component, event, about, message);
}

}  // namespace capsa
