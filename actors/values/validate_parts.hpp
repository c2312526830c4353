#pragma once

#include <actors/values/validate.hpp>
#include <string>

namespace capsa::values {

inline error refused(std::string field, const std::string& problem, std::string hint) {
  return {ErrorCode::InvalidConfig, std::move(field) + ": " + problem, std::move(hint)};
}

/// What the machine starts with, but for its disks.
result<void> validate_boot(const ValidateContext& context);
/// How many devices it has.
result<void> validate_devices(const VmConfig& config, const ValidateContext& context);
result<void> validate_shares(const VmConfig& config, const ValidateContext& context);
result<void> validate_disks(const VmConfig& config, const ValidateContext& context);
result<void> validate_vsock(const VmConfig& config);
result<void> validate_network(const VmConfig& config);
/// nullopt is no limit.
result<void> validate_timeout(const std::string& field,
                              const std::optional<std::chrono::milliseconds>& timeout);

}  // namespace capsa::values
