#include <capsa/capsa.hpp>
#include <chrono>
#include <iostream>

// Guests that have booted before they are needed: each job gets a fresh one at once.
int main() try {
  const auto pool =
      capsa::Capsa::pool(capsa::SandboxConfig{}).memory_mb(256).name("worker").build(2).get();
  for (int job = 1; job <= 4; ++job) {
    const auto vm = pool.reserve().get();
    const auto out = vm->agent().get().exec("ls /tmp; touch /tmp/mine; echo done").get();
    std::cout << "job " << job << " by " << vm->name() << ": " << out.stdout_data;
  }  // dropped, destroyed, and another one boots
  pool.shutdown().get();
} catch (const capsa::error& e) {
  std::cerr << e.what() << '\n';
  return 1;
}
