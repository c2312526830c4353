#include <capsa/capsa.hpp>
#include <chrono>
#include <iostream>

using namespace std::chrono_literals;

// A program at the other end of a guest's console: a shell here, an installer or a boot loader
// elsewhere.
int main() try {
  auto vm = capsa::Capsa::sandbox().run("/bin/sh").build().get();
  auto console = vm.console().get();
  console.wait_for_timeout("# ", 60s).get();

  const auto [output, status] = console.exec("uname -s; exit 3", 10s).get();
  std::cout << "exec: " << output << "status: " << status << '\n';

  // A program that asks: answer it as somebody at a keyboard would.
  console.write_line("printf 'Really? [y/n] '; read answer; echo you said $answer").get();
  console.wait_for("Really? [y/n] ").get();
  console.wait_for("Really? [y/n] ").get();  // the first was the line's own echo
  console.write_line("y").get();
  console.wait_for_timeout("you said y", 10s).get();

  // One that does not end by itself.
  console.write_line("cat").get();
  console.send_interrupt().get();
  std::cout << console.run_command("echo still here", "# ").get();
  vm.kill().get();
} catch (const capsa::error& e) {
  std::cerr << e.what() << '\n';
  return 1;
}
