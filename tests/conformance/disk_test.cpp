#include <boost/test/unit_test.hpp>
#include <fstream>
#include <tests/conformance/disk_images.hpp>
#include <tests/conformance/host_state.hpp>
#include <tests/support/scratch_dir.hpp>

using namespace capsa;
using namespace std::chrono_literals;
using test::bytes_of_image;
using test::check_image;

namespace {

// How much is written to each image. Emulated guests are slow, so the usual run writes less than
// the half GiB that a release is tested with: CAPSA_DISK_MIB=512.
constexpr std::uint64_t kUsualMib = 64;
constexpr std::uint64_t kUsualSeed = 20;

Process fill(const AgentClient& agent, const std::string& device, std::uint64_t seed,
             std::uint64_t mib, unsigned workers, std::string& errors) {
  OutputHandlers handlers;
  handlers.on_stderr = [&errors](std::string_view text) { errors += text; };
  return agent
      .start(ExecSpec::command({"/tmp/worker", "fill", device, std::to_string(seed),
                                std::to_string(mib), std::to_string(workers)}),
             handlers)
      .get();
}

/// The blocks that the host's file system keeps for a file.
std::uint64_t kept_bytes(const std::filesystem::path& path) {
  struct stat info {};
  ::stat(path.c_str(), &info);
  return static_cast<std::uint64_t>(info.st_blocks) * 512;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(disks)

BOOST_AUTO_TEST_CASE(hold_what_was_written_zeroed_discarded_and_flushed_at_random) {
  test::guest();
  const auto mib = test::number_from_environment("CAPSA_DISK_MIB", kUsualMib);
  const auto seed = test::number_from_environment("CAPSA_DISK_SEED", kUsualSeed);
  constexpr unsigned kWorkers = 4;
  BOOST_TEST_MESSAGE("CAPSA_DISK_MIB=" << mib << " CAPSA_DISK_SEED=" << seed);
  const tests::ScratchDir dir;
  const auto raw = test::make_image(dir.path() / "raw.img", mib);
  const auto qcow2 = test::make_image(dir.path() / "some.qcow2", mib);
  // Made when it is needed: a test of half a GiB is to fit into a small machine.
  const auto oracle = [&](std::uint64_t of) { return test::filled_disk(mib, of, mib, kWorkers); };

  std::string errors_raw;
  std::string errors_qcow2;
  auto vm = test::guest_vm(test::runtime())
                .cpus(2)
                .disk(raw)
                .disk(qcow2)
                .agent_enabled()
                .timeout(30min)
                .build()
                .get();
  vm.start().get();
  const auto agent = test::agent_with_worker(vm);
  const auto began = std::chrono::steady_clock::now();
  const auto first = fill(agent, "/dev/vda", seed, mib, kWorkers, errors_raw);
  const auto second = fill(agent, "/dev/vdb", seed + 1, mib, kWorkers, errors_qcow2);
  const auto ended_raw = first.wait().result();
  const auto ended_qcow2 = second.wait().result();
  BOOST_TEST_REQUIRE((ended_raw.ok() && ended_qcow2.ok()),
                     "the guest has ended: " << vm.kernel_log().get());
  const int status_raw = ended_raw->code;
  const int status_qcow2 = ended_qcow2->code;
  const auto took = std::chrono::steady_clock::now() - began;
  BOOST_TEST_MESSAGE("written in "
                     << std::chrono::duration_cast<std::chrono::milliseconds>(took).count()
                     << " ms");
  // What the guest reads is right, too.
  BOOST_TEST(agent.exec("/tmp/worker sum /dev/vda").get().stdout_data ==
             test::sum_of(oracle(seed)));
  BOOST_TEST(agent.exec("/tmp/worker sum /dev/vdb").get().stdout_data ==
             test::sum_of(oracle(seed + 1)));
  vm.stop().get();
  BOOST_TEST(vm.status() == VmStatus::stopped(0));
  // With the output of both at its end.
  BOOST_TEST(status_raw == 0, errors_raw);
  BOOST_TEST(status_qcow2 == 0, errors_qcow2);

  BOOST_TEST(test::holds(raw, oracle(seed)));
  std::filesystem::remove(raw);
  BOOST_TEST(check_image(qcow2) == 0);
  const auto wanted = dir.file("wanted", oracle(seed + 1));
  const auto compared = test::run_on_host("qemu-img compare -f raw -F qcow2 " + wanted.string() +
                                          " " + qcow2.string());
  BOOST_TEST(compared.status == 0, compared.output);
}

BOOST_AUTO_TEST_CASE(give_the_host_back_what_a_guest_discards) {
  test::guest();
  const tests::ScratchDir dir;
  const auto raw = dir.file("raw.img", test::random_bytes(16U << 20, 1));
  const auto qcow2 = dir.path() / "some.qcow2";
  BOOST_TEST_REQUIRE(
      test::run_on_host("qemu-img convert -f raw -O qcow2 " + raw.string() + " " + qcow2.string())
          .status == 0);
  BOOST_TEST_REQUIRE(kept_bytes(raw) >= 16U << 20);
  BOOST_TEST_REQUIRE(kept_bytes(qcow2) >= 16U << 20);
  auto vm = test::guest_vm(test::runtime()).disk(raw).disk(qcow2).agent_enabled().build().get();
  vm.start().get();
  const auto agent = test::agent_with_worker(vm);
  const std::string zeroes(16U << 20, '\0');
  for (const std::string device : {"/dev/vda", "/dev/vdb"}) {
    BOOST_TEST(agent.exec("/tmp/worker discard " + device).get().status.code == 0);
    BOOST_TEST(agent.exec("/tmp/worker sum " + device).get().stdout_data == test::sum_of(zeroes));
  }
  vm.stop().get();
  BOOST_TEST(kept_bytes(raw) < 1U << 20);
  BOOST_TEST(kept_bytes(qcow2) < 1U << 20);
  BOOST_TEST(check_image(qcow2) == 0);
}

BOOST_AUTO_TEST_CASE(have_what_the_guest_did_not_sync_once_its_vm_has_stopped) {
  test::guest();
  const tests::ScratchDir dir;
  const auto raw = test::make_image(dir.path() / "raw.img", 16);
  const auto qcow2 = test::make_image(dir.path() / "some.qcow2", 16);
  auto vm = test::guest_vm(test::runtime()).disk(raw).disk(qcow2).agent_enabled().build().get();
  vm.start().get();
  const auto agent = vm.agent().get();
  const auto data = test::random_bytes(8U << 20, 5);
  agent.write_file("/tmp/data", data).get();
  // Nothing makes the guest's kernel write early: no timer, and no last close of the disks.
  const auto written =
      agent
          .exec(
              "echo 0 > /proc/sys/vm/dirty_writeback_centisecs; exec 3< /dev/vda 4< /dev/vdb; "
              "(sleep 1000 > /dev/null 2>&1 &); for d in vda vdb; do "
              "dd if=/tmp/data of=/dev/$d bs=1M conv=notrunc || exit 1; done")
          .get();
  BOOST_TEST(written.status.code == 0, written.stderr_data);
  BOOST_TEST((bytes_of_image(raw).substr(0, data.size()) != data));
  BOOST_TEST(test::is_locked(raw));
  BOOST_TEST(test::is_locked(qcow2));
  BOOST_TEST(test::servers_of(qcow2) == 1U);
  vm.stop().get();
  // At once, with no wait in between.
  BOOST_TEST(!test::is_locked(raw));
  BOOST_TEST(!test::is_locked(qcow2));
  BOOST_TEST(test::servers_of(qcow2) == 0U);
  BOOST_TEST(check_image(qcow2) == 0);
  BOOST_TEST((bytes_of_image(raw).substr(0, data.size()) == data));
  BOOST_TEST((bytes_of_image(qcow2).substr(0, data.size()) == data));
}

BOOST_AUTO_TEST_SUITE_END()
