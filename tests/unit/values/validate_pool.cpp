#include <actors/values/validate_pool.hpp>
#include <tests/unit/values/fixture.hpp>

using namespace capsa;
using namespace capsa::test;

namespace {

result<void> pool_of(const VmConfig& config) {
  return validate_pool(config, LinuxDirectBootConfig("k", "i"), 4);
}

result<void> pool_in(NetworkMode network) {
  VmConfig config;
  config.network = std::move(network);
  return pool_of(config);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(validate_pools)

BOOST_AUTO_TEST_CASE(one_to_a_thousand_vms_are_accepted) {
  for (const std::size_t size : {1U, 1000U})
    check_accepted(validate_pool({}, SandboxConfig{}, size));
  check_refused(validate_pool({}, SandboxConfig{}, 0), {"size", "0 was given", "1 to 1000"});
  check_refused(validate_pool({}, SandboxConfig{}, 1001), {"size", "1001"});
}

BOOST_AUTO_TEST_CASE(a_name_leaves_room_for_the_numbers_of_its_vms) {
  VmConfig config;
  config.name = std::string(52, 'n');
  check_accepted(pool_of(config));
  config.name += 'n';
  check_refused(pool_of(config), {"name", "53 bytes", "at most 52"});
}

BOOST_AUTO_TEST_CASE(a_disk_is_read_only_or_an_overlay) {
  VmConfig config;
  config.disks = {DiskImage("/a").read_only(), DiskImage::overlay_of("/b"),
                  DiskImage("nbd://host/x").read_only()};
  check_accepted(pool_of(config));
  for (const char* path : {"/c", "nbd://host/y"}) {
    auto other = config;
    other.disks.push_back(DiskImage(path));
    check_refused(pool_of(other), {"disk 4", path, "written to"});
  }
}

BOOST_AUTO_TEST_CASE(a_root_disk_and_a_boot_disk_are_disks_like_others) {
  const auto with_root = [](DiskImage image) {
    return validate_pool({}, LinuxDirectBootConfig("k", "i").with_root_disk(std::move(image)), 2);
  };
  check_accepted(with_root(DiskImage::overlay_of("/r")));
  check_refused(with_root("/r"), {"root disk", "/r"});
  check_accepted(validate_pool({}, UefiBootConfig(DiskImage::overlay_of("/r")), 2));
  check_refused(validate_pool({}, UefiBootConfig("/r"), 2), {"boot disk", "/r"});
}

BOOST_AUTO_TEST_CASE(firmware_variables_are_each_vm_s_own) {
  check_refused(
      validate_pool(
          {}, UefiBootConfig(DiskImage::overlay_of("/r")).with_efi_variable_store("/vars"), 2),
      {"efi_variable_store", "/vars"});
}

BOOST_AUTO_TEST_CASE(a_share_is_read_only) {
  VmConfig config;
  config.shares = {{"/", "a", MountMode::ReadOnly}};
  check_accepted(pool_of(config));
  config.shares.push_back({"/srv", "b", MountMode::ReadWrite});
  check_refused(pool_of(config), {"share 2", "/srv", "written to"});
}

BOOST_AUTO_TEST_CASE(socket_paths_are_chosen_for_each_vm) {
  VmConfig config;
  config.vsock_ports = {VsockPortConfig::listen_auto(1024), VsockPortConfig::connect_auto(1025)};
  check_accepted(pool_of(config));
  config.vsock_ports.push_back(VsockPortConfig::listen(7, "/run/s"));
  check_refused(pool_of(config), {"vsock port 7", "/run/s", "only one VM"});
}

BOOST_AUTO_TEST_CASE(host_ports_are_chosen_for_each_vm) {
  check_accepted(pool_in(NetworkMode::user_nat().forward_tcp(0, 80).build()));
  check_refused(pool_in(NetworkMode::user_nat().forward_tcp(0, 80).forward_udp(53, 53).build()),
                {"port_forwards", "host port 53"});
  check_accepted(pool_in(NetworkMode::cluster("c").forward_tcp(0, 80).build()));
  check_refused(pool_in(NetworkMode::cluster("c").forward_tcp(8080, 80).build()),
                {"port_forwards", "host port 8080"});
}

BOOST_AUTO_TEST_CASE(addresses_are_chosen_for_each_vm) {
  const char* const mac = "02:00:00:00:00:01";
  check_refused(pool_in(NetworkMode::user_nat().mac(mac).build()), {"network.mac", mac});
  check_refused(pool_in(NetworkMode::cluster("c").mac(mac).build()), {"network.mac", mac});
  check_refused(pool_in(NetworkMode::cluster("c").address(IpAddress::v4(10, 0, 3, 9)).build()),
                {"network.address", "10.0.3.9"});
  HostNatConfig host;
  check_accepted(pool_in(NetworkMode::nat(host)));
  host.subnet = "10.0.9.0/24";
  check_refused(pool_in(NetworkMode::nat(host)), {"network.subnet", "10.0.9.0/24"});
  host.subnet.clear();
  host.mac = mac;
  check_refused(pool_in(NetworkMode::nat(host)), {"network.mac", mac});
}

BOOST_AUTO_TEST_SUITE_END()
