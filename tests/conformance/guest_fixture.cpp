#include <tests/conformance/guest_fixture.hpp>

#include <unistd.h>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <random>
#include <sstream>

namespace capsa::test {

const GuestAssets& guest() {
  static const GuestAssets assets = [] {
    auto found = find_guest();
    if (!found.ok()) {
      std::cerr << "skipped: " << found.error().what() << std::endl;
      std::_Exit(77);
    }
    return *found;
  }();
  return assets;
}

bool on_kvm() {
  const char* const backend = std::getenv("CAPSA_BACKEND");
  return backend != nullptr && std::strcmp(backend, "kvm") == 0;
}

VmBuilder guest_vm(Runtime& where) {
  LinuxDirectBootConfig config(guest().kernel, guest().initrd);
  config.acpi = guest().acpi;
  auto builder = where.vm(config);
  std::istringstream words(guest().command_line);
  for (std::string word; words >> word;) {
    const auto equals = word.find('=');
    if (equals == std::string::npos)
      builder = std::move(builder).cmdline_flag(word);
    else
      builder = std::move(builder).cmdline_arg(word.substr(0, equals), word.substr(equals + 1));
  }
  return builder;
}

Runtime& runtime() {
  static Runtime runtime([] {
    RuntimeOptions options;
    options.log_level = LogLevel::Info;
    return options;
  }());
  return runtime;
}

std::string random_bytes(std::size_t size, std::uint64_t seed) {
  std::mt19937_64 generator(seed);
  std::string out(size, '\0');
  for (std::size_t i = 0; i + 8 <= size; i += 8) {
    const std::uint64_t word = generator();
    std::memcpy(out.data() + i, &word, 8);
  }
  return out;
}

std::string sha256(const std::string& bytes) {
  char name[] = "/tmp/capsa-sha-XXXXXX";
  const int fd = ::mkstemp(name);
  ::close(fd);
  std::ofstream(name, std::ios::binary)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  std::string out;
  if (std::FILE* pipe = ::popen(("sha256sum < " + std::string(name)).c_str(), "r")) {
    char text[65] = {};
    if (std::fread(text, 1, 64, pipe) == 64) out = text;
    ::pclose(pipe);
  }
  ::unlink(name);
  return out;
}

}  // namespace capsa::test
