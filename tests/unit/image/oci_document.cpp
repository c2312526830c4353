#include <backends/image/oci_layout.hpp>
#include <boost/test/unit_test.hpp>
#include <tests/support/oci_layout_builder.hpp>
#include <tests/support/scratch_dir.hpp>
#include <tests/support/tar_builder.hpp>

namespace capsa::image::test {
namespace {

using tests::OciLayoutBuilder;
using tests::TarBuilder;

const std::string kDigest = "sha256:" + std::string(64, 'a');
const std::string kConfig =
    OciLayoutBuilder::descriptor("application/vnd.oci.image.config.v1+json", kDigest, 2);

std::string manifest_of(const std::string& layer_type, std::size_t count = 1) {
  std::string layers;
  for (std::size_t i = 0; i < count; ++i)
    layers += (i == 0 ? "" : ",") + OciLayoutBuilder::descriptor(layer_type, kDigest, 7);
  return R"({"schemaVersion":2,"config":)" + kConfig + R"(,"layers":[)" + layers + "]}";
}

std::string manifest_error(const std::string& text) {
  const auto parsed = parse_manifest("it", text);
  return parsed ? "accepted" : parsed.error().what();
}

std::string config_error(const std::string& own, const std::string& more = "") {
  const auto parsed =
      parse_config("it", R"({"os":"linux","architecture":"amd64","config":)" + own + more + "}");
  return parsed ? "accepted" : parsed.error().what();
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(image_oci_document)

BOOST_AUTO_TEST_CASE(a_manifest_names_its_layers_in_order) {
  auto parsed = parse_manifest("it", manifest_of("application/vnd.oci.image.layer.v1.tar+zstd", 3));
  BOOST_REQUIRE(parsed.ok());
  const auto& manifest = std::get<Manifest>(*parsed);
  BOOST_TEST(manifest.layers.size() == 3U);
  BOOST_TEST(manifest.layers[2].size == 7U);
  BOOST_TEST(manifest.config.digest == kDigest);
}

BOOST_AUTO_TEST_CASE(documents_that_are_none_are_refused) {
  const std::string tar = "application/vnd.oci.image.layer.v1.tar";
  for (const std::string& text :
       {std::string(), std::string("[]"), std::string("{"), std::string("{}"),
        std::string(R"({"manifests":7})"), std::string(R"({"manifests":[7]})"),
        std::string(R"({"manifests":[{"digest":"sha256:../../x","size":1}]})"),
        std::string(R"({"config":7,"layers":7})"), R"({"config":)" + kConfig + R"(,"layers":[]})",
        R"({"manifests":[],"config":)" + kConfig + R"(,"layers":[]})",
        std::string(R"({"manifests":[{"digest":")") + kDigest + R"(","size":-1}]})",
        std::string(100000, '['), std::string(kMaxManifest + 1, ' ')})
    BOOST_TEST(has(manifest_error(text), "invalid_config"), text.substr(0, 80));
  BOOST_TEST(has(manifest_error(R"({"schemaVersion":1,"fsLayers":[]})"), "schema 1"));
  BOOST_TEST(has(manifest_error(manifest_of(tar, kMaxLayers + 1)), "layers, at most"));
  BOOST_TEST(manifest_error(manifest_of(tar, kMaxLayers)) == "accepted");
  for (const std::string& type :
       {std::string("application/vnd.oci.image.layer.v1.tar+encrypted"),
        std::string("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"), std::string()}) {
    const auto what = manifest_error(manifest_of(type));
    BOOST_TEST(has(what, "unsupported_feature"), what);
    BOOST_TEST(has(what, "layer " + kDigest), what);
  }
}

BOOST_AUTO_TEST_CASE(an_index_is_chosen_from_by_machine_and_by_name) {
  const auto entry = [](char digit, const std::string& more) {
    auto text = OciLayoutBuilder::descriptor("x", "sha256:" + std::string(64, digit), 1);
    text.pop_back();
    return text + "," + more + "}";
  };
  const auto parsed = parse_manifest(
      "it", R"({"manifests":[)" +
                entry('1', R"("platform":{"os":"linux","architecture":"arm64"})") + "," +
                entry('2', R"("platform":{"os":"unknown","architecture":"unknown"})") + "," +
                entry('3', R"("platform":{"os":"linux","architecture":"amd64"},)"
                           R"("annotations":{"org.opencontainers.image.ref.name":"one"})") +
                "]}");
  BOOST_REQUIRE(parsed.ok());
  auto index = std::get<Index>(*parsed);
  BOOST_TEST(choose_platform("it", index).value().digest.back() == '3');
  BOOST_TEST(choose_name("it", index, "one").value().digest.back() == '3');
  BOOST_TEST(has(choose_name("it", index, "two").error().what(), "name one of: one"));
  BOOST_CHECK(choose_name("it", index, "").error().code() == ErrorCode::NotFound);
  index.entries.pop_back();
  const auto missing = choose_platform("it", index);
  BOOST_REQUIRE(!missing.ok());
  BOOST_TEST(has(missing.error().what(), "there are: linux/arm64"));
}

BOOST_AUTO_TEST_CASE(a_configuration_is_read_and_its_nulls_are_nothing) {
  const auto parsed = parse_config(
      "it",
      R"({"os":"linux","architecture":"amd64","config":{"Entrypoint":["/init","-x"],"Cmd":null,)"
      R"("Env":["PATH=/bin","A=b=c"],"User":"1000:100","WorkingDir":"/srv","Volumes":{"/data":{}},)"
      R"("StopSignal":"SIGINT"},"rootfs":{"diff_ids":[")" +
          kDigest + R"("]}})");
  BOOST_REQUIRE_MESSAGE(parsed.ok(), (parsed.ok() ? "" : parsed.error().what()));
  const ImageConfig wanted = {{"/init", "-x"}, {},      {"PATH=/bin", "A=b=c"}, "1000:100", "/srv",
                              {"/data"},       "SIGINT"};
  BOOST_CHECK(parsed->config == wanted);
  BOOST_TEST(parsed->diff_ids.at(0) == kDigest);
  const auto bare = parse_config("it", R"({"os":"linux","architecture":"amd64"})");
  BOOST_TEST(bare.value().config.stop_signal == "SIGTERM");
}

BOOST_AUTO_TEST_CASE(a_configuration_with_something_wrong_is_refused_by_field) {
  BOOST_TEST(has(config_error(R"({"Cmd":"sh"})"), "Cmd"));
  BOOST_TEST(has(config_error(R"({"Cmd":[1]})"), "Cmd"));
  BOOST_TEST(has(config_error(R"({"Cmd":["a\u0000b"]})"), "Cmd"));
  BOOST_TEST(has(config_error(R"({"Env":["PATH"]})"), "Env"));
  BOOST_TEST(has(config_error(R"({"Env":["=x"]})"), "Env"));
  BOOST_TEST(has(config_error(R"({"User":7})"), "User"));
  for (const std::string path : {"data", "/", "/a/../..", "/../x", ""})
    BOOST_TEST(has(config_error(R"({"Volumes":{")" + path + R"(":{}}})"), "Volumes"), path);
  BOOST_TEST(has(config_error("{}", R"(,"rootfs":{"diff_ids":["sha256:x"]})"), "diff_ids"));
  BOOST_CHECK(parse_config("it", R"({"os":"linux","architecture":"arm64"})").error().code() ==
              ErrorCode::UnsupportedFeature);
  BOOST_TEST(!parse_config("it", "[]").ok());
}

BOOST_AUTO_TEST_CASE(a_layout_is_read_and_checked_down_to_its_layers) {
  const tests::ScratchDir scratch;
  OciLayoutBuilder builder(scratch.path());
  const auto tar = TarBuilder().file("a", "x").finish();
  const auto digest = builder.add({.layers = {{tar}, {tar}}, .name = "one"});
  const auto layout = read_layout(scratch.path(), "");
  BOOST_REQUIRE_MESSAGE(layout.ok(), (layout.ok() ? "" : layout.error().what()));
  BOOST_TEST(layout->digest == digest);
  BOOST_REQUIRE(layout->layers.size() == 2U);
  BOOST_TEST(layout->layers[0].diff_id == sha256(tar));
  BOOST_TEST(std::filesystem::file_size(layout->layers[0].file) == tar.size());
  BOOST_TEST(read_layout(scratch.path(), "one").ok());
  BOOST_TEST(!read_layout(scratch.path(), "two").ok());
  // A manifest that is not what its name says.
  builder.write("blobs/sha256/" + hex_of(digest), "{}");
  BOOST_TEST(has(read_layout(scratch.path(), "").error().what(), "not what its name says"));
  BOOST_CHECK(read_layout(scratch.path() / "no", "").error().code() == ErrorCode::NotFound);
}

BOOST_AUTO_TEST_CASE(an_index_of_indexes_ends_somewhere) {
  const tests::ScratchDir scratch;
  OciLayoutBuilder builder(scratch.path());
  std::string inner = R"({"manifests":[]})";
  for (int i = 0; i < 5; ++i)
    inner = R"({"manifests":[)" +
            OciLayoutBuilder::descriptor("x", builder.blob(inner), inner.size()) + "]}";
  builder.write("index.json", inner);
  BOOST_TEST(has(read_layout(scratch.path(), "").error().what(), "lead nowhere"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::image::test
