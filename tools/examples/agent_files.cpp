#include <capsa/capsa.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>

// Carries a directory into a guest, works on it there, and brings back what came of it.
int main() try {
  namespace fs = std::filesystem;
  std::string name = fs::temp_directory_path() / "capsa-example-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) return 1;
  const fs::path dir = name;
  fs::create_directories(dir / "job");
  std::ofstream(dir / "job/run.sh") << "#!/bin/sh\nmkdir -p out && date -u +%Y > out/year\n";
  fs::permissions(dir / "job/run.sh", fs::perms::owner_all);

  auto vm = capsa::Capsa::sandbox().run("sleep", {"infinity"}).build().get();
  const auto agent = vm.agent().get();
  agent.copy_to(dir / "job", "/job").get();
  const auto run = agent.exec("cd /job && ./run.sh").get();
  std::cout << "run.sh ended with " << run.status.code << run.stderr_data << '\n';
  for (const auto& entry : agent.list_dir("/job").get())
    std::cout << "  " << entry.name << '\n';
  agent.copy_from("/job/out", dir / "out").get();

  std::cout << "the year in the guest: " << std::ifstream(dir / "out/year").rdbuf();
  std::cout << "uptime: " << agent.info().get().uptime.count() << " ms\n";
  vm.stop().get();
  fs::remove_all(dir);
} catch (const capsa::error& e) {
  std::cerr << e.what() << '\n';
  return 1;
}
