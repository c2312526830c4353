#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <backends/vhost_user/server.hpp>
#include <boost/test/unit_test.hpp>
#include <charconv>
#include <cstdlib>
#include <string>
#include <tests/support/echo_device.hpp>
#include <tests/support/test_loop.hpp>

extern char** environ;

using namespace capsa;

namespace {

// Registers of virtio-mmio (virtio 1.2, 4.2.2), on the transports of QEMU's microvm.
constexpr std::uint64_t kFirstTransport = 0xfeb00000;
constexpr std::uint64_t kTransportSize = 512;
constexpr std::uint64_t kDeviceId = 0x008;
constexpr std::uint64_t kDriverFeatures = 0x020;
constexpr std::uint64_t kDriverFeaturesSelect = 0x024;
constexpr std::uint64_t kQueueSelect = 0x030;
constexpr std::uint64_t kQueueSize = 0x038;
constexpr std::uint64_t kQueueReady = 0x044;
constexpr std::uint64_t kQueueNotify = 0x050;
constexpr std::uint64_t kInterruptStatus = 0x060;
constexpr std::uint64_t kInterruptAck = 0x064;
constexpr std::uint64_t kStatus = 0x070;
constexpr std::uint64_t kQueueDescriptors = 0x080;
constexpr std::uint64_t kQueueAvailable = 0x090;
constexpr std::uint64_t kQueueUsed = 0x0a0;
constexpr std::uint64_t kConfig = 0x100;

constexpr std::uint32_t kAcknowledgedDriverFeaturesOk = 1 | 2 | 8;
constexpr std::uint32_t kDriverOk = 4;

constexpr std::uint32_t kVsock = 19, kFileSystem = 26;  // device types

constexpr std::uint64_t kRings = 0x10'0000;  // the rings of queue i lie at kRings + i * kRingStep
constexpr std::uint64_t kRingStep = 0x1'0000;
constexpr std::uint16_t kSize = 16;

/// A QEMU whose guest is this test: its qtest protocol, on standard input and output, reads and
/// writes the guest's address space. Everything runs on one loop, as QEMU waits for our replies.
class Qemu {
 public:
  Qemu(const std::string& device, std::uint32_t type) {
    device_model.type = type;
    int wire[2], monitor[2], in[2], out[2];
    BOOST_REQUIRE_EQUAL(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, wire), 0);
    BOOST_REQUIRE_EQUAL(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, monitor), 0);
    BOOST_REQUIRE_EQUAL(::pipe2(in, O_CLOEXEC), 0);
    BOOST_REQUIRE_EQUAL(::pipe2(out, O_CLOEXEC), 0);
    const UniqueFd theirs(wire[1]), child_monitor(monitor[1]), child_in(in[0]), child_out(out[1]);
    monitor_.reset(monitor[0]);
    input_.reset(in[1]);
    output_.reset(out[0]);
    // Firmware that does nothing: devices only work while the machine runs, and the guest is us.
    const UniqueFd firmware(::memfd_create("firmware", MFD_CLOEXEC));
    const std::vector<char> halts(64 * 1024, '\xf4');
    BOOST_REQUIRE_EQUAL(::write(firmware.get(), halts.data(), halts.size()), ssize_t(halts.size()));
    constexpr int kWire = 20, kFirmware = 21, kMonitor = 22;
    std::vector<std::string> words{"qemu-system-x86_64",
                                   "-nodefaults",
                                   "-no-user-config",
                                   "-display",
                                   "none",
                                   "-m",
                                   "32M",
                                   "-M",
                                   "microvm,acpi=off,memory-backend=mem",
                                   "-object",
                                   "memory-backend-memfd,id=mem,size=32M,share=on",
                                   "-global",
                                   "virtio-mmio.force-legacy=false",
                                   "-accel",
                                   "tcg,tb-size=8",
                                   "-bios",
                                   "/proc/self/fd/" + std::to_string(kFirmware),
                                   "-qtest",
                                   "stdio",
                                   "-qtest-log",
                                   "none",
                                   "-chardev",
                                   "socket,id=monitor,fd=" + std::to_string(kMonitor),
                                   "-mon",
                                   "chardev=monitor,mode=control",
                                   "-chardev",
                                   "socket,id=wire,fd=" + std::to_string(kWire),
                                   "-device",
                                   device + ",chardev=wire"};
    if (const char* trace = std::getenv("CAPSA_TEST_QEMU_TRACE")) {
      words.insert(words.end(), {"-trace", trace});
    }
    std::vector<char*> arguments;
    for (auto& word : words)
      arguments.push_back(word.data());
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, child_in.get(), 0);
    ::posix_spawn_file_actions_adddup2(&actions, child_out.get(), 1);
    ::posix_spawn_file_actions_adddup2(&actions, theirs.get(), kWire);
    ::posix_spawn_file_actions_adddup2(&actions, firmware.get(), kFirmware);
    ::posix_spawn_file_actions_adddup2(&actions, child_monitor.get(), kMonitor);
    const int spawned =
        ::posix_spawnp(&pid_, words[0].c_str(), &actions, nullptr, arguments.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    if (spawned != 0) {
      std::puts("skipped: there is no qemu-system-x86_64 here");
      std::exit(77);
    }
    server = std::make_unique<vhost_user::Server>(
        loop, UniqueFd(wire[0]), device_model,
        [this](result<void> outcome) { closed = std::move(outcome); });
    loop.watch(output_.get(), EPOLLIN, [this](std::uint32_t) { read_output(); });
    loop.watch(monitor_.get(), EPOLLIN, [this](std::uint32_t) { read_monitor(); });
    execute("qmp_capabilities");
  }
  ~Qemu() {
    server.reset();
    loop.unwatch(monitor_.get());
    loop.unwatch(output_.get());
    kill();
  }
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

  std::uint32_t read(std::uint64_t address) {
    const std::string answer = command("readl " + std::to_string(address));
    std::uint32_t value = 0;
    const auto digits = std::string_view(answer).substr(std::string_view("OK 0x").size());
    std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    return value;
  }
  void write(std::uint64_t address, std::uint32_t value) {
    command("writel " + std::to_string(address) + " " + std::to_string(value));
  }

  /// Where the virtio device of this type is.
  std::uint64_t find(std::uint32_t type) {
    for (std::uint64_t i = 0; i < 8; ++i) {
      if (read(kFirstTransport + i * kTransportSize + kDeviceId) == type) {
        return kFirstTransport + i * kTransportSize;
      }
    }
    BOOST_FAIL("no virtio device of type " << type);
    return 0;
  }

  /// What a guest's driver does to start a device.
  void start_driver(std::uint64_t base, std::uint32_t queues) {
    write(base + kStatus, 0);
    write(base + kStatus, 1);
    write(base + kStatus, 3);
    write(base + kDriverFeaturesSelect, 1);
    write(base + kDriverFeatures, 1);  // VERSION_1
    write(base + kDriverFeaturesSelect, 0);
    write(base + kDriverFeatures, 0);
    write(base + kStatus, kAcknowledgedDriverFeaturesOk);
    for (std::uint32_t i = 0; i < queues; ++i) {
      const auto ring = static_cast<std::uint32_t>(kRings + i * kRingStep);
      write(base + kQueueSelect, i);
      write(base + kQueueSize, kSize);
      write(base + kQueueDescriptors, ring);
      write(base + kQueueAvailable, ring + 0x1000);
      write(base + kQueueUsed, ring + 0x2000);
      write(base + kQueueReady, 1);
    }
    write(base + kStatus, kAcknowledgedDriverFeaturesOk | kDriverOk);
  }

  /// A command of QMP (QEMU's manual, "QEMU QMP Reference Manual"), and waits for its end.
  void execute(const std::string& command) {
    replies_.clear();
    const std::string line = R"({"execute":")" + command + "\"}\n";
    BOOST_REQUIRE_EQUAL(::write(monitor_.get(), line.data(), line.size()), ssize_t(line.size()));
    BOOST_REQUIRE(loop.run_until([&] { return replies_.find("\"return\"") != std::string::npos; }));
  }

  /// One round trip through a queue: `turn` counts the chains of this queue from 0.
  void echo(std::uint64_t base, std::uint32_t queue, std::uint16_t turn) {
    offer(*device_model.active->memory, queue, turn);
    write(base + kQueueNotify, queue);
    expect(base, queue, turn);
  }
  void offer(const memory::GuestMemory& memory, std::uint32_t queue, std::uint16_t turn) {
    const std::uint64_t ring = kRings + queue * kRingStep;
    const std::uint32_t value = 0xc0ffee00 + turn;
    memory.store(ring + 0x3000, value);
    memory.store(ring, test::RawDescriptor{ring + 0x3000, 4, test::kRawNext, 1});
    memory.store(ring + 16, test::RawDescriptor{ring + 0x4000, 4, test::kRawWrite, 0});
    memory.store<std::uint16_t>(ring + 0x1004 + 2 * (turn % kSize), 0);
    memory.store<std::uint16_t>(ring + 0x1002, turn + 1);
  }
  /// The answer and an interrupt.
  void expect(std::uint64_t base, std::uint32_t queue, std::uint16_t turn) {
    const auto& memory = *device_model.active->memory;
    const std::uint64_t ring = kRings + queue * kRingStep;
    const std::uint32_t value = 0xc0ffee00 + turn;
    BOOST_TEST(loop.run_until([&] {
      return memory.load<std::uint16_t>(ring + 0x2002).value() == std::uint16_t(turn + 1);
    }));
    BOOST_TEST(memory.load<std::uint32_t>(ring + 0x4000).value() == value);
    BOOST_TEST(loop.run_until([&] { return (read(base + kInterruptStatus) & 1) != 0; }));
    write(base + kInterruptAck, 1);
  }

  tests::TestLoop loop;
  test::EchoDevice device_model;
  std::optional<result<void>> closed;
  std::unique_ptr<vhost_user::Server> server;

 private:
  std::string command(const std::string& line) {
    const std::string bytes = line + "\n";
    BOOST_REQUIRE_EQUAL(::write(input_.get(), bytes.data(), bytes.size()), ssize_t(bytes.size()));
    // Interrupts of the guest are told on the same stream.
    for (;;) {
      std::size_t end = 0;
      BOOST_REQUIRE(loop.run_until([&] {
        end = text_.find('\n');
        return end != std::string::npos || ended_;
      }));
      if (ended_ && end == std::string::npos) BOOST_FAIL("QEMU ended");
      const std::string answer = text_.substr(0, end);
      text_.erase(0, end + 1);
      if (answer.starts_with("OK")) return answer;
      if (answer.starts_with("FAIL")) BOOST_FAIL(line << ": " << answer);
    }
  }
  void read_output() {
    char buffer[4096];
    const auto length = ::read(output_.get(), buffer, sizeof buffer);
    if (length > 0) {
      text_.append(buffer, static_cast<std::size_t>(length));
    } else {
      ended_ = true;
      loop.rearm(output_.get(), 0);
    }
  }

  void read_monitor() {
    char buffer[4096];
    const auto length = ::read(monitor_.get(), buffer, sizeof buffer);
    if (length > 0) {
      replies_.append(buffer, static_cast<std::size_t>(length));
    } else {
      loop.rearm(monitor_.get(), 0);
    }
  }

  pid_t pid_ = -1;
  UniqueFd input_, output_, monitor_;
  std::string text_, replies_;
  bool ended_ = false;
};

/// A driver that starts, works, is reset in the middle (a reboot) and works again.
void live_twice(Qemu& qemu, std::uint64_t base, std::uint32_t queues) {
  for (int life = 1; life <= 2; ++life) {
    qemu.start_driver(base, queues);
    BOOST_REQUIRE(qemu.loop.run_until([&] { return qemu.server->running(); }));
    BOOST_TEST(qemu.device_model.activations == life);
    BOOST_TEST(qemu.device_model.resets == life - 1);
    BOOST_TEST(qemu.device_model.active->queues.size() == 2U);
    for (std::uint16_t turn = 0; turn < 20; ++turn) {
      qemu.echo(base, 0, turn);
      qemu.echo(base, 1, turn);
    }
    qemu.write(base + kStatus, 0);
    BOOST_TEST(qemu.loop.run_until([&] { return !qemu.server->running(); }));
    for (std::uint32_t i = 0; i < queues; ++i) {
      const auto rings = qemu.device_model.active;
      BOOST_TEST(!rings.has_value());
      // What the guest's firmware or kernel would have cleared.
      qemu.write(kRings + i * kRingStep + 0x1000, 0);
      qemu.write(kRings + i * kRingStep + 0x2000, 0);
    }
  }
  BOOST_TEST(!qemu.closed.has_value());
  qemu.kill();
  BOOST_REQUIRE(qemu.loop.run_until([&] { return qemu.closed.has_value(); }));
  BOOST_TEST(qemu.closed->ok());
}

}  // namespace

BOOST_AUTO_TEST_SUITE(qemu_front_end)

BOOST_AUTO_TEST_CASE(a_file_system_device_is_driven_by_qemu) {
  Qemu qemu("vhost-user-fs-device,tag=share", kFileSystem);
  const auto base = qemu.find(kFileSystem);
  live_twice(qemu, base, 2);
}

BOOST_AUTO_TEST_CASE(a_vsock_device_is_driven_by_qemu_which_keeps_the_event_queue) {
  Qemu qemu("vhost-user-vsock-device", kVsock);
  const auto base = qemu.find(kVsock);
  BOOST_TEST(qemu.read(base + kConfig) == 0x43424140U);
  BOOST_TEST(qemu.read(base + kConfig + 4) == 0x47464544U);
  live_twice(qemu, base, 3);
}

BOOST_AUTO_TEST_CASE(a_paused_machine_goes_on_with_the_device_as_it_was) {
  for (const bool is_vsock : {false, true}) {
    Qemu qemu(is_vsock ? "vhost-user-vsock-device" : "vhost-user-fs-device,tag=share",
              is_vsock ? kVsock : kFileSystem);
    const auto base = qemu.find(is_vsock ? kVsock : kFileSystem);
    qemu.start_driver(base, is_vsock ? 3 : 2);
    BOOST_REQUIRE(qemu.loop.run_until([&] { return qemu.server->running(); }));
    std::uint16_t turn = 0;
    for (int pause = 1; pause <= 2; ++pause) {
      for (int i = 0; i < 5; ++i)
        qemu.echo(base, 1, turn++);
      const auto memory = qemu.device_model.active->memory;
      qemu.execute("stop");
      BOOST_TEST(!qemu.server->running());
      BOOST_TEST(qemu.device_model.suspensions == pause);
      // Offered at the last moment, the kick is lost: answered, and signalled, all the same.
      qemu.offer(*memory, 1, turn);
      qemu.execute("cont");
      BOOST_REQUIRE(qemu.loop.run_until([&] { return qemu.server->running(); }));
      qemu.expect(base, 1, turn++);
      BOOST_TEST(qemu.device_model.activations == pause + 1);
    }
    BOOST_TEST(qemu.device_model.resets == 0);
    BOOST_TEST(!qemu.closed.has_value());
  }
}

BOOST_AUTO_TEST_CASE(qemu_may_die_in_the_middle) {
  Qemu qemu("vhost-user-fs-device,tag=share", kFileSystem);
  const auto base = qemu.find(kFileSystem);
  qemu.start_driver(base, 2);
  BOOST_REQUIRE(qemu.loop.run_until([&] { return qemu.server->running(); }));
  qemu.kill();
  BOOST_REQUIRE(qemu.loop.run_until([&] { return qemu.closed.has_value(); }));
  BOOST_TEST(!qemu.server->running());
}

BOOST_AUTO_TEST_SUITE_END()
