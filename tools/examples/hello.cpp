#include <capsa/capsa.hpp>
#include <iostream>

int main() try {
  auto vm = capsa::Capsa::sandbox()
                .share(".", "/mnt/here", capsa::MountMode::ReadOnly)
                .run("sleep", {"infinity"})
                .build()
                .get();
  auto agent = vm.agent().get();
  std::cout << agent.exec("uname -r; ls /mnt/here").get().stdout_data;
  vm.stop().get();
} catch (const capsa::error& e) {
  std::cerr << e.what() << '\n';
  return 1;
}
