#include <backends/qemu/probe.hpp>
#include <capsa/capsa.hpp>
#include <tools/benchmarks/bare_qemu.hpp>
#include <tools/benchmarks/block_guest.hpp>
#include <tools/benchmarks/child.hpp>
#include <tools/benchmarks/commands.hpp>
#include <tools/benchmarks/guests.hpp>
#include <tools/benchmarks/samples.hpp>

#include <cstdio>
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

VmHandle start_own(const BareMachine& like, const BlockFiles& files) {
  auto vm = plain_vm(files.guest())
                .backend(Backend::Qemu)
                .accelerator(like.kvm ? Accelerator::Kvm : Accelerator::Tcg)
                .cpus(like.cpus)
                .memory_mb(like.memory_mb)
                .console_enabled()
                .disk(files.image())
                .build()
                .get();
  vm.start().get();
  vm.console().get().wait_for_timeout(kWaits, std::chrono::minutes(1)).get();
  return vm;
}

std::vector<std::string> peer(const BareMachine& machine, const BlockFiles& files,
                              const Options& options) {
  auto words = bare_qemu(machine, files.guest(), "quiet");
  const auto add = [&](const char* option, std::string value) {
    words.emplace_back(option);
    words.push_back(std::move(value));
  };
  // As our machines have it: without this the guest sees legacy (virtio 0.9) devices.
  add("-global", "virtio-mmio.force-legacy=false");
  // Not locked: one image for both, of which only one is used at a time.
  add("-drive", "if=none,id=disk,format=raw,file.locking=off,cache=writeback,aio=" + options.aio +
                    ",file.filename=" + files.image().string());
  if (options.iothread) add("-object", "iothread,id=io");
  add("-device",
      std::string("virtio-blk-device,drive=disk") + (options.iothread ? ",iothread=io" : ""));
  return words;
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
  const BareMachine machine{qemu.path, options.kvm, 1, 512};
  const BlockFiles files(guest, options.image_mb);

  auto vm = start_own(machine, files);
  auto console = vm.console().get();
  const Ask ask_ours = [&](const std::string& line, const std::string& end) {
    console.write_line(line).get();
    return console.wait_for_timeout(end, std::chrono::minutes(1)).get();
  };
  Child bare(peer(machine, files, options));
  bare.read_until(kWaits);
  const Ask ask_peer = [&](const std::string& line, const std::string& end) {
    bare.write(line + "\n");
    return bare.read_until(end);
  };

  std::printf(
      "block: random, O_DIRECT, %u in flight, %u ms a turn, %u rounds, turn about, one raw image\n"
      "of %u MiB, in the host's cache. capsa: vhost-user; its peer: QEMU's virtio-blk with\n"
      "cache=writeback,aio=%s%s\n"
      "%s, QEMU %s, %s, %u CPU, %u MiB; %s\n",
      options.depth, options.milliseconds, options.rounds, options.image_mb, options.aio.c_str(),
      options.iothread ? " and a thread of its own" : "", name_of(guest).c_str(),
      qemu::to_string(qemu.version).c_str(), machine.kvm ? "KVM" : "TCG", machine.cpus,
      machine.memory_mb, load_text().c_str());
  const std::chrono::milliseconds time(options.milliseconds);
  for (const auto& one : kCases) {
    const auto turn = [&](const Ask& ask) {
      return block_turn(ask, one.what, one.size, options.depth, time);
    };
    turn(ask_ours);
    turn(ask_peer);
    Samples ours;
    Samples theirs;
    for (unsigned round = 0; round < options.rounds; ++round) {
      if (round % 2 == 0) theirs.add(turn(ask_peer));
      ours.add(turn(ask_ours));
      if (round % 2 != 0) theirs.add(turn(ask_peer));
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
