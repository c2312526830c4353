#pragma once

#include <mutex>
#include <optional>
#include <tests/conformance/guest_fixture.hpp>
#include <vector>

namespace capsa::test {

/// One guest for the whole program of the agent's tests.
struct AgentGuest {
  VmHandle vm = guest_vm(runtime())
                    .memory_mb(768)
                    .agent_enabled()
                    .vsock_connect(sandbox::agent_port())
                    .build()
                    .get();
  std::optional<AgentClient> client;
  AgentGuest() {
    vm.start().get();
    client = vm.agent().get();
  }
};

inline AgentGuest& agent_guest() {
  static AgentGuest guest;
  return guest;
}

inline const AgentClient& agent() {
  return *agent_guest().client;
}

}  // namespace capsa::test
