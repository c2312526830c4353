#include <capsa/capsa.hpp>
#include <iostream>
#include <mutex>

// A guest that may reach one address and port and nothing else, and what it was denied.
int main() try {
  const auto policy = capsa::NetworkPolicy::deny_all().rule(
      capsa::PolicyAction::Allow, capsa::MatchCriteria::all({capsa::MatchCriteria::ip("192.0.2.1"),
                                                             capsa::MatchCriteria::port(443)}));
  auto vm = capsa::Capsa::sandbox()
                .network(capsa::NetworkMode::user_nat().policy(policy).build())
                .run("sleep", {"infinity"})
                .build()
                .get();
  capsa::promise<std::string> denied;
  std::once_flag once;
  const auto subscription = vm.subscribe([&](const capsa::VmEvent& event) {
    if (event.kind == capsa::VmEvent::Kind::NetworkDenied)
      std::call_once(once, [&] { denied.set(event.cause); });
  });

  // Both its command and its network are there.
  vm.main_process().get();
  const auto tried = vm.agent().get().exec("nc -w 5 198.51.100.7 25 < /dev/null").get();
  std::cout << "nc ended with " << tried.status.code << '\n';
  std::cout << "denied: " << denied.get_future().get() << '\n';

  // Decided again while it runs.
  vm.network().get().set_policy(capsa::NetworkPolicy::deny_all()).get();
  std::cout << "flows refused so far: " << vm.network().get().stats().get().denied_flows << '\n';
  vm.kill().get();
} catch (const capsa::error& e) {
  std::cerr << e.what() << '\n';
  return 1;
}
