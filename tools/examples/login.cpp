#include <capsa/capsa.hpp>
#include <chrono>
#include <iostream>

using namespace std::chrono_literals;

// Logs in at a guest's console, with a wrong password first.
int main() try {
  // A guest with one user, and a getty at its console.
  const auto* const guest =
      "mkdir -p /home/ann && echo 'ann:x:1000:1000::/home/ann:/bin/sh' >> /etc/passwd && "
      "echo \"ann:$(mkpasswd -m sha512 secret):19000::::::\" >> /etc/shadow && "
      "while true; do getty -L 0 hvc0 vt100; done";
  auto vm = capsa::Capsa::sandbox().run("/bin/sh", {"-c", guest}).timeout(60s).build().get();
  auto console = vm.console().get();
  console.wait_for("login: ").get();

  const auto refused = console.login("ann", "guess").result();
  std::cout << "guess: " << (refused ? "in" : std::string(to_string(refused.error().code())))
            << '\n';

  console.login("ann", "secret").get();
  std::cout << "secret: " << console.exec("id -un", 10s).get().output;
  vm.kill().get();
} catch (const capsa::error& e) {
  std::cerr << e.what() << '\n';
  return 1;
}
