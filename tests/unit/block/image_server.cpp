#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <backends/block/image_server.hpp>
#include <boost/test/unit_test.hpp>
#include <tests/support/scratch_dir.hpp>

namespace capsa::block::test {
namespace {

std::string command_line(const ImageServerConfig& config) {
  std::string line;
  const auto command = image_server_command(config, "/run/vm", "root").value();
  for (const auto& one : command.arguments)
    line += one + "\n";
  return line;
}

bool has(const std::string& line, std::string_view part) {
  return line.find(part) != std::string::npos;
}

bool refused(const ImageServerConfig& config, const std::filesystem::path& directory = "/run/vm",
             const std::string& name = "root") {
  const auto made = image_server_command(config, directory, name);
  return !made.ok() && made.error().code() == ErrorCode::InvalidConfig;
}

/// The beginning of a qcow2 file.
std::string qcow2_header(char version, bool backing, char incompatible) {
  std::string header(104, '\0');
  header.replace(0, 4, "QFI\xfb");
  header[7] = version;
  if (backing) header[15] = 104;
  header[79] = incompatible;
  return header;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(block_image_server)

BOOST_AUTO_TEST_CASE(the_format_is_said_and_no_backing_image_is_looked_for) {
  const auto line = command_line({.image = "/images/a.qcow2"});
  BOOST_TEST(has(line, "driver=file,node-name=image-file,filename=/images/a.qcow2,read-only=off"));
  BOOST_TEST(has(line, R"("driver":"qcow2")"));
  BOOST_TEST(has(line, R"("backing":null)"));
  BOOST_TEST(has(line, R"("discard":"unmap","detect-zeroes":"off")"));
  BOOST_TEST(has(line, "addr.type=fd,addr.str=3"));
  BOOST_TEST(has(line, "writable=on"));
  BOOST_TEST(has(line, "aio=threads"));
  BOOST_TEST(!has(command_line({.image = "/a", .format = ImageFormat::Raw}), "backing"));
}

BOOST_AUTO_TEST_CASE(a_read_only_image_is_so_at_every_level) {
  const auto line = command_line({.image = "/images/a.qcow2", .read_only = true});
  BOOST_TEST(has(line, "read-only=on"));
  BOOST_TEST(has(line, R"("read-only":true)"));
  BOOST_TEST(has(line, "writable=off"));
  BOOST_TEST(!has(line, ",read-only=off"));
}

BOOST_AUTO_TEST_CASE(a_comma_in_a_path_stays_in_it) {
  BOOST_TEST(has(command_line({.image = "/a,read-only=on,b"}), "filename=/a,,read-only=on,,b,"));
}

BOOST_AUTO_TEST_CASE(backing_images_are_opened_as_told_and_read_only) {
  const auto line =
      command_line({.image = "/top.qcow2",
                    .backing = {{"/mid", ImageFormat::Qcow2}, {"/base", ImageFormat::Raw}}});
  BOOST_TEST(has(line, "node-name=backing2-file,filename=/base,read-only=on"));
  BOOST_TEST(has(line, "node-name=backing1-file,filename=/mid,read-only=on"));
  BOOST_TEST(has(line, R"("backing":"backing2")"));
  BOOST_TEST(has(line, R"("backing":"backing1")"));
  BOOST_TEST(line.find("backing2-file,") < line.find("backing1-file,"));
}

BOOST_AUTO_TEST_CASE(what_is_thrown_away_is_not_flushed_and_what_is_locked_not_locked_again) {
  const auto overlay = command_line({.image = image_of_descriptor(),
                                     .backing = {{"/base", ImageFormat::Raw, false}},
                                     .throw_away = true});
  BOOST_TEST(has(overlay, "node-name=image-file,filename=/proc/self/fd/4,read-only=off"));
  BOOST_TEST(has(overlay,
                 "node-name=backing1-file,filename=/base,read-only=on,auto-read-only=off,"
                 "discard=unmap,cache.direct=off,cache.no-flush=on,locking=off"));
  BOOST_TEST(has(overlay, R"("no-flush":true)"));
  BOOST_TEST(!has(overlay, R"("no-flush":false)"));
  const auto kept = command_line({.image = "/a", .backing = {{"/b", ImageFormat::Raw}}});
  BOOST_TEST(!has(kept, "locking=off"));
  BOOST_TEST(!has(kept, "no-flush=on"));
}

BOOST_AUTO_TEST_CASE(what_makes_no_sense_is_refused) {
  BOOST_TEST(refused({.image = "relative"}));
  BOOST_TEST(refused({.image = "/a", .backing = {{"relative", ImageFormat::Raw}}}));
  BOOST_TEST(
      refused({.image = "/a", .format = ImageFormat::Vdi, .backing = {{"/b", ImageFormat::Raw}}}));
  BOOST_TEST(refused({.image = "/a"}, "/" + std::string(100, 'd')));
  BOOST_TEST(refused({.image = "/a"}, "/run", "x/y"));
  BOOST_TEST(refused({.image = "/a"}, "/run", ""));
}

BOOST_AUTO_TEST_CASE(the_socket_is_for_this_user_only) {
  const tests::ScratchDir directory;
  const auto path = directory.path() / "s";
  const auto listener = listen_for_image_server(path);
  BOOST_REQUIRE(listener.ok());
  struct stat status {};
  BOOST_REQUIRE(::stat(path.c_str(), &status) == 0);
  BOOST_TEST((status.st_mode & 0777) == 0600U);
  BOOST_TEST(!listen_for_image_server(path).ok());
  BOOST_TEST(!listen_for_image_server("/" + std::string(108, 'd')).ok());
}

BOOST_AUTO_TEST_CASE(an_image_that_names_other_files_is_refused) {
  const tests::ScratchDir directory;
  const auto ok = [&](const std::string& header, bool backing_given) {
    return check_image(directory.file("i", header), ImageFormat::Qcow2, backing_given).ok();
  };
  BOOST_TEST(ok(qcow2_header(3, false, 0), false));
  BOOST_TEST(!ok(qcow2_header(3, true, 0), false));
  BOOST_TEST(ok(qcow2_header(3, true, 0), true));
  BOOST_TEST(!ok(qcow2_header(3, false, 4), true));
  BOOST_TEST(ok(qcow2_header(2, false, 4), false));  // no such field then
  BOOST_TEST(!ok("QFI\xfb", false));
  BOOST_TEST(!ok(std::string(104, 'x'), false));
  BOOST_TEST(check_image("/absent", ImageFormat::Raw, false).ok());
  BOOST_CHECK(check_image("/absent", ImageFormat::Qcow2, false).error().code() ==
              ErrorCode::NotFound);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::block::test
