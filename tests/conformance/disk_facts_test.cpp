#include <boost/test/unit_test.hpp>
#include <csignal>
#include <fstream>
#include <sstream>
#include <tests/conformance/disk_images.hpp>
#include <tests/conformance/host_state.hpp>
#include <tests/support/scratch_dir.hpp>

using namespace capsa;
using namespace std::chrono_literals;
using test::runtime;
namespace fs = std::filesystem;

namespace {

VmBuilder vm() {
  return test::guest_vm(runtime());
}

/// The error of a build() that must refuse.
void refused(VmBuilder builder, const std::string& names) {
  const auto built = std::move(builder).build().result();
  BOOST_TEST_REQUIRE(!built.ok(), names);
  BOOST_TEST(built.error().code() == ErrorCode::InvalidConfig, built.error().what());
  BOOST_TEST(built.error().message().find(names) != std::string::npos, built.error().what());
  BOOST_TEST(!built.error().hint().empty(), built.error().what());
}

/// The error of a start() that must fail after a build() that did not. It names the image.
capsa::error start_failure(VmBuilder builder, const fs::path& image) {
  const auto made = std::move(builder).build().get();
  const auto started = made.start().result();
  BOOST_TEST_REQUIRE(!started.ok());
  const auto& message = started.error().message();
  BOOST_TEST(message.find(image.native()) != std::string::npos, message);
  BOOST_TEST(message.find(image.native() + ": disk ") == std::string::npos, message);
  BOOST_TEST(test::code_of(made.wait_timeout(20s)) == ErrorCode::VmEnded);
  BOOST_TEST(made.status().is<VmStatus::Failed>(), to_string(made.status()));
  return started.error();
}

std::string word(const AgentClient& agent, const std::string& line) {
  const auto out = agent.exec(line).get();
  return out.stdout_data.substr(0, out.stdout_data.find('\n'));
}

/// One VM whose disks are looked at: a root disk, and three more.
struct Four {
  tests::ScratchDir dir;
  fs::path root = dir.file("root.img", test::random_bytes(4U << 20, 1));
  fs::path second = test::make_image(dir.path() / "second.qcow2", 8);
  fs::path third = test::make_image(dir.path() / "third.qcow2", 12);
  fs::path fourth = test::make_image(dir.path() / "fourth", 16);
  VmHandle vm;
  AgentClient agent;

  Four() : vm(make()), agent(start()) {}
  VmHandle make() const {
    return test::guest_vm(runtime(), DiskImage(root).read_only().with_serial("the root's serial"))
        .disk(second)
        .disk(DiskImage(third).read_only())
        .disk(DiskImage::with_format(fourth, ImageFormat::Raw).with_serial("exactly-twenty-bytes"))
        .agent_enabled()
        .build()
        .get();
  }
  AgentClient start() const {
    vm.start().get();
    return vm.agent().get();
  }
};

Four& four() {
  test::guest();
  static Four instance;
  return instance;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(a_disk)

BOOST_AUTO_TEST_CASE(has_its_name_serial_and_size_in_the_order_given) {
  const std::vector<VmDisk> disks = four().vm.disks();
  BOOST_TEST_REQUIRE(disks.size() == 4U);
  const auto images = {four().root, four().second, four().third, four().fourth};
  const std::vector<std::string> serials = {"the root's serial", "capsa-vdb", "capsa-vdc",
                                            "exactly-twenty-bytes"};
  std::size_t i = 0;
  for (const auto& image : images) {
    const std::string name = std::string("vd") + static_cast<char>('a' + i);
    BOOST_TEST(disks[i].device == "/dev/" + name);
    BOOST_TEST(disks[i].image.path == image);
    const std::string sys = "cat /sys/block/" + name;
    BOOST_TEST(word(four().agent, sys + "/serial") == serials[i]);
    // In sectors of 512 bytes.
    BOOST_TEST(word(four().agent, sys + "/size") == std::to_string((i + 1) * 8192));
    BOOST_TEST(word(four().agent, sys + "/ro") == (disks[i].image.is_read_only ? "1" : "0"));
    ++i;
  }
  BOOST_TEST(!four().agent.exists("/dev/vde").get());
  const auto line = word(four().agent, "cat /proc/cmdline");
  BOOST_TEST(line.find(" root=/dev/vda ro") != std::string::npos, line);
}

BOOST_AUTO_TEST_CASE(that_is_read_only_refuses_to_be_written) {
  const auto before = test::random_bytes(4U << 20, 1);
  for (const std::string device : {"/dev/vda", "/dev/vdc"}) {
    // Telling the kernel that it is writable does not make it so.
    const auto out = four()
                         .agent
                         .exec("blockdev --setrw " + device + "; dd if=/dev/zero of=" + device +
                               " bs=4096 count=4 conv=fsync")
                         .get();
    BOOST_TEST(out.status.code != 0);
    BOOST_TEST(out.stderr_data.find("not permitted") != std::string::npos, out.stderr_data);
  }
  const auto out =
      four().agent.exec("dd if=/dev/urandom of=/dev/vdb bs=4096 count=4 conv=fsync").get();
  BOOST_TEST(out.status.code == 0, out.stderr_data);
  BOOST_TEST((test::bytes_of_image(four().root) == before));
  // Nobody writes to it: it can be looked at while it is used.
  BOOST_TEST((test::bytes_of_image(four().third) == std::string(12U << 20, '\0')));
}

BOOST_AUTO_TEST_CASE(that_is_written_to_belongs_to_one_vm) {
  const auto& f = four();
  const auto raw = start_failure(vm().disk(f.fourth), f.fourth);
  BOOST_TEST(raw.code() == ErrorCode::ResourceExhausted, raw.what());
  BOOST_TEST(!raw.hint().empty(), raw.what());
  const auto reader = start_failure(vm().disk(DiskImage(f.fourth).read_only()), f.fourth);
  BOOST_TEST(reader.code() == ErrorCode::ResourceExhausted, reader.what());
  const auto writer = start_failure(vm().disk(f.root), f.root);
  BOOST_TEST(writer.code() == ErrorCode::ResourceExhausted, writer.what());
  // In the words of the server of the image.
  for (const auto& image : {f.second, f.third}) {
    const auto qcow2 = start_failure(vm().disk(image), image);
    BOOST_TEST(qcow2.code() == ErrorCode::BackendFailed, qcow2.what());
    BOOST_TEST(qcow2.message().find("lock") != std::string::npos, qcow2.what());
  }
  BOOST_TEST(f.agent.exec("dd if=/dev/vdd of=/dev/null bs=1M").get().status.code == 0);
}

BOOST_AUTO_TEST_CASE(that_is_read_only_may_be_had_by_several_vms_and_twice_by_one) {
  const auto& f = four();
  const auto second = vm().disk(DiskImage(f.root).read_only())
                          .disk(DiskImage(f.third).read_only())
                          .disk(DiskImage(f.root).read_only())
                          .agent_enabled()
                          .build()
                          .get();
  second.start().get();
  const auto agent = second.agent().get();
  const auto sum = test::sha256(test::random_bytes(4U << 20, 1));
  BOOST_TEST(word(agent, "sha256sum /dev/vda | cut -d' ' -f1") == sum);
  BOOST_TEST(word(agent, "sha256sum /dev/vdc | cut -d' ' -f1") == sum);
  BOOST_TEST(word(agent, "cat /sys/block/vdb/size") == "24576");
  second.kill().get();
}

BOOST_AUTO_TEST_CASE(that_makes_no_sense_is_refused_by_build) {
  const tests::ScratchDir dir;
  const auto image = test::make_image(dir.path() / "image", 1);
  const auto none = dir.path() / "none";
  refused(vm().disk(none), none.string());
  refused(vm().disk(image).disk(none), "disk 2");
  refused(vm().disk(""), "disk 1");
  refused(vm().disk(dir.path()), dir.path().string());
  refused(test::guest_vm(runtime(), DiskImage(none)), "root disk");
  refused(vm().disk(DiskImage(image).with_serial(std::string(21, 's'))), "at most 20");
  refused(vm().disk(image).disk(image), image.string());
  refused(vm().disk(DiskImage(image).read_only()).disk(image), image.string());
  refused(test::guest_vm(runtime(), DiskImage(image)).disk(image), "root disk");
  refused(vm().disk(DiskImage::with_format("nbd://localhost/", ImageFormat::Qcow2)), "NBD");
  (void)vm().disk(DiskImage(image).with_serial(std::string(20, 's'))).build().get();
}

BOOST_AUTO_TEST_CASE(that_is_no_image_fails_the_start_by_name) {
  const tests::ScratchDir dir;
  const auto empty = start_failure(vm().disk(dir.file("empty.img", "")), dir.path() / "empty.img");
  BOOST_TEST(empty.code() == ErrorCode::InvalidConfig, empty.what());
  const auto text = dir.file("text.qcow2", "this is not an image");
  const auto not_one = start_failure(vm().disk(text), text);
  BOOST_TEST(not_one.code() == ErrorCode::InvalidConfig, not_one.what());
  BOOST_TEST(not_one.message().find("not a qcow2 image") != std::string::npos, not_one.what());
  // It begins as one does: it is the server that finds out.
  const auto garbage =
      dir.file("garbage.qcow2", std::string("QFI\xfb\0\0\0\x63", 8) + std::string(88, '\0') +
                                    test::random_bytes(65536, 9));
  const auto bad = start_failure(vm().disk(garbage), garbage);
  BOOST_TEST(bad.code() == ErrorCode::BackendFailed, bad.what());
  BOOST_TEST(bad.message().find("Unsupported qcow2 version 99") != std::string::npos, bad.what());
}

BOOST_AUTO_TEST_CASE(that_is_based_on_another_image_is_refused) {
  const tests::ScratchDir dir;
  const auto base = test::make_image(dir.path() / "base.img", 1);
  const auto image = dir.path() / "top.qcow2";
  const auto made = test::run_on_host("qemu-img create -q -f qcow2 -F raw -b " + base.string() +
                                      " " + image.string());
  BOOST_TEST_REQUIRE(made.status == 0, made.output);
  const auto why = start_failure(vm().disk(image), image);
  BOOST_TEST(why.code() == ErrorCode::InvalidConfig, why.what());
  BOOST_TEST(why.message().find("backing") != std::string::npos, why.what());
  BOOST_TEST(why.hint().find("qemu-img convert") != std::string::npos, why.what());
}

BOOST_AUTO_TEST_CASE(whose_server_process_dies_ends_its_vm_with_its_name) {
  test::guest();
  const tests::ScratchDir dir;
  const auto image = test::make_image(dir.path() / "some.qcow2", 8);
  const auto victim = vm().disk(image).build().get();
  victim.start().get();
  const auto servers = test::server_pids_of(image);
  BOOST_TEST_REQUIRE(servers.size() == 1U);
  ::kill(servers[0], SIGKILL);
  const auto end = victim.wait_timeout(20s).result();
  BOOST_TEST_REQUIRE(!end.ok());
  BOOST_TEST(end.error().code() == ErrorCode::VmEnded, end.error().what());
  BOOST_TEST(end.error().message().find(image.string()) != std::string::npos, end.error().what());
  BOOST_TEST(end.error().message().find("qemu-storage-daemon ended") != std::string::npos,
             end.error().what());
  BOOST_TEST(victim.status().is<VmStatus::Failed>());
  // It can be started again.
  victim.start().get();
  victim.kill().get();
}

BOOST_AUTO_TEST_CASE(at_an_nbd_server_is_read_and_written_and_ends_its_vm_when_that_dies) {
  test::guest();
  const tests::ScratchDir dir;
  const auto image = dir.file("served.img", test::random_bytes(8U << 20, 7));
  const auto socket = dir.path() / "nbd.sock";
  const auto pid_file = dir.path() / "nbd.pid";
  const auto served =
      test::run_on_host("qemu-nbd --fork --persistent --format=raw --socket=" + socket.string() +
                        " --pid-file=" + pid_file.string() + " " + image.string());
  BOOST_TEST_REQUIRE(served.status == 0, served.output);
  pid_t server = 0;
  std::ifstream(pid_file) >> server;
  const std::string uri = "nbd+unix:///?socket=" + socket.string();
  auto remote = vm().disk(uri.c_str()).agent_enabled().build().get();
  remote.start().get();
  const auto agent = remote.agent().get();
  BOOST_TEST(word(agent, "cat /sys/block/vda/size") == "16384");
  BOOST_TEST(word(agent, "sha256sum /dev/vda | cut -d' ' -f1") ==
             test::sha256(test::random_bytes(8U << 20, 7)));
  const auto data = test::random_bytes(1U << 20, 8);
  agent.write_file("/tmp/data", data).get();
  BOOST_TEST(
      agent.exec("dd if=/tmp/data of=/dev/vda bs=1M seek=3 conv=fsync,notrunc").get().status.code ==
      0);
  BOOST_TEST((test::bytes_of_image(image).substr(3U << 20, data.size()) == data));
  ::kill(server, SIGKILL);
  const auto end = remote.wait_timeout(20s).result();
  BOOST_TEST_REQUIRE(!end.ok());
  BOOST_TEST(end.error().code() == ErrorCode::VmEnded, end.error().what());
  BOOST_TEST(end.error().message().find(uri) != std::string::npos, end.error().what());
  BOOST_TEST(remote.status().is<VmStatus::Failed>(), to_string(remote.status()));
  // This program goes on, and so do its other VMs.
  BOOST_TEST(four().vm.status() == VmStatus::running());
  const auto again = start_failure(vm().disk(uri.c_str()), uri);
  BOOST_TEST(again.code() == ErrorCode::ConnectionClosed, again.what());
}

BOOST_AUTO_TEST_SUITE_END()
