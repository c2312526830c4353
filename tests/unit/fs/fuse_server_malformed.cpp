#include <fcntl.h>

#include <backends/virtio/fs/protocol.hpp>
#include <boost/test/unit_test.hpp>
#include <tests/unit/fs/fuse_client.hpp>

namespace capsa::virtio::fs::test {
namespace {

constexpr std::uint32_t kLastOpcode = 60;

/// One well-formed request of every kind. None of them does anything irreversible to "a".
std::vector<Bytes> all_requests(FuseClient& client) {
  const auto node = client.walk({"a"});
  const auto file = client.open(node, O_RDWR);
  const auto directory = client.opendir(1);
  fuse_init_in init{};
  init.major = 7;
  init.minor = 38;
  fuse_read_in read{};
  read.fh = file;
  read.size = 16;
  fuse_read_in list = read;
  list.fh = directory;
  list.size = 4096;
  fuse_write_in write{};
  write.fh = file;
  write.size = 5;
  fuse_copy_file_range_in copy{};
  copy.fh_in = copy.fh_out = file;
  copy.off_out = 100;
  copy.len = 1;
  fuse_release_in release{};
  release.fh = file;
  fuse_release_in release_directory{};
  release_directory.fh = directory;
  const std::uint32_t xattr[2] = {1, 0};
  const auto put = [](const auto& value) { return Args().put(value); };
  return {
      make_request(FUSE_INIT, 0, put(init)),
      make_request(FUSE_LOOKUP, 1, Args().text("a")),
      make_request(FUSE_GETATTR, node, put(fuse_getattr_in{})),
      make_request(FUSE_SETATTR, node, put(fuse_setattr_in{})),
      make_request(FUSE_SYMLINK, 1, Args().text("l").text("target")),
      make_request(FUSE_MKNOD, 1, put(fuse_mknod_in{0100644, 0, 0, 0}).text("n")),
      make_request(FUSE_MKDIR, 1, put(fuse_mkdir_in{0755, 0}).text("d")),
      make_request(FUSE_RENAME, 1, put(fuse_rename_in{1}).text("d").text("e")),
      make_request(FUSE_RENAME2, 1, put(fuse_rename2_in{1, 0, 0}).text("e").text("d")),
      make_request(FUSE_LINK, 1, put(fuse_link_in{node}).text("h")),
      make_request(FUSE_UNLINK, 1, Args().text("h")),
      make_request(FUSE_RMDIR, 1, Args().text("d")),
      make_request(FUSE_OPEN, node, put(fuse_open_in{})),
      make_request(FUSE_CREATE, 1, put(fuse_create_in{O_RDWR, 0100644, 0, 0}).text("c")),
      make_request(FUSE_READ, node, put(read)),
      make_request(FUSE_WRITE, node, put(write).raw("hello")),
      make_request(FUSE_FLUSH, node, put(fuse_flush_in{file, 0, 0, 0})),
      make_request(FUSE_FSYNC, node, put(fuse_fsync_in{file, 0, 0})),
      make_request(FUSE_FALLOCATE, node, put(fuse_fallocate_in{file, 0, 1, 0, 0})),
      make_request(FUSE_LSEEK, node, put(fuse_lseek_in{file, 0, 3, 0})),
      make_request(FUSE_COPY_FILE_RANGE, node, put(copy)),
      make_request(FUSE_OPENDIR, 1, put(fuse_open_in{})),
      make_request(FUSE_READDIR, 1, put(list)),
      make_request(FUSE_READDIRPLUS, 1, put(list)),
      make_request(FUSE_FSYNCDIR, 1, put(fuse_fsync_in{directory, 0, 0})),
      make_request(FUSE_ACCESS, node, put(fuse_access_in{})),
      make_request(FUSE_SETXATTR, node, put(xattr).text("user.a").raw("v")),
      make_request(FUSE_GETXATTR, node, put(fuse_getxattr_in{10, 0}).text("user.a")),
      make_request(FUSE_LISTXATTR, node, put(fuse_getxattr_in{100, 0})),
      make_request(FUSE_REMOVEXATTR, node, Args().text("user.a")),
      make_request(FUSE_RELEASE, node, put(release)),
      make_request(FUSE_RELEASEDIR, 1, put(release_directory)),
      make_request(FUSE_FORGET, 999, put(fuse_forget_in{1})),
  };
}

void set_length(Bytes& request) {
  const auto length = static_cast<std::uint32_t>(request.size());
  if (request.size() >= sizeof(length)) std::memcpy(request.data(), &length, sizeof(length));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(fs_fuse_server_malformed)

BOOST_AUTO_TEST_CASE(a_request_cut_at_any_byte_is_refused) {
  Bench bench;
  bench.file("a", "hello");
  for (const bool honest_length : {true, false}) {
    // INIT, the first of them, forgets what the others are about; but arguments come before nodes.
    for (const Bytes& whole : all_requests(*bench.client)) {
      std::uint32_t opcode = 0;
      std::memcpy(&opcode, whole.data() + 4, 4);
      for (std::size_t length = 0; length < whole.size(); ++length) {
        Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
        if (honest_length) set_length(cut);
        const Answer answer = bench.client->send(cut);
        // The short INIT of older kernels is whole, too.
        const bool is_whole = honest_length && opcode == FUSE_INIT && length >= 56;
        if (length < sizeof(fuse_in_header) || opcode == FUSE_FORGET) {
          BOOST_TEST(!answer.given, opcode << " cut at " << length);
        } else if (!is_whole) {
          BOOST_TEST(answer.error == EINVAL, opcode << " cut at " << length);
        }
      }
    }
  }
  BOOST_TEST(bench.content("a") == "hello");
}

BOOST_AUTO_TEST_CASE(whole_requests_of_every_kind_succeed) {
  Bench bench;
  bench.file("a", "hello");
  const auto requests = all_requests(*bench.client);
  for (auto request = requests.begin() + 1; request != requests.end(); ++request) {
    std::uint32_t opcode = 0;
    std::memcpy(&opcode, request->data() + 4, 4);
    BOOST_TEST(bench.client->send(*request).error == 0, opcode);
  }
}

BOOST_AUTO_TEST_CASE(a_request_longer_than_any_can_be_is_refused) {
  Bench bench;
  const Answer answer =
      bench.client->call(FUSE_SETXATTR, 1, Args().raw(std::string(kMaxRequestBytes, 'x')));
  BOOST_TEST(answer.error == E2BIG);
}

BOOST_AUTO_TEST_CASE(nodes_and_handles_out_of_thin_air_are_refused) {
  Bench bench;
  bench.file("a", "");
  for (std::uint32_t opcode = 1; opcode < kLastOpcode; ++opcode) {
    if (opcode == FUSE_INIT || opcode == FUSE_DESTROY || opcode == FUSE_SYNCFS) continue;
    for (const std::uint64_t node : {0ULL, 2ULL, 0x8000'0000'0000'0000ULL, ~0ULL}) {
      for (const char fill : {'\0', '\x01', '\xff'}) {
        for (const std::size_t length : {0U, 8U, 16U, 40U, 56U, 88U, 200U}) {
          const Answer answer =
              bench.client->call(opcode, node, Args().raw(std::string(length, fill)));
          if (answer.given) BOOST_TEST(answer.error != 0, opcode);
        }
      }
    }
  }
  BOOST_TEST(bench.server->known_inodes() == 1U);
  BOOST_TEST(bench.server->open_handles() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::virtio::fs::test
