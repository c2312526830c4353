#include <capsa/capsa.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>

// Code that nobody trusts works on files: it reads one directory, and writes to another.
int main() try {
  namespace fs = std::filesystem;
  std::string name = fs::temp_directory_path() / "capsa-example-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) return 1;
  const fs::path dir = name;
  fs::create_directories(dir / "in");
  fs::create_directories(dir / "out");
  std::ofstream(dir / "in/words") << "three small words\n";

  auto vm = capsa::Capsa::sandbox()
                .share(dir / "in", "/in", capsa::MountMode::ReadOnly)
                .share(dir / "out", "/out", capsa::MountMode::ReadWrite)
                .run("sh", {"-c", "wc -w < /in/words > /out/count; rm -f /in/words || exit 9"})
                .build()
                .get();
  const auto status = vm.wait().get();

  std::cout << "words: " << std::ifstream(dir / "out/count").rdbuf();
  std::cout << "removing what is read-only ended with " << status.value_or(-1) << '\n';
  std::cout << "it is " << (fs::exists(dir / "in/words") ? "still there" : "gone") << '\n';
  fs::remove_all(dir);
} catch (const capsa::error& e) {
  std::cerr << e.what() << '\n';
  return 1;
}
