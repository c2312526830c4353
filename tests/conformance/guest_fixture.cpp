#include <tests/conformance/guest_fixture.hpp>

#include <actors/guest/assets.hpp>
#include <actors/guest/cache.hpp>
#include <actors/guest/content_key.hpp>
#include <actors/guest/tsc.hpp>
#include <backends/runtime_dir/libexec.hpp>

#include <unistd.h>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <random>
#include <sstream>

namespace capsa::test {

namespace {

result<GuestAssets> wanted_guest() {
  const char* const kind = std::getenv("CAPSA_TEST_GUEST");
  if (kind == nullptr) return find_guest();
  const auto root = guest_cache();
  if (!root.ok()) return root.error();
  const auto key = capsa::guest::file_key(libexec_program("capsa-agent"));
  if (!key.ok()) return key.error();
  auto known = capsa::guest::list_guests(*root);
  const bool tuned = std::strcmp(kind, "tuned") == 0;
  std::erase_if(known, [&](const auto& one) { return one.manifest.tuned != tuned; });
  const auto chosen = capsa::guest::choose_guest(std::move(known), *key);
  if (!chosen)
    return error(ErrorCode::GuestNotPrepared, std::string("no ") + kind + " guest is prepared",
                 tuned ? "run: capsa guest prepare --tuned" : "run: capsa guest prepare");
  return capsa::guest::describe(*chosen, capsa::guest::tsc_khz());
}

unsigned cpus() {
  const char* const count = std::getenv("CAPSA_TEST_CPUS");
  return count != nullptr ? static_cast<unsigned>(std::atoi(count)) : 1;
}

}  // namespace

const GuestAssets& guest() {
  static const GuestAssets assets = [] {
    auto found = wanted_guest();
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

VmBuilder guest_vm(Runtime& where, std::optional<DiskImage> root_disk) {
  LinuxDirectBootConfig config(guest().kernel, guest().initrd);
  config.acpi = guest().acpi;
  config.root_disk = std::move(root_disk);
  auto builder = where.vm(config).cpus(cpus());
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

SandboxBuilder sandbox() {
  return runtime().sandbox().cpus(cpus()).guest(guest());
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
