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

  // One that does not end by itself. It has the terminal once something of it was seen; what is
  // looked for must not be what the line's echo has.
  console.write_line("echo run''ning; cat").get();
  console.wait_for_timeout("running", 10s).get();
  console.send_interrupt().get();
  console.wait_for_timeout("# ", 10s).get();
  std::cout << console.run_command("echo still here", "# ").get();
  vm.kill().get();
} catch (const capsa::error& e) {
  std::cerr << e.what() << '\n';
  return 1;
}
