#include <signal.h>

#include <actors/facade/image_sandbox.hpp>
#include <boost/test/unit_test.hpp>

namespace capsa::facade::test {
namespace {

Image image_with(ImageConfig config) {
  if (config.stop_signal.empty()) config.stop_signal = "SIGTERM";
  Image image;
  image.reference = "it";
  image.config = std::move(config);
  image.layers = {{"sha256:1", "/layers/1", 4096}, {"sha256:2", "/layers/2", 4096}};
  return image;
}

using Words = std::vector<std::string>;

/// What runs where the user gives these arguments.
Words command(ImageConfig config, Words arguments) {
  ExecSpec exec;
  exec.argv = std::move(arguments);
  BOOST_REQUIRE(apply_image(image_with(std::move(config)), exec).ok());
  return exec.argv;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(image_sandbox)

BOOST_AUTO_TEST_CASE(arguments_follow_the_entrypoint_in_place_of_the_images_command) {
  const ImageConfig both{.entrypoint = {"/init"}, .command = {"serve"}};
  BOOST_CHECK((command(both, {}) == Words{"/init", "serve"}));
  BOOST_CHECK((command(both, {"help", "me"}) == Words{"/init", "help", "me"}));
  BOOST_CHECK((command({.command = {"sh"}}, {}) == Words{"sh"}));
  BOOST_CHECK((command({.command = {"sh"}}, {"id"}) == Words{"id"}));
  BOOST_CHECK((command({}, {}).empty()));
}

BOOST_AUTO_TEST_CASE(what_the_user_says_goes_before_what_the_image_says) {
  const auto image = image_with({.environment = {"A=image=x", "B=image"},
                                 .user = "app",
                                 .working_dir = "/srv",
                                 .volumes = {"/data"}});
  ExecSpec exec;
  exec.env["B"] = "user";
  auto root = apply_image(image, exec).value();
  BOOST_TEST(exec.env["A"] == "image=x");
  BOOST_TEST(exec.env["B"] == "user");
  BOOST_TEST(exec.user == "app");
  BOOST_TEST(exec.working_dir == "/srv");
  BOOST_CHECK((root.directories == Words{"/data", "/srv"}));
  BOOST_TEST(root.layers.size() == 2U);
  BOOST_TEST(root.layers[0] == "/layers/1");

  ExecSpec own;
  own.user = "root";
  own.working_dir = "/mine";
  root = apply_image(image, own).value();
  BOOST_TEST(own.user == "root");
  BOOST_CHECK((root.directories == Words{"/data", "/mine"}));

  ExecSpec bare;
  BOOST_TEST(apply_image(image_with({}), bare).value().directories.empty());
  BOOST_TEST(bare.working_dir == "/");
}

BOOST_AUTO_TEST_CASE(a_shell_line_takes_the_place_of_all_that_would_run) {
  ExecSpec exec;
  exec.shell = "true";
  BOOST_REQUIRE(apply_image(image_with({.entrypoint = {"/init"}}), exec).ok());
  BOOST_TEST(exec.argv.empty());
}

BOOST_AUTO_TEST_CASE(stop_signals_are_names_or_numbers) {
  const auto number = [](const std::string& text) {
    ExecSpec exec;
    const auto root = apply_image(image_with({.stop_signal = text}), exec);
    return root ? root->stop_signal : -1;
  };
  BOOST_TEST(number("") == SIGTERM);
  BOOST_TEST(number("SIGQUIT") == SIGQUIT);
  BOOST_TEST(number("QUIT") == SIGQUIT);
  BOOST_TEST(number("3") == 3);
  BOOST_TEST(number("SIGRTMIN+3") == SIGRTMIN + 3);
  BOOST_TEST(number("SIGRTMIN") == SIGRTMIN);
  for (const std::string bad : {"0", "-1", "65", "SIGNOTHING", "SIGRTMIN+99", "quit", "SIG", "3x"})
    BOOST_TEST(number(bad) == -1, bad);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::facade::test
