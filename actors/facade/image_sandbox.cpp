#include <actors/facade/image_sandbox.hpp>
#include <charconv>
#include <csignal>
#include <cstring>

namespace capsa::facade {
namespace {

/// "SIGQUIT", "QUIT", "SIGRTMIN+3" or a number; 0 for what is none of them.
int signal_number(std::string_view text) {
  int number = 0;
  const auto parse = [&number](std::string_view digits) {
    const auto [end, failed] =
        std::from_chars(digits.data(), digits.data() + digits.size(), number);
    return failed == std::errc() && end == digits.data() + digits.size();
  };
  if (parse(text)) return number > 0 && number <= SIGRTMAX ? number : 0;
  if (text.starts_with("SIG")) text.remove_prefix(3);
  constexpr std::string_view kRealTime = "RTMIN";
  if (text.starts_with(kRealTime)) {
    text.remove_prefix(kRealTime.size());
    if (text.empty()) return SIGRTMIN;
    if (!text.starts_with('+') || !parse(text.substr(1))) return 0;
    return number >= 0 && number <= SIGRTMAX - SIGRTMIN ? SIGRTMIN + number : 0;
  }
  for (number = 1; number < SIGRTMIN; ++number) {
    const char* const name = ::sigabbrev_np(number);
    if (name != nullptr && text == name) return number;
  }
  return 0;
}

void apply_command(const ImageConfig& config, ExecSpec& command) {
  if (!command.shell.empty()) return;
  auto arguments = command.argv.empty() ? config.command : std::move(command.argv);
  command.argv = config.entrypoint;
  command.argv.insert(command.argv.end(), std::make_move_iterator(arguments.begin()),
                      std::make_move_iterator(arguments.end()));
}

}  // namespace

result<vm::ImageRoot> apply_image(const Image& image, ExecSpec& command) {
  const ImageConfig& config = image.config;
  vm::ImageRoot root;
  root.reference = image.reference;
  for (const auto& layer : image.layers)
    root.layers.push_back(layer.file_system);
  root.stop_signal = signal_number(config.stop_signal);
  if (root.stop_signal == 0)
    return error(ErrorCode::InvalidConfig, "image " + image.reference + ": its stop signal \"" +
                                               config.stop_signal + "\" is no signal");
  apply_command(config, command);
  for (const auto& variable : config.environment) {
    const auto equals = variable.find('=');
    // What the user has said stays.
    command.env.try_emplace(variable.substr(0, equals), variable.substr(equals + 1));
  }
  if (command.user.empty()) command.user = config.user;
  // As docker has it: the root, and not the user's home.
  if (command.working_dir.empty())
    command.working_dir = config.working_dir.empty() ? "/" : config.working_dir;
  // An image may name a directory without having it.
  root.directories = config.volumes;
  if (command.working_dir != "/") root.directories.push_back(command.working_dir);
  return root;
}

result<vm::ImageRoot> use_image(const OciImage& wanted, ExecSpec& command) {
  const auto image = ImageCache().pull(wanted);
  if (!image.ok()) return image.error();
  auto root = apply_image(*image, command);
  if (root.ok()) root->scratch_mb = wanted.options.scratch_mb;
  return root;
}

}  // namespace capsa::facade
