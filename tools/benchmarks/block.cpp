#include <backends/qemu/probe.hpp>
#include <capsa/capsa.hpp>
#include <tools/benchmarks/block_guest.hpp>
#include <tools/benchmarks/commands.hpp>
#include <tools/benchmarks/guests.hpp>
#include <tools/benchmarks/samples.hpp>

#include <cstdio>
#include <cstdlib>
#include <memory>

namespace capsa::bench {

namespace {

struct Options {
  unsigned rounds = 7;
  unsigned depth = 32;
  unsigned milliseconds = 2000;
  unsigned image_mb = 256;
  std::string aio = "io_uring";
  bool iothread = false;
  bool kvm = false;
};

constexpr const char* kWaits = "block_load waits";

struct Case {
  const char* what;
  unsigned size;
};
constexpr Case kCases[] = {{"read", 4096}, {"write", 4096}, {"read", 131072}, {"write", 131072}};

VmHandle start(const Options& options, const BlockFiles& files) {
  auto vm = plain_vm(files.guest())
                .backend(Backend::Qemu)
                .accelerator(options.kvm ? Accelerator::Kvm : Accelerator::Tcg)
                .console_enabled()
                .disk(DiskImage(files.image()).with_serial(kOwn))
                .build()
                .get();
  vm.start().get();
  vm.console().get().wait_for_timeout(kWaits, std::chrono::minutes(1)).get();
  return vm;
}

void print(const Case& one, const Samples& ours, const Samples& theirs) {
  const auto per_second = [](const Samples& samples) {
    return 1 / std::chrono::duration<double>(samples.median()).count();
  };
  const double mib = one.size / double{1 << 20};
  std::printf(
      "  %-5s %3uk  capsa %8.0f IOPS %7.1f MiB/s   virtio-blk %8.0f IOPS %7.1f MiB/s   %.2fx "
      "(median of the rounds' ratios %.2fx)\n",
      one.what, one.size / 1024, per_second(ours), per_second(ours) * mib, per_second(theirs),
      per_second(theirs) * mib, per_second(ours) / per_second(theirs), median_ratio(theirs, ours));
}

void run(const Options& options) {
  const auto guest = guests("tuned").back();
  const auto qemu = qemu::find_qemu().value();
  const BlockFiles files(guest, options.image_mb);
  // Before the first use of the library, which looks for QEMU once.
  const auto program = files.qemu_with_peer(qemu.path, options.aio, options.iothread);
  ::setenv("CAPSA_QEMU", program.c_str(), 1);

  auto vm = start(options, files);
  auto console = vm.console().get();
  const Ask ask = [&](const std::string& line, const std::string& end) {
    console.write_line(line).get();
    return console.wait_for_timeout(end, std::chrono::minutes(1)).get();
  };

  std::printf(
      "block: random, O_DIRECT, %u in flight, %u ms a turn, %u rounds, turn about, one raw image\n"
      "of %u MiB, in the host's cache, twice in one guest. capsa: vhost-user; its peer: QEMU's "
      "own\n"
      "virtio-blk with cache=writeback,aio=%s%s\n"
      "%s, QEMU %s, %s, 1 CPU; %s\n",
      options.depth, options.milliseconds, options.rounds, options.image_mb, options.aio.c_str(),
      options.iothread ? " and a thread of its own" : "", name_of(guest).c_str(),
      qemu::to_string(qemu.version).c_str(), options.kvm ? "KVM" : "TCG", load_text().c_str());
  const std::chrono::milliseconds time(options.milliseconds);
  for (const auto& one : kCases) {
    const auto turn = [&](const char* serial) {
      return block_turn(ask, serial, one.what, one.size, options.depth, time);
    };
    turn(kOwn);
    turn(kPeer);
    Samples ours;
    Samples theirs;
    for (unsigned round = 0; round < options.rounds; ++round) {
      if (round % 2 == 0) theirs.add(turn(kPeer));
      ours.add(turn(kOwn));
      if (round % 2 != 0) theirs.add(turn(kPeer));
    }
    print(one, ours, theirs);
  }
  std::printf("afterwards: %s\n", load_text().c_str());
  vm.kill().get();
}

}  // namespace

void add_block(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("block", "A disk of ours, and QEMU's own virtio-blk");
  auto options = std::make_shared<Options>();
  command->add_option("--rounds", options->rounds, "How often (default: 7)")
      ->check(CLI::Range(1, 1000));
  command->add_option("--depth", options->depth, "Requests in flight (default: 32)")
      ->check(CLI::Range(1, 64));
  command->add_option("--milliseconds", options->milliseconds, "Of one turn (default: 2000)")
      ->check(CLI::Range(10, 30000));
  command->add_option("--image", options->image_mb, "MiB of the image (default: 256)")
      ->check(CLI::Range(1, 65536));
  command->add_option("--aio", options->aio, "Of the peer (default: io_uring)")
      ->check(CLI::IsMember({"io_uring", "threads"}));
  command->add_flag("--iothread", options->iothread, "Give the peer a thread of its own");
  command->add_flag("--kvm", options->kvm, "Both under KVM (default: both emulated)");
  command->callback([&action, options] { action = [options] { run(*options); }; });
}

}  // namespace capsa::bench
