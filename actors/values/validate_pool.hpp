#pragma once

#include <capsa/pool.hpp>
#include <capsa/result.hpp>
#include <cstddef>

namespace capsa {

/// More is a mistake in the number: each takes memory and a process or threads of its host.
inline constexpr std::size_t kMaxPoolSize = 1000;
/// Of a VM's name, without a dash and the ten digits of its number.
inline constexpr std::size_t kMaxPoolName = 52;

/// Checks what a pool's VMs cannot have beside each other; each of them is checked as any VM, too.
/// InvalidConfig, as validate() says it. Touches no file. Thread-safe.
result<void> validate_pool(const VmConfig& config, const PoolMember& member, std::size_t size);

}  // namespace capsa
