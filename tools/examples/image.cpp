#include <capsa/capsa.hpp>
#include <iostream>

// Runs the command of an OCI image, or another one in it:
//   example_image python:3.11 python3 -c 'print(6 * 7)'
int main(int argc, char** argv) try {
  if (argc < 2) {
    std::cerr << "usage: example_image REFERENCE [COMMAND...]\n";
    return 2;
  }
  capsa::OutputHandlers output;
  output.on_stdout = [](std::string_view text) { std::cout << text; };
  output.on_stderr = [](std::string_view text) { std::cerr << text; };
  const auto vm = capsa::Capsa::sandbox()
                      .memory_mb(1024)
                      .oci(argv[1], {argv + 2, argv + argc})
                      .on_output(output)
                      .build()
                      .get();
  return vm.wait().get().value_or(1);
} catch (const capsa::error& e) {
  std::cerr << e.what() << '\n';
  return 1;
}
