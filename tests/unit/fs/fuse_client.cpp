#include <fcntl.h>

#include <algorithm>
#include <tests/unit/fs/fuse_client.hpp>

namespace capsa::virtio::fs::test {
namespace {

constexpr std::uint64_t kUnique = 0x1122334455667788;

Answer required(Answer answer, const char* what) {
  if (answer.error != 0) {
    throw std::runtime_error(std::string(what) + ": errno " + std::to_string(answer.error));
  }
  return answer;
}

/// Two pieces of unequal size, so that everything crosses a border.
std::vector<iovec> pieces_of(std::span<std::byte> bytes) {
  const std::size_t first = bytes.size() / 3;
  return {{bytes.data(), first}, {bytes.data() + first, bytes.size() - first}};
}

}  // namespace

Bytes make_request(std::uint32_t opcode, std::uint64_t node, const Args& args, std::uint32_t uid,
                   std::uint32_t gid) {
  fuse_in_header header{};
  header.len = static_cast<std::uint32_t>(sizeof(header) + args.bytes().size());
  header.opcode = opcode;
  header.unique = kUnique;
  header.nodeid = node;
  header.uid = uid;
  header.gid = gid;
  Args whole;
  whole.put(header);
  Bytes bytes = whole.bytes();
  bytes.insert(bytes.end(), args.bytes().begin(), args.bytes().end());
  return bytes;
}

Answer FuseClient::send(const Bytes& request, std::size_t room) {
  std::uint32_t opcode = 0;
  if (request.size() >= sizeof(fuse_in_header)) std::memcpy(&opcode, request.data() + 4, 4);
  const std::size_t copied = copied_bytes(opcode, request.size());
  Bytes payload(request.begin() + static_cast<std::ptrdiff_t>(copied), request.end());
  // Not cleared: most replies use little of it.
  const auto out = std::make_unique_for_overwrite<std::byte[]>(room);
  const auto data_in = pieces_of(payload);
  const auto data_out = pieces_of({out.get(), room});
  // A copy of its own, so that a sanitizer sees reads beyond the end.
  const Bytes front(request.begin(), request.begin() + static_cast<std::ptrdiff_t>(copied));
  const FuseReply reply = server_.handle({front, data_in, data_out, true});
  Answer answer;
  if (!reply.header) return answer;
  answer.given = true;
  answer.error = -reply.header->error;
  if (reply.header->unique != kUnique) throw std::runtime_error("a reply to another request");
  if (reply.header->len < sizeof(fuse_out_header) ||
      reply.header->len - sizeof(fuse_out_header) > room) {
    throw std::runtime_error("a reply of impossible length");
  }
  answer.body.assign(reply.body.begin(), reply.body.end());
  const std::size_t length = reply.header->len - sizeof(fuse_out_header);
  if (answer.body.empty()) {
    answer.body.assign(out.get(), out.get() + length);
  }
  if (answer.body.size() != length) throw std::runtime_error("a reply whose length is not its own");
  return answer;
}

Answer FuseClient::call(std::uint32_t opcode, std::uint64_t node, const Args& args,
                        std::size_t room) {
  return send(make_request(opcode, node, args, uid, gid), room);
}

void FuseClient::init(std::uint32_t flags) {
  fuse_init_in in{};
  in.major = 7;
  in.minor = 38;
  in.flags = flags & ~(1U << 31);
  required(call(FUSE_INIT, 0, Args().put(in)), "init");
}

Answer FuseClient::try_lookup(std::uint64_t parent, std::string_view name) {
  return call(FUSE_LOOKUP, parent, Args().text(name));
}

fuse_entry_out FuseClient::lookup(std::uint64_t parent, std::string_view name) {
  return required(try_lookup(parent, name), "lookup").as<fuse_entry_out>();
}

std::uint64_t FuseClient::walk(const std::vector<std::string>& names) {
  std::uint64_t node = FUSE_ROOT_ID;
  for (const auto& name : names)
    node = lookup(node, name).nodeid;
  return node;
}

fuse_attr FuseClient::getattr(std::uint64_t node) {
  return required(call(FUSE_GETATTR, node, Args().put(fuse_getattr_in{})), "getattr")
      .as<fuse_attr_out>()
      .attr;
}

Answer FuseClient::setattr(std::uint64_t node, fuse_setattr_in in) {
  return call(FUSE_SETATTR, node, Args().put(in));
}

Answer FuseClient::try_open(std::uint64_t node, std::uint32_t flags) {
  return call(FUSE_OPEN, node, Args().put(fuse_open_in{flags, 0}));
}

std::uint64_t FuseClient::open(std::uint64_t node, std::uint32_t flags) {
  return required(try_open(node, flags), "open").as<fuse_open_out>().fh;
}

std::uint64_t FuseClient::opendir(std::uint64_t node) {
  return required(call(FUSE_OPENDIR, node, Args().put(fuse_open_in{O_RDONLY, 0})), "opendir")
      .as<fuse_open_out>()
      .fh;
}

Answer FuseClient::try_create(std::uint64_t parent, std::string_view name, std::uint32_t flags,
                              std::uint32_t mode) {
  return call(FUSE_CREATE, parent,
              Args().put(fuse_create_in{flags, S_IFREG | mode, 0, 0}).text(name));
}

Answer FuseClient::read(std::uint64_t handle, std::uint64_t offset, std::uint32_t size) {
  fuse_read_in in{};
  in.fh = handle;
  in.offset = offset;
  in.size = size;
  constexpr std::size_t kMost = std::size_t{2} << 20;
  return call(FUSE_READ, FUSE_ROOT_ID, Args().put(in), std::clamp<std::size_t>(size, kRoom, kMost));
}

Answer FuseClient::write(std::uint64_t handle, std::uint64_t offset, std::string_view data,
                         std::uint32_t flags, std::uint32_t write_flags) {
  fuse_write_in in{};
  in.fh = handle;
  in.offset = offset;
  in.size = static_cast<std::uint32_t>(data.size());
  in.flags = flags;
  in.write_flags = write_flags;
  return call(FUSE_WRITE, FUSE_ROOT_ID, Args().put(in).raw(data));
}

Answer FuseClient::release(std::uint64_t handle, bool directory) {
  fuse_release_in in{};
  in.fh = handle;
  return call(directory ? FUSE_RELEASEDIR : FUSE_RELEASE, FUSE_ROOT_ID, Args().put(in));
}

void FuseClient::forget(std::uint64_t node, std::uint64_t count) {
  call(FUSE_FORGET, node, Args().put(fuse_forget_in{count}));
}

ShareConfig Bench::writable() {
  ShareConfig config;
  config.tag = "share";
  config.read_only = false;
  return config;
}

ShareConfig Bench::read_only() {
  ShareConfig config = writable();
  config.read_only = true;
  return config;
}

Bench::Bench(ShareConfig config) {
  std::filesystem::create_directory(share());
  std::ofstream(secret()) << "secret";
  restart(std::move(config));
}

void Bench::restart(ShareConfig config) {
  config.host_path = share();
  server = FuseServer::create(config).value();
  client = std::make_unique<FuseClient>(*server);
  client->init();
}

std::filesystem::path Bench::file(const std::string& name, const std::string& content,
                                  mode_t mode) const {
  const auto where = share() / name;
  std::ofstream(where, std::ios::binary) << content;
  ::chmod(where.c_str(), mode);
  return where;
}

std::string Bench::content(const std::filesystem::path& name) const {
  std::ifstream in(share() / name, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace capsa::virtio::fs::test
