#include <fcntl.h>
#include <sys/file.h>

#include <backends/image/image_store.hpp>
#include <future>
#include <tests/support/oci_layout_builder.hpp>
#include <tests/unit/image/layer_kit.hpp>

namespace capsa::image::test {
namespace {

using tests::OciLayoutBuilder;
using tests::TarBuilder;
namespace fs = std::filesystem;

struct StoreBench {
  result<Image> pull(PullPolicy policy = PullPolicy::Missing) {
    return store.pull({builder.reference(), {.pull = policy}}, {});
  }
  std::size_t count(const std::string& part) const {
    std::size_t found = 0;
    for (const auto& one : fs::directory_iterator(root / part))
      found += one.path().filename() == ".lock" ? 0 : 1;
    return found;
  }

  tests::ScratchDir directory;
  fs::path root = directory.path() / "cache";
  ImageStore store{root};
  OciLayoutBuilder builder{directory.path() / "layout"};
  std::string base = TarBuilder().file("base", "1").finish();
  std::string top = TarBuilder().file("top", "2").finish();
};

}  // namespace

BOOST_AUTO_TEST_SUITE(image_store)

BOOST_AUTO_TEST_CASE(an_image_is_pulled_once_and_found_again) {
  StoreBench bench;
  const auto digest = bench.builder.add(
      {.layers = {{bench.base, gzip(bench.base)}, {bench.top}}, .config = R"({"Cmd":["/top"]})"});
  const auto pulled = bench.pull();
  BOOST_REQUIRE_MESSAGE(pulled.ok(), (pulled.ok() ? "" : pulled.error().what()));
  BOOST_TEST(pulled->reference == bench.builder.reference());
  BOOST_TEST(pulled->digest == digest);
  BOOST_TEST(pulled->config.command.at(0) == "/top");
  BOOST_REQUIRE(pulled->layers.size() == 2U);
  BOOST_TEST(pulled->layers[0].diff_id == sha256(bench.base));
  BOOST_TEST(fs::file_size(pulled->layers[0].file_system) == pulled->layers[0].bytes);
  // The source may go: it is in the cache.
  fs::remove_all(bench.builder.directory());
  for (const auto policy : {PullPolicy::Missing, PullPolicy::Never})
    BOOST_CHECK(bench.pull(policy).value() == *pulled);
  BOOST_TEST(!bench.pull(PullPolicy::Always).ok());
  const auto all = bench.store.list();
  BOOST_REQUIRE(all.value().size() == 1U);
  BOOST_CHECK(all->at(0) == *pulled);
  BOOST_TEST(bench.count("") == 2U);  // images and layers, and no workshop
}

BOOST_AUTO_TEST_CASE(never_means_that_nobody_is_asked) {
  StoreBench bench;
  bench.builder.add({.layers = {{bench.base}}});
  const auto pulled = bench.pull(PullPolicy::Never);
  BOOST_REQUIRE(!pulled.ok());
  BOOST_CHECK(pulled.error().code() == ErrorCode::NotFound);
  BOOST_TEST(!fs::exists(bench.root));
  // A name of the network, which is not asked either.
  const auto other = bench.store.pull({"registry.invalid/x", {.pull = PullPolicy::Never}}, {});
  BOOST_CHECK(other.error().code() == ErrorCode::NotFound);
}

BOOST_AUTO_TEST_CASE(always_sees_what_the_reference_names_now) {
  StoreBench bench;
  bench.builder.add({.layers = {{bench.base}}});
  const auto first = bench.pull();
  OciLayoutBuilder again(bench.builder.directory());
  const auto digest = again.add({.layers = {{bench.base}, {bench.top}}});
  BOOST_CHECK(bench.pull().value() == first.value());
  const auto second = bench.pull(PullPolicy::Always);
  BOOST_TEST(second.value().digest == digest);
  BOOST_TEST(bench.pull().value().digest == digest);
}

BOOST_AUTO_TEST_CASE(a_layer_that_is_there_is_not_unpacked_again) {
  StoreBench bench;
  bench.builder.add({.layers = {{bench.base}}});
  BOOST_REQUIRE(bench.pull().ok());
  OciLayoutBuilder other(bench.directory.path() / "other");
  other.add({.layers = {{bench.base}, {bench.top}}});
  // Its bytes are not even looked at.
  other.write("blobs/sha256/" + hex_of(sha256(bench.base)), "gone");
  std::vector<std::pair<std::size_t, std::uint64_t>> told;
  const auto pulled = bench.store.pull({other.reference(), {}}, [&](const ImageProgress& at) {
    if (at.step == ImageProgress::Step::Unpacking) told.emplace_back(at.layer, at.bytes);
  });
  BOOST_REQUIRE_MESSAGE(pulled.ok(), (pulled.ok() ? "" : pulled.error().what()));
  BOOST_TEST(bench.count("layers") == 2U);
  BOOST_TEST((told == std::vector<std::pair<std::size_t, std::uint64_t>>{
                          {0, 0}, {1, 0}, {1, bench.top.size()}}));
}

BOOST_AUTO_TEST_CASE(what_is_refused_leaves_nothing_behind) {
  StoreBench bench;
  const auto evil = TarBuilder().file("../escaped", "x").finish();
  bench.builder.add({.layers = {{bench.base}, {evil}}});
  const auto pulled = bench.pull();
  BOOST_REQUIRE(!pulled.ok());
  BOOST_TEST(pulled.error().message().find("layer " + sha256(evil)) != std::string::npos);
  BOOST_TEST(bench.count("images") == 0U);
  BOOST_TEST(bench.count("") == 2U);
  BOOST_TEST(!fs::exists(bench.directory.path() / "escaped"));
  BOOST_TEST(!fs::exists(bench.root / "escaped"));
  // The good layer stays until somebody cleans up.
  BOOST_TEST(bench.count("layers") == 1U);
  BOOST_TEST(bench.store.prune().value() > 0U);
  BOOST_TEST(bench.count("layers") == 0U);
}

BOOST_AUTO_TEST_CASE(removed_images_give_their_layers_back_unless_others_have_them) {
  StoreBench bench;
  bench.builder.add({.layers = {{bench.base}}});
  BOOST_REQUIRE(bench.pull().ok());
  OciLayoutBuilder other(bench.directory.path() / "other");
  other.add({.layers = {{bench.base}, {bench.top}}});
  BOOST_REQUIRE(bench.store.pull({other.reference(), {}}, {}).ok());
  BOOST_TEST(bench.store.prune().value() == 0U);
  BOOST_TEST(bench.store.remove(other.reference()).ok());
  BOOST_CHECK(bench.store.remove(other.reference()).error().code() == ErrorCode::NotFound);
  BOOST_TEST(bench.count("layers") == 2U);
  BOOST_TEST(bench.store.prune().value() > 0U);
  BOOST_TEST(bench.count("layers") == 1U);
  BOOST_TEST(bench.pull(PullPolicy::Never).ok());
}

BOOST_AUTO_TEST_CASE(a_cache_with_holes_counts_as_without_the_image) {
  StoreBench bench;
  bench.builder.add({.layers = {{bench.base}}});
  const auto first = bench.pull().value();
  fs::resize_file(first.layers[0].file_system, 100);
  BOOST_TEST(!bench.pull(PullPolicy::Never).ok());
  BOOST_TEST(bench.store.list().value().empty());
  fs::remove(first.layers[0].file_system);
  BOOST_TEST(bench.pull().ok());
  for (const auto& one : fs::directory_iterator(bench.root / "images"))
    std::ofstream(one.path()) << "{}";
  BOOST_TEST(!bench.pull(PullPolicy::Never).ok());
  BOOST_TEST(bench.pull().ok());
}

BOOST_AUTO_TEST_CASE(what_a_crash_left_is_removed_but_not_what_somebody_makes_just_now) {
  StoreBench bench;
  bench.builder.add({.layers = {{bench.base}}});
  fs::create_directories(bench.root / ".new-crash/layout");
  BOOST_REQUIRE(bench.pull().ok());
  BOOST_TEST(!fs::exists(bench.root / ".new-crash"));
  fs::create_directories(bench.root / ".new-other/layout");
  const UniqueFd other(::open((bench.root / ".lock").c_str(), O_RDWR | O_CLOEXEC));
  BOOST_REQUIRE(::flock(other.get(), LOCK_SH) == 0);
  BOOST_REQUIRE(bench.pull(PullPolicy::Always).ok());
  BOOST_TEST(fs::exists(bench.root / ".new-other"));
}

BOOST_AUTO_TEST_CASE(several_threads_pull_one_image) {
  StoreBench bench;
  bench.builder.add({.layers = {{bench.base}, {bench.top}}});
  std::vector<std::future<result<Image>>> pulls;
  for (int i = 0; i < 6; ++i)
    pulls.push_back(std::async(std::launch::async, [&] { return bench.pull(PullPolicy::Always); }));
  for (auto& one : pulls) {
    const auto pulled = one.get();
    BOOST_TEST(pulled.ok(), (pulled.ok() ? "" : pulled.error().what()));
  }
  BOOST_TEST(bench.count("layers") == 2U);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(image_skopeo)

BOOST_AUTO_TEST_CASE(an_archive_is_pulled_by_skopeo) {
  if (!have("skopeo")) return;
  StoreBench bench;
  bench.builder.add({.layers = {{bench.base, gzip(bench.base)}}, .config = R"({"User":"7"})"});
  for (const std::string kind : {"oci-archive", "docker-archive"}) {
    const auto file = kind + ":" + (bench.directory.path() / kind).string();
    const auto made =
        program::run({.words = {"skopeo", "copy", "-q", bench.builder.reference(),
                                kind == "docker-archive" ? file + ":name:tag" : file}});
    BOOST_REQUIRE_MESSAGE(made.ok(), (made.ok() ? "" : made.error().what()));
    const auto pulled = bench.store.pull({file, {}}, {});
    BOOST_REQUIRE_MESSAGE(pulled.ok(), (pulled.ok() ? "" : pulled.error().what()));
    BOOST_TEST(pulled->config.user == "7");
    BOOST_TEST(pulled->layers.at(0).diff_id == sha256(bench.base));
  }
  const auto absent = bench.store.pull({"oci-archive:/no/such/file", {}}, {});
  BOOST_CHECK(absent.error().code() == ErrorCode::NotFound);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::image::test
