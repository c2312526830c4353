#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <mutex>
#include <tests/conformance/guest_fixture.hpp>
#include <tests/conformance/image_parts.hpp>
#include <tests/support/scratch_dir.hpp>

using namespace capsa;
using namespace std::chrono_literals;
using tests::OciLayoutBuilder;
using tests::TarBuilder;

namespace {

/// A cache of its own, and a layout to put images into.
struct ImageScene {
  ImageScene() {
    test::guest();  // found in the user's own cache, before another one takes its place
    ::setenv("XDG_CACHE_HOME", (scratch.path() / "cache").c_str(), 1);
  }
  /// What a sandbox prints, its errors behind; it must end by itself.
  struct Ended {
    std::optional<int> status;
    std::string out;
  };
  Ended run(const std::string& reference, std::vector<std::string> arguments,
            ImageOptions options = {}) {
    Ended ended;
    const auto take = [&ended](std::string_view text) { ended.out += text; };
    auto vm = test::sandbox()
                  .oci(reference, std::move(arguments), std::move(options))
                  .on_output({take, take})
                  .build()
                  .get();
    ended.status = vm.wait().get();
    return ended;
  }

  tests::ScratchDir scratch;
  OciLayoutBuilder layout{scratch.path() / "layout"};
};

const char* const kScript = R"(
echo "$GREETING $NOTHING"; echo "$@"; id -u; id -g; pwd
ls /data; cat /kept; ls /opaque
ls /gone 2>/dev/null || echo gone
echo changed > /tmp/new && cat /tmp/new
grep -c localhost /etc/hosts
touch /etc/mine 2>/dev/null || echo "not root"
)";

}  // namespace

BOOST_AUTO_TEST_SUITE(an_image)

BOOST_FIXTURE_TEST_CASE(is_run_as_it_says_with_its_layers_on_each_other, ImageScene) {
  TarBuilder lower;
  lower.file("kept", "kept\n").file("gone", "x").file("opaque/old", "x").file("data/old", "x");
  TarBuilder upper;
  upper.file(".wh.gone", "").file("opaque/.wh..wh..opq", "").file("opaque/new", "x");
  upper.add({.name = "data", .type = '5', .mode = 0755, .uid = 1000, .gid = 100});
  const auto tools = [] {
    TarBuilder tar;
    for (const char* applet : {"id", "ls", "cat", "grep", "touch", "sleep", "dd", "mkdir"})
      tar.symlink(std::string("tools/") + applet, "/bin/busybox");
    return tar.file("script", kScript, 0755).finish();
  }();
  layout.add({.layers = {{test::base_layer()}, {lower.finish()}, {upper.finish()}, {tools}},
              .config = R"({"Entrypoint":["/bin/sh","/script"],"Cmd":["from the image"],)"
                        R"("Env":["PATH=/tools","GREETING=hello"],"User":"app",)"
                        R"("WorkingDir":"/made/by/us","Volumes":{"/data":{}}})",
              .name = "one"});
  const auto reference = layout.reference() + ":one";
  const auto ended = run(reference, {"from", "us"});
  BOOST_TEST((ended.status == std::optional<int>(0)), ended.out);
  BOOST_TEST(ended.out ==
             "hello \nfrom us\n1000\n100\n/made/by/us\nold\nkept\nnew\ngone\nchanged\n2\n"
             "not root\n");
  // Again, from the cache alone, and nothing of the first run is there.
  std::filesystem::remove_all(layout.directory());
  const auto again = run(reference, {}, {.pull = PullPolicy::Never});
  BOOST_TEST(again.out.find("from the image\n") != std::string::npos, again.out);
}

BOOST_FIXTURE_TEST_CASE(gives_its_command_so_much_room_as_is_said, ImageScene) {
  layout.add({.layers = {{test::base_layer()}}});
  const auto ended = run(layout.reference(),
                         {"/bin/busybox", "sh", "-c",
                          "busybox dd if=/dev/zero of=/fits bs=1M count=4 2>&1;"
                          "busybox dd if=/dev/zero of=/large bs=1M count=16 2>&1"},
                         {.scratch_mb = 12});
  BOOST_TEST((ended.status != std::optional<int>(0)));
  BOOST_TEST(ended.out.find("4+0 records out") != std::string::npos, ended.out);
  BOOST_TEST(ended.out.find("No space left on device") != std::string::npos, ended.out);
}

BOOST_FIXTURE_TEST_CASE(is_stopped_by_its_own_signal_and_has_shares_and_disks, ImageScene) {
  layout.add({.layers = {{test::base_layer()}}, .config = R"({"StopSignal":"SIGQUIT"})"});
  const auto shared = scratch.path() / "shared";
  std::filesystem::create_directories(shared);
  std::ofstream(shared / "in") << "from the host\n";
  const auto disk = scratch.file("disk.img", std::string(1 << 20, 'd'));
  std::mutex mutex;
  std::string out;
  promise<void> ready;
  bool told = false;
  const auto take = [&](std::string_view text) {
    const std::lock_guard lock(mutex);
    out += text;
    if (!told && out.find("waiting") != std::string::npos) {
      told = true;
      ready.set({});
    }
  };
  auto vm =
      test::sandbox()
          .share(shared, "/mnt/in")
          .disk(DiskImage(disk).read_only())
          .oci(layout.reference(), {"/bin/sh", "-c",
                                    "busybox cat /mnt/in/in; busybox head -c 3 /dev/vda; echo;"
                                    "trap 'echo quit; exit 7' QUIT; trap 'exit 8' TERM;"
                                    "busybox sleep 1000 & echo waiting; wait"})
          .on_output({take, take})
          .build()
          .get();
  ready.get_future().get();
  vm.stop_with_timeout(60s).get();
  BOOST_TEST((vm.wait().get() == std::optional<int>(7)));
  const std::lock_guard lock(mutex);
  BOOST_TEST(out == "from the host\nddd\nwaiting\nquit\n");
  BOOST_TEST(vm.disks().size() == 1U);
}

BOOST_FIXTURE_TEST_CASE(fills_a_pool, ImageScene) {
  layout.add({.layers = {{test::base_layer()}, {TarBuilder().file("kept", "kept\n").finish()}}});
  SandboxConfig config;
  config.image = OciImage{layout.reference(), {}};
  config.assets = test::guest();
  auto pool = test::runtime().pool(config).build(1).get();
  for (int round = 0; round < 2; ++round) {
    auto vm = pool.reserve().get();
    // Its root is the image, and nothing of the round before is there.
    const auto said = vm->agent().get().exec("cat /kept; ls /new 2>&1; echo x > /new").get();
    BOOST_TEST(said.stdout_data.starts_with("kept\n"), said.stdout_data);
    BOOST_TEST(said.stdout_data.find("No such file") != std::string::npos, said.stdout_data);
    std::move(vm).release().get();
  }
  pool.shutdown().get();
}

BOOST_FIXTURE_TEST_CASE(that_is_hostile_is_refused_by_build_with_its_layer, ImageScene) {
  const auto evil = TarBuilder().symlink("a", "/etc").file("a/passwd", "x").finish();
  layout.add({.layers = {{test::base_layer()}, {evil}}});
  const auto built = test::sandbox().oci(layout.reference(), {"/bin/true"}).build().result();
  BOOST_TEST_REQUIRE(!built.ok());
  BOOST_TEST(built.error().code() == ErrorCode::InvalidConfig);
  BOOST_TEST(built.error().message().find("layer " + image::sha256(evil)) != std::string::npos,
             built.error().message());
  BOOST_TEST(test::code_of(test::sandbox().oci("oci:/no/such/directory").build()) ==
             ErrorCode::NotFound);
}

BOOST_FIXTURE_TEST_CASE(comes_from_a_registry_by_tag_and_by_digest, ImageScene) {
  const auto registry = test::LoopbackRegistry::start(scratch.path());
  if (!registry || std::system("command -v skopeo >/dev/null") != 0) {
    BOOST_TEST_MESSAGE("skipped: docker-registry or skopeo is not installed");
    return;
  }
  layout.add({.layers = {{test::base_layer()}}});
  BOOST_TEST_REQUIRE(registry->push(layout, "box:1"));
  const ImageOptions insecure{.insecure = true};
  const ImageCache cache;
  std::size_t told = 0;
  const auto pulled =
      cache.pull({registry->name_of("box:1"), insecure}, [&](const ImageProgress&) { ++told; });
  BOOST_TEST_REQUIRE(pulled.ok(), (pulled.ok() ? "" : pulled.error().what()));
  BOOST_TEST(told > 2U);
  const auto digest = pulled->digest;

  // The tag moves on: who pins the digest stays, who asks always sees it, others do not ask.
  OciLayoutBuilder next(scratch.path() / "next");
  next.add({.layers = {{test::base_layer()}, {TarBuilder().file("v", "2").finish()}}});
  BOOST_TEST_REQUIRE(registry->push(next, "box:1"));
  const auto pull = [&](const std::string& name, PullPolicy policy) {
    return cache.pull({registry->name_of(name), {.pull = policy, .insecure = true}});
  };
  BOOST_TEST(pull("box:1", PullPolicy::Missing).value().digest == digest);
  BOOST_TEST(pull("box:1", PullPolicy::Always).value().layers.size() == 2U);
  BOOST_TEST(pull("box@" + digest, PullPolicy::Missing).value().digest == digest);
  const auto absent = pull("box@" + image::sha256("nobody's"), PullPolicy::Missing);
  BOOST_TEST_REQUIRE(!absent.ok());
  BOOST_TEST(absent.error().code() == ErrorCode::NotFound, absent.error().what());
  BOOST_TEST(!pull("nobox:1", PullPolicy::Missing).ok());

  registry->stop();
  BOOST_TEST(!pull("box:1", PullPolicy::Always).ok());
  const auto ended = run(registry->name_of("box:1"), {"/bin/busybox", "cat", "/v"});
  BOOST_TEST(ended.out == "2");
}

BOOST_AUTO_TEST_SUITE_END()
