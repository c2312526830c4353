#include <boost/test/unit_test.hpp>
#include <fstream>
#include <tests/conformance/disk_images.hpp>
#include <tests/support/scratch_dir.hpp>

using namespace capsa;
using namespace std::chrono_literals;
using test::runtime;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t kBytes = 4U << 20;

/// A raw and a qcow2 image with the same bytes, on which VMs stand.
struct Bases {
  tests::ScratchDir dir;
  std::string bytes = test::random_bytes(kBytes, 31);
  std::string sum = test::sha256(bytes);
  fs::path raw = dir.file("base.img", bytes);
  fs::path qcow2 = dir.path() / "base.qcow2";
  std::string files;

  Bases() {
    const auto made = test::run_on_host("qemu-img convert -f raw -O qcow2 " + raw.string() + " " +
                                        qcow2.string());
    BOOST_TEST_REQUIRE(made.status == 0, made.output);
    files = sums_of_files();
  }
  std::string sums_of_files() const {
    return test::run_on_host("sha256sum " + raw.string() + " " + qcow2.string()).output;
  }
  VmHandle vm(Runtime& where) const {
    return test::guest_vm(where)
        .disk(DiskImage::overlay_of(raw))
        .disk(DiskImage::overlay_of(qcow2))
        .agent_enabled()
        .build()
        .get();
  }
};

std::string sum_of(const AgentClient& agent, const std::string& device) {
  const auto out = agent.exec("sha256sum " + device + " | cut -d' ' -f1").get().stdout_data;
  return out.substr(0, out.find('\n'));
}

void write_to(const AgentClient& agent, const std::string& device, const std::string& bytes) {
  agent.write_file("/tmp/bytes", bytes).get();
  const auto out = agent.exec("dd if=/tmp/bytes of=" + device + " bs=64k conv=fsync,notrunc").get();
  BOOST_TEST(out.status.code == 0, out.stderr_data);
}

AgentClient started(const VmHandle& vm) {
  vm.start().get();
  return vm.agent().get();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(an_overlay)

BOOST_AUTO_TEST_CASE(is_one_vms_own_and_gone_at_the_next_boot_and_its_base_stays_as_it_is) {
  test::guest();
  const Bases bases;
  const auto one = bases.vm(runtime());
  const auto two = bases.vm(runtime());
  auto first = started(one);
  const auto second = started(two);
  const auto written = test::random_bytes(1U << 20, 32);
  const auto changed = test::sha256(written + bases.bytes.substr(written.size()));
  for (const std::string device : {"/dev/vda", "/dev/vdb"}) {
    write_to(first, device, written);
    BOOST_TEST(first.exec("echo 3 > /proc/sys/vm/drop_caches").get().status.code == 0);
    BOOST_TEST(sum_of(first, device) == changed);
    BOOST_TEST(sum_of(second, device) == bases.sum);
    // Writable, and as large as the base.
    BOOST_TEST(sum_of(first, "/sys/block" + device.substr(4) + "/ro") == test::sha256("0\n"));
  }
  const auto use = one.stats().get();
  BOOST_TEST_REQUIRE(use.disks.size() == 2U);
  BOOST_TEST(use.disks[0].size_bytes == kBytes);
  BOOST_TEST(use.disks[1].size_bytes == kBytes);
  BOOST_TEST(bases.sums_of_files() == bases.files);

  one.kill().get();
  first = started(one);
  for (const std::string device : {"/dev/vda", "/dev/vdb"})
    BOOST_TEST(sum_of(first, device) == bases.sum);
  one.stop().get();
  two.stop().get();
  BOOST_TEST(test::servers_of(bases.raw) == 0U);
  BOOST_TEST(test::servers_of(bases.qcow2) == 0U);
  BOOST_TEST(!test::is_locked(bases.raw));
  BOOST_TEST(bases.sums_of_files() == bases.files);
}

BOOST_AUTO_TEST_CASE(lets_others_read_its_base_and_nobody_write_to_it) {
  test::guest();
  const Bases bases;
  // Who reads the base as it is comes first, and then once more.
  const auto reader = test::guest_vm(runtime())
                          .disk(DiskImage(bases.raw).read_only())
                          .disk(DiskImage(bases.qcow2).read_only())
                          .build()
                          .get();
  reader.start().get();
  const auto vm = bases.vm(runtime());
  vm.start().get();
  reader.kill().get();
  reader.start().get();
  reader.kill().get();
  for (const auto& base : {bases.raw, bases.qcow2}) {
    const auto writer = test::guest_vm(runtime()).disk(base).build().get();
    const auto refused = writer.start().result();
    BOOST_TEST_REQUIRE(!refused.ok());
    BOOST_TEST(refused.error().message().find(base.native()) != std::string::npos,
               refused.error().what());
  }
  vm.kill().get();
  const auto writer = test::guest_vm(runtime()).disk(bases.raw).build().get();
  writer.start().get();
  const auto refused = vm.start().result();
  BOOST_TEST_REQUIRE(!refused.ok());
  BOOST_TEST(refused.error().code() == ErrorCode::ResourceExhausted, refused.error().what());
  writer.kill().get();
}

BOOST_AUTO_TEST_CASE(grows_in_the_directory_that_is_named_and_has_no_name_there) {
  test::guest();
  const Bases bases;
  const tests::ScratchDir scratch;
  RuntimeOptions options;
  options.scratch_dir = scratch.path();
  {
    Runtime own(options);
    const auto vm = bases.vm(own);
    vm.start().get();
    BOOST_TEST(fs::is_empty(scratch.path()));
    const auto servers = test::server_pids_of(bases.raw);
    BOOST_TEST_REQUIRE(servers.size() == 1U);
    const auto image = fs::read_symlink("/proc/" + std::to_string(servers[0]) + "/fd/4");
    BOOST_TEST(image.native().starts_with(scratch.path().native() + "/"), image);
    vm.kill().get();
  }
  options.scratch_dir = scratch.path() / "none";
  Runtime own(options);
  const auto failed = bases.vm(own).start().result();
  BOOST_TEST_REQUIRE(!failed.ok());
  BOOST_TEST(failed.error().code() == ErrorCode::NotFound, failed.error().what());
  BOOST_TEST(failed.error().message().find(options.scratch_dir.native()) != std::string::npos,
             failed.error().what());
}

BOOST_AUTO_TEST_CASE(of_what_stands_on_another_image_itself_is_refused) {
  const Bases bases;
  const auto top = bases.dir.path() / "top.qcow2";
  const auto made = test::run_on_host("qemu-img create -q -f qcow2 -F raw -b " +
                                      bases.raw.string() + " " + top.string());
  BOOST_TEST_REQUIRE(made.status == 0, made.output);
  const auto vm = test::guest_vm(runtime()).disk(DiskImage::overlay_of(top)).build().get();
  const auto failed = vm.start().result();
  BOOST_TEST_REQUIRE(!failed.ok());
  BOOST_TEST(failed.error().code() == ErrorCode::InvalidConfig, failed.error().what());
  BOOST_TEST(failed.error().message().find("backing") != std::string::npos, failed.error().what());
  const auto remote = test::guest_vm(runtime())
                          .disk(DiskImage::overlay_of("nbd://localhost/disk"))
                          .build()
                          .result();
  BOOST_TEST_REQUIRE(!remote.ok());
  BOOST_TEST(remote.error().code() == ErrorCode::InvalidConfig, remote.error().what());
}

BOOST_AUTO_TEST_CASE(that_is_read_only_is_its_base_and_needs_no_scratch_image) {
  test::guest();
  const Bases bases;
  const auto vm = test::guest_vm(runtime())
                      .disk(DiskImage::overlay_of(bases.raw).read_only())
                      .agent_enabled()
                      .build()
                      .get();
  const auto agent = started(vm);
  BOOST_TEST(sum_of(agent, "/dev/vda") == bases.sum);
  BOOST_TEST(
      agent.exec("dd if=/dev/zero of=/dev/vda bs=4096 count=1 conv=fsync").get().status.code != 0);
  BOOST_TEST(test::servers_of(bases.raw) == 0U);
  vm.kill().get();
}

BOOST_AUTO_TEST_SUITE_END()
