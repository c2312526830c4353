#include <backends/image/image_reference.hpp>
#include <boost/test/unit_test.hpp>

namespace capsa::image::test {
namespace {

const std::string kDigest = "sha256:" + std::string(64, 'a');

std::string canonical(const std::string& text) {
  const auto parsed = parse_image_reference(text);
  return parsed ? parsed->canonical : parsed.error().what();
}

std::string source(const std::string& text) {
  return skopeo_source(parse_image_reference(text).value());
}

}  // namespace

BOOST_AUTO_TEST_SUITE(image_reference)

BOOST_AUTO_TEST_CASE(names_are_completed_as_docker_does_it) {
  BOOST_TEST(canonical("python") == "docker.io/library/python:latest");
  BOOST_TEST(canonical("python:3.11") == "docker.io/library/python:3.11");
  BOOST_TEST(canonical("docker://python:3.11") == "docker.io/library/python:3.11");
  BOOST_TEST(canonical("owner/name") == "docker.io/owner/name:latest");
  BOOST_TEST(canonical("docker.io/python") == "docker.io/library/python:latest");
  BOOST_TEST(canonical("index.docker.io/python") == "docker.io/library/python:latest");
  BOOST_TEST(canonical("ghcr.io/a/b__c/d-e.f") == "ghcr.io/a/b__c/d-e.f:latest");
  BOOST_TEST(canonical("localhost/x") == "localhost/x:latest");
  BOOST_TEST(canonical("localhost:5000/x:tag") == "localhost:5000/x:tag");
  BOOST_TEST(canonical("Host/x") == "Host/x:latest");
  BOOST_TEST(canonical("ghcr.io/x/y@" + kDigest) == "ghcr.io/x/y@" + kDigest);
  BOOST_TEST(canonical("x:1@" + kDigest) == "docker.io/library/x:1@" + kDigest);
}

BOOST_AUTO_TEST_CASE(skopeo_is_asked_by_the_digest_where_there_is_one) {
  BOOST_TEST(source("python:3.11") == "docker://docker.io/library/python:3.11");
  BOOST_TEST(source("x:1@" + kDigest) == "docker://docker.io/library/x@" + kDigest);
  const auto parsed = parse_image_reference("x:1").value();
  BOOST_TEST(skopeo_source(parsed, kDigest) == "docker://docker.io/library/x@" + kDigest);
  BOOST_TEST(source("docker-archive:/a/b.tar") == "docker-archive:/a/b.tar");
}

BOOST_AUTO_TEST_CASE(paths_are_absolute_and_may_have_a_tag) {
  const auto here = std::filesystem::current_path().string();
  BOOST_TEST(canonical("oci:some/dir") == "oci:" + here + "/some/dir");
  BOOST_TEST(canonical("oci:/some/../dir:3.11") == "oci:/dir:3.11");
  BOOST_TEST(canonical("oci-archive:/a.tar") == "oci-archive:/a.tar");
  const auto parsed = parse_image_reference("oci:/some/dir:3.11").value();
  BOOST_TEST(parsed.path.string() == "/some/dir");
  BOOST_TEST(parsed.tag == "3.11");
}

BOOST_AUTO_TEST_CASE(what_is_no_reference_is_refused) {
  for (const std::string& text : {std::string(),
                                  std::string("Python"),
                                  std::string("a//b"),
                                  std::string("a/"),
                                  std::string("/a"),
                                  std::string("a b"),
                                  std::string("a:"),
                                  std::string("a:-x"),
                                  std::string("a:b/c:d:e"),
                                  std::string("-a"),
                                  std::string("a_"),
                                  std::string("a___b"),
                                  std::string("a..b"),
                                  std::string("a@sha256:12"),
                                  std::string("a@") + kDigest + "0",
                                  std::string("a@sha512:") + std::string(128, 'a'),
                                  std::string("ex.com:port/x"),
                                  std::string("--help.com/x"),
                                  std::string("a:") + std::string(129, 't'),
                                  std::string(300, 'a'),
                                  std::string("oci:"),
                                  std::string("oci::tag"),
                                  std::string("oci:/a:"),
                                  std::string("oci:/a:b c"),
                                  std::string("a\0b", 3)}) {
    const auto parsed = parse_image_reference(text);
    BOOST_TEST(!parsed.ok(), text);
    if (!parsed) BOOST_TEST(parsed.error().message().find("image") != std::string::npos);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::image::test
