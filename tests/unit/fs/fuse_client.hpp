#pragma once

#include <backends/virtio/fs/fuse_server.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tests/support/scratch_dir.hpp>
#include <vector>

namespace capsa::virtio::fs::test {

using Bytes = std::vector<std::byte>;

/// The structures and strings of a request, one behind the other.
class Args {
 public:
  template <class T>
  Args& put(const T& value) {
    const auto bytes = std::as_bytes(std::span(&value, 1));
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  /// With its NUL.
  Args& text(std::string_view value) {
    raw(value);
    bytes_.push_back(std::byte{0});
    return *this;
  }
  Args& raw(std::string_view value) {
    const auto bytes = std::as_bytes(std::span(value));
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  const Bytes& bytes() const { return bytes_; }

 private:
  Bytes bytes_;
};

/// A whole request with its header.
Bytes make_request(std::uint32_t opcode, std::uint64_t node, const Args& args,
                   std::uint32_t uid = 0, std::uint32_t gid = 0);

struct Answer {
  bool given = false;
  int error = 0;  ///< positive
  Bytes body;

  template <class T>
  T as(std::size_t offset = 0) const {
    if (body.size() < offset + sizeof(T)) throw std::runtime_error("the reply is too short");
    T value;
    std::memcpy(&value, body.data() + offset, sizeof(T));
    return value;
  }
  std::string text() const { return {reinterpret_cast<const char*>(body.data()), body.size()}; }
};

/// Speaks FUSE to a server as a guest's kernel would. What a test needs to have succeeded throws
/// where it has not.
class FuseClient {
 public:
  static constexpr std::size_t kRoom = std::size_t{128} << 10;

  explicit FuseClient(FuseServer& server) : server_(server) {}

  /// The bytes as they are; `room` for the reply behind its header.
  Answer send(const Bytes& request, std::size_t room = kRoom);
  Answer call(std::uint32_t opcode, std::uint64_t node, const Args& args = {},
              std::size_t room = kRoom);
  void init(std::uint32_t flags = 0xFFFFFFFF);

  Answer try_lookup(std::uint64_t parent, std::string_view name);
  fuse_entry_out lookup(std::uint64_t parent, std::string_view name);
  /// By components, from the root.
  std::uint64_t walk(const std::vector<std::string>& names);
  fuse_attr getattr(std::uint64_t node);
  Answer setattr(std::uint64_t node, fuse_setattr_in in);
  Answer try_open(std::uint64_t node, std::uint32_t flags);
  std::uint64_t open(std::uint64_t node, std::uint32_t flags);
  std::uint64_t opendir(std::uint64_t node);
  Answer try_create(std::uint64_t parent, std::string_view name, std::uint32_t flags,
                    std::uint32_t mode = 0644);
  Answer read(std::uint64_t handle, std::uint64_t offset, std::uint32_t size);
  Answer write(std::uint64_t handle, std::uint64_t offset, std::string_view data,
               std::uint32_t flags = 0, std::uint32_t write_flags = 0);
  Answer release(std::uint64_t handle, bool directory = false);
  void forget(std::uint64_t node, std::uint64_t count);

  std::uint32_t uid = 0;
  std::uint32_t gid = 0;

 private:
  FuseServer& server_;
};

/// A directory tree with a share in it ("share") and a file beside it that no guest may reach
/// ("secret.txt"), a server, and an initialized client.
struct Bench {
  explicit Bench(ShareConfig config = writable());
  static ShareConfig writable();
  static ShareConfig read_only();

  std::filesystem::path share() const { return scratch.path() / "share"; }
  std::filesystem::path secret() const { return scratch.path() / "secret.txt"; }
  std::filesystem::path file(const std::string& name, const std::string& content,
                             mode_t mode = 0644) const;
  std::string content(const std::filesystem::path& name) const;
  /// Initializes a new server on the same directory.
  void restart(ShareConfig config);

  capsa::tests::ScratchDir scratch;
  std::unique_ptr<FuseServer> server;
  std::unique_ptr<FuseClient> client;
};

}  // namespace capsa::virtio::fs::test
