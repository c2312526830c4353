#include <capsa/capsa.hpp>
#include <iostream>

// A configuration that build() must refuse: it takes the whole library to do so, and no machine.
int main() {
  auto outcome = capsa::Capsa::vm(capsa::LinuxDirectBootConfig("/nonexistent/kernel", "/dev/null"))
                     .build()
                     .result();
  if (outcome) {
    std::cerr << "a kernel that does not exist was accepted\n";
    return 1;
  }
  std::cout << outcome.error().what() << '\n';
  return outcome.error().code() == capsa::ErrorCode::InvalidConfig ? 0 : 1;
}
