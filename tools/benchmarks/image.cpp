#include <capsa/capsa.hpp>
#include <tools/benchmarks/commands.hpp>
#include <tools/benchmarks/guests.hpp>
#include <tools/benchmarks/samples.hpp>

#include <cstdio>
#include <memory>

namespace capsa::bench {

namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::string image;
  bool insecure = false;
  unsigned rounds = 10;
  std::string guest;
};

/// From the call that makes the sandbox to the end of its command, which does nothing.
std::chrono::nanoseconds time_sandbox(BasicSandboxBuilder<true> builder) {
  const auto begun = Clock::now();
  auto vm = std::move(builder).build().get();
  const auto status = vm.wait().get();
  if (status != 0)
    throw error(ErrorCode::GuestError, "`true` ended with another status than 0",
                "take an image that has it");
  return Clock::now() - begun;
}

void run(const Options& options) {
  const auto guest = guests(options.guest).back();
  ImageOptions policy;
  policy.insecure = options.insecure;
  const auto plain = [&] { return time_sandbox(Capsa::sandbox().guest(guest).run("true")); };
  const auto image = [&] {
    return time_sandbox(Capsa::sandbox().guest(guest).oci(options.image, {"true"}, policy));
  };
  plain();
  std::printf(
      "image: a sandbox of %s whose layers are in the cache, and a plain one; %s\n"
      "from the call that makes it to the end of `true`; the run that filled the cache: %s\n",
      options.image.c_str(), name_of(guest).c_str(), to_text(image()).c_str());
  policy.pull = PullPolicy::Never;
  Samples from_cache;
  Samples without;
  for (unsigned round = 0; round < options.rounds; ++round) {
    // Whoever goes second in a round has the warmer caches: they take turns.
    if (round % 2 == 0) without.add(plain());
    from_cache.add(image());
    if (round % 2 != 0) without.add(plain());
  }
  std::printf("%u rounds, interleaved; %s\n", options.rounds, load_text().c_str());
  print_beside("image", from_cache, "plain", without);
}

}  // namespace

void add_image(CLI::App& app, Action& action) {
  auto* command =
      app.add_subcommand("image", "A sandbox of an image in the cache, beside a plain one");
  auto options = std::make_shared<Options>();
  command->add_option("--image", options->image, "A reference as of capsa run --image")->required();
  command->add_flag("--insecure", options->insecure, "A registry without TLS");
  command->add_option("--rounds", options->rounds, "How often (default: 10)")
      ->check(CLI::Range(1, 1000));
  add_guest_option(*command, options->guest, "Which one (default: the last that is prepared)");
  command->callback([&action, options] { action = [options] { run(*options); }; });
}

}  // namespace capsa::bench
