#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <fstream>
#include <tests/conformance/image_parts.hpp>
#include <tests/conformance/net_guest.hpp>
#include <tests/conformance/reference_rows.hpp>
#include <tests/conformance/reference_scene.hpp>

using namespace capsa;
using namespace std::chrono_literals;

namespace {

/// A sandbox with one of everything.
struct SandboxScene {
  tests::ScratchDir dir;
  VmHandle vm = test::sandbox()
                    .cpus(2)
                    .memory_mb(320)
                    .share(dir.path(), "/mnt/ws", MountMode::ReadWrite)
                    .network(NetworkMode::user_nat(UserNatConfig{}))
                    .run("/bin/sh", {"-c", "sleep infinity"})
                    .build()
                    .get();
  AgentClient agent = (vm.main_process().get(), vm.agent().get());
};
SandboxScene& scene() {
  static SandboxScene instance;
  return instance;
}

template <class Builder>
concept Builds = requires(Builder builder) {
  std::move(builder).build();
};
template <class Builder>
concept Runs = requires(Builder builder) {
  std::move(builder).run("true");
};
template <class Builder>
concept TakesAnImage = requires(Builder builder) {
  std::move(builder).oci("image");
};

}  // namespace

BOOST_AUTO_TEST_SUITE(reference_of_sandbox)

BOOST_AUTO_TEST_CASE(sandbox_01_cpus) {
  BOOST_TEST(test::said(scene().agent, "nproc") == "2\n");
}

BOOST_AUTO_TEST_CASE(sandbox_02_memory_mb) {
  const auto total = scene().agent.info().get().memory_total_bytes >> 20;
  BOOST_TEST(total <= 320U);
  BOOST_TEST(total > 240U);
}

BOOST_AUTO_TEST_CASE(sandbox_03_share_at_a_guest_path) {
  scene().dir.file("given", "by the host");
  BOOST_TEST(test::said(scene().agent, "cat /mnt/ws/given; echo $((6*7)) > /mnt/ws/back") ==
             "by the host");
  std::string line;
  std::ifstream back(scene().dir.path() / "back");
  std::getline(back, line);
  BOOST_TEST(line == "42");
}

BOOST_AUTO_TEST_CASE(sandbox_04_network) {
  BOOST_TEST(test::said(scene().agent, "ip -4 addr show eth0").find("10.0.2.15/24") !=
             std::string::npos);
  BOOST_TEST(test::said(scene().agent, "ping -c 1 -W 5 10.0.2.2").find("1 packets received") !=
             std::string::npos);
}

BOOST_AUTO_TEST_CASE(sandbox_05_run) {
  const auto vm = test::sandbox().run("/bin/sh", {"-c", "exit $((6*7))"}).build().get();
  BOOST_TEST((vm.wait_timeout(120s).get() == std::optional<int>(42)));
}

BOOST_AUTO_TEST_CASE(sandbox_06_oci) {
  test::guest();  // of the user's own cache, in whose place the image gets another one
  const tests::ScratchDir dir;
  tests::OciLayoutBuilder layout(dir.path() / "layout");
  layout.add({.layers = {{test::base_layer()}},
              .config = R"({"Entrypoint":["/bin/sh","-c"],"Cmd":["exit 41"],)"
                        R"("Env":["PATH=/bin","ANSWER=42"]})"});
  const char* const cache = std::getenv("XDG_CACHE_HOME");
  const std::string before = cache == nullptr ? "" : cache;
  ::setenv("XDG_CACHE_HOME", (dir.path() / "cache").c_str(), 1);
  const auto run = [&](std::vector<std::string> arguments) {
    return test::sandbox().oci(layout.reference(), std::move(arguments)).build().result();
  };
  const auto vm = run({});
  const auto other = run({"exit $ANSWER"});
  cache == nullptr ? ::unsetenv("XDG_CACHE_HOME") : ::setenv("XDG_CACHE_HOME", before.c_str(), 1);
  BOOST_TEST_REQUIRE(vm.ok(), (vm.ok() ? "" : vm.error().what()));
  BOOST_TEST((vm->wait_timeout(120s).get() == std::optional<int>(41)));
  BOOST_TEST_REQUIRE(other.ok(), (other.ok() ? "" : other.error().what()));
  BOOST_TEST((other->wait_timeout(120s).get() == std::optional<int>(42)));
}

BOOST_AUTO_TEST_CASE(sandbox_07_build_with_exactly_one_of_run_and_oci) {
  using None = BasicSandboxBuilder<false>;
  using One = BasicSandboxBuilder<true>;
  static_assert(!Builds<None> && Runs<None> && TakesAnImage<None>);
  static_assert(Builds<One> && !Runs<One> && !TakesAnImage<One>);
  BOOST_TEST(scene().vm.status() == VmStatus::running());
}

BOOST_AUTO_TEST_SUITE_END()
