#include <tests/conformance/guest_fixture.hpp>

#include <cstdlib>
#include <iostream>

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

LinuxDirectBootConfig boot() {
  LinuxDirectBootConfig config(guest().kernel, guest().initrd);
  config.acpi = guest().acpi;
  return config;
}

VmBuilder guest_vm(Runtime& where) {
  auto builder = where.vm(boot());
  std::string word;
  for (const char c : guest().command_line + " ") {
    if (c != ' ') {
      word += c;
    } else if (!word.empty()) {
      const auto equals = word.find('=');
      if (equals == std::string::npos)
        builder = std::move(builder).cmdline_flag(word);
      else
        builder = std::move(builder).cmdline_arg(word.substr(0, equals), word.substr(equals + 1));
      word.clear();
    }
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

}  // namespace capsa::test
