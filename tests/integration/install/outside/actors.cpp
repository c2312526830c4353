#include <capsa/actors.hpp>
#include <iostream>

// The library on an actor system of the program's own.
int main() {
  caf::actor_system_config config;
  capsa::actors::configure(config);
  caf::actor_system system(config);
  auto runtime = capsa::actors::runtime_on(system);
  std::cout << runtime.live_vms() << " VMs\n";
  const auto live = runtime.live_vms();
  runtime.shutdown();
  return live == 0 ? 0 : 1;
}
