#include <cctype>
#include <charconv>
#include <cstdlib>
#include <tools/cli/options.hpp>

namespace capsa::cli {
namespace {

error refused(std::string_view option, std::string_view given, std::string hint) {
  return {ErrorCode::InvalidConfig,
          std::string(option) + ": \"" + std::string(given) + "\" is not understood",
          std::move(hint)};
}

template <class Number>
bool parse_number(std::string_view text, Number& number) {
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  return failed == std::errc() && end == text.data() + text.size();
}

}  // namespace

result<ShareConfig> parse_share(std::string_view text) {
  constexpr const char* kHint = "write HOST:TARGET, HOST:TARGET:ro or HOST:TARGET:rw";
  ShareConfig share;
  std::string_view rest = text;
  if (rest.ends_with(":ro") || rest.ends_with(":rw")) {
    share.mode = rest.ends_with(":rw") ? MountMode::ReadWrite : MountMode::ReadOnly;
    rest.remove_suffix(3);
  }
  const auto colon = rest.rfind(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == rest.size())
    return refused("--share", text, kHint);
  share.host_path = rest.substr(0, colon);
  share.target = rest.substr(colon + 1);
  return share;
}

result<DiskImage> parse_disk(std::string_view option, std::string_view text) {
  DiskImage image;
  std::string_view rest = text;
  const auto take = [&rest](std::string_view suffix) {
    if (!rest.ends_with(suffix)) return false;
    rest.remove_suffix(suffix.size());
    return true;
  };
  if (take(":raw")) {
    image.format = ImageFormat::Raw;
  } else if (take(":qcow2")) {
    image.format = ImageFormat::Qcow2;
  }
  if (take(":ro")) {
    image.is_read_only = true;
  } else if (take(":overlay")) {
    image.is_overlay = true;
  } else {
    take(":rw");
  }
  if (rest.empty())
    return refused(option, text,
                   "write IMAGE, IMAGE:ro, IMAGE:overlay, IMAGE:rw:raw or IMAGE:ro:qcow2");
  image.path = rest;
  return image;
}

result<BootConfig> parse_boot(const BootWords& words, std::vector<DiskImage>& disks) {
  const auto wrong = [](std::string what, std::string hint) {
    return error(ErrorCode::InvalidConfig, std::move(what), std::move(hint));
  };
  if (words.uefi) {
    if (disks.empty()) return wrong("--uefi: there is no disk to boot", "add --disk IMAGE");
    UefiBootConfig boot(std::move(disks.front()));
    disks.erase(disks.begin());
    if (!words.efi_vars.empty()) boot.efi_variable_store = words.efi_vars;
    boot.secure_boot = words.secure_boot;
    return BootConfig(std::move(boot));
  }
  if (words.secure_boot || !words.efi_vars.empty())
    return wrong(std::string(words.secure_boot ? "--secure-boot" : "--efi-vars") +
                     ": only firmware knows what to do with it",
                 "add --uefi");
  if (words.kernel.empty() || words.initrd.empty())
    return wrong(std::string(words.kernel.empty() ? "--kernel" : "--initrd") + " is missing",
                 "give --kernel FILE and --initrd FILE, or boot a disk: --uefi --disk IMAGE");
  LinuxDirectBootConfig boot(words.kernel, words.initrd);
  boot.acpi = !words.no_acpi;
  if (!words.root_disk.empty()) {
    auto disk = parse_disk("--root-disk", words.root_disk);
    if (!disk) return disk.error();
    boot.root_disk = *std::move(disk);
  }
  return BootConfig(std::move(boot));
}

result<std::pair<std::string, std::string>> parse_env(std::string_view text) {
  const auto equals = text.find('=');
  if (text.empty() || equals == 0)
    return refused("--env", text, "write KEY=VALUE, or KEY to pass this environment's value on");
  std::string key(text.substr(0, equals));
  if (equals != std::string_view::npos) return std::pair(key, std::string(text.substr(equals + 1)));
  const char* here = std::getenv(key.c_str());
  if (here == nullptr) {
    return error(ErrorCode::InvalidConfig, "--env: there is no " + key + " in this environment",
                 "write " + key + "=VALUE");
  }
  return std::pair(key, std::string(here));
}

result<VsockPortConfig> parse_vsock(std::string_view text, bool connects) {
  const char* option = connects ? "--vsock-connect" : "--vsock-listen";
  VsockPortConfig port;
  port.connects = connects;
  const auto colon = text.find(':');
  if (!parse_number(text.substr(0, colon), port.port))
    return refused(option, text, "write PORT, or PORT:PATH for a unix socket at that path");
  if (colon == std::string_view::npos) return port;
  port.socket_path = text.substr(colon + 1);
  if (port.socket_path.empty()) return refused(option, text, "add a path, or leave out the colon");
  return port;
}

result<std::uint64_t> parse_memory(std::string_view text) {
  std::string_view digits = text;
  std::uint64_t unit = 1;
  if (digits.ends_with('G') || digits.ends_with('g')) unit = 1024;
  if (unit != 1 || digits.ends_with('M') || digits.ends_with('m')) digits.remove_suffix(1);
  std::uint64_t number = 0;
  if (!parse_number(digits, number) || number > UINT64_MAX / unit)
    return refused("--memory", text, "write a number of MiB, or one with a suffix: 512, 512M, 2G");
  return number * unit;
}

result<std::uint64_t> parse_size(std::string_view text) {
  constexpr std::string_view kUnits = "KMGT";
  std::string_view digits = text;
  unsigned shift = 0;
  if (!digits.empty()) {
    const char last = static_cast<char>(std::toupper(static_cast<unsigned char>(digits.back())));
    if (const auto at = kUnits.find(last); at != std::string_view::npos) {
      shift = static_cast<unsigned>(at + 1) * 10;
      digits.remove_suffix(1);
    }
  }
  std::uint64_t number = 0;
  if (!parse_number(digits, number) || number > UINT64_MAX >> shift)
    return refused("SIZE", text, "write a number of bytes, or one with a suffix: 512M, 10G, 1T");
  return number << shift;
}

result<std::chrono::milliseconds> parse_seconds(std::string_view text) {
  constexpr double kMost = 1e9;  // 31 years
  double seconds = 0;
  if (!parse_number(text, seconds) || !(seconds >= 0.001 && seconds <= kMost))
    return refused("--timeout", text, "write a number of seconds, at least 0.001");
  return std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
}

result<std::vector<std::string>> split_words(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  bool in_quotes = false;
  for (const char c : text) {
    if (c == '"') {
      in_quotes = !in_quotes;
      in_word = true;
    } else if (!in_quotes && (c == ' ' || c == '\t' || c == '\n')) {
      if (in_word) words.push_back(std::exchange(word, {}));
      in_word = false;
    } else {
      word += c;
      in_word = true;
    }
  }
  if (in_quotes) return refused("--append", text, "close the quote");
  if (in_word) words.push_back(std::move(word));
  return words;
}

result<Backend> parse_backend(std::string_view text) {
  if (text == "auto") return Backend::Auto;
  if (text == "qemu") return Backend::Qemu;
  if (text == "kvm") return Backend::Kvm;
  return refused("--backend", text, "there are: auto, kvm, qemu");
}

result<Accelerator> parse_accelerator(std::string_view text) {
  if (text == "auto") return Accelerator::Auto;
  if (text == "kvm") return Accelerator::Kvm;
  if (text == "tcg") return Accelerator::Tcg;
  return refused("--accel", text, "there are: auto, kvm, tcg");
}

}  // namespace capsa::cli
