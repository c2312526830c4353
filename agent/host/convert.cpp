#include <agent/host/convert.hpp>
#include <agent/limits.hpp>
#include <algorithm>

namespace capsa::agent {

namespace {

constexpr std::size_t kMaxText = 4096;    // one message, one name: PATH_MAX
constexpr int kMaxListed = 4096;          // addresses, disks
constexpr std::int32_t kMaxErrno = 4095;  // MAX_ERRNO of Linux

std::string cut(const std::string& guest_text) {
  return guest_text.substr(0, kMaxText);
}

bool has_nul(const std::string& text) {
  return text.find('\0') != std::string::npos;
}

error invalid(std::string message, std::string hint) {
  return {ErrorCode::InvalidConfig, std::move(message), std::move(hint)};
}

error nul_inside(const char* field) {
  return invalid(std::string(field) + " contains a NUL byte",
                 "programs and paths in the guest cannot hold one");
}

}  // namespace

std::string printable(const std::string& guest_text) {
  std::string text = guest_text.substr(0, kMaxText);
  std::replace_if(
      text.begin(), text.end(),
      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
  return text;
}

result<void> check_path(const std::string& path) {
  if (path.empty()) return invalid("the path in the guest is empty", "give an absolute path");
  if (has_nul(path)) return nul_inside("the path");
  return {};
}

result<void> to_wire(const ExecSpec& spec, wire::Exec& out) {
  if (spec.argv.empty() == spec.shell.empty())
    return invalid(spec.argv.empty() ? "the command is empty" : "both argv and shell are given",
                   "give either argv (a program and its arguments) or one shell line");
  if (!spec.argv.empty() && spec.argv.front().empty())
    return invalid("the program's name (argv[0]) is empty", "name a program or a path to one");
  for (const auto& arg : spec.argv) {
    if (has_nul(arg)) return nul_inside("an argument");
    out.add_argv(arg);
  }
  if (has_nul(spec.shell)) return nul_inside("the shell line");
  out.set_shell(spec.shell);
  for (const auto& [name, value] : spec.env) {
    if (name.empty() || name.find('=') != std::string::npos)
      return invalid("\"" + printable(name) + "\" is no name of an environment variable",
                     "names are not empty and have no '='");
    if (has_nul(name) || has_nul(value)) return nul_inside("an environment variable");
    auto& var = *out.add_env();
    var.set_name(name);
    var.set_value(value);
  }
  out.set_clear_env(spec.clear_env);
  if (has_nul(spec.working_dir)) return nul_inside("the working directory");
  out.set_working_dir(spec.working_dir);
  if (has_nul(spec.user)) return nul_inside("the user");
  out.set_user(spec.user);
  out.set_stdin_open(spec.stdin_open);
  out.set_merge_stderr(spec.merge_stderr);
  if (has_nul(spec.terminal)) return nul_inside("the terminal's name");
  out.set_terminal(spec.terminal);
  if (spec.pty) {  // with a terminal, its size
    out.mutable_pty()->set_rows(spec.pty->rows);
    out.mutable_pty()->set_cols(spec.pty->cols);
  }
  if (spec.timeout) {
    if (spec.timeout->count() <= 0)
      return invalid("the time-out of " + std::to_string(spec.timeout->count()) + " ms is over",
                     "give a positive time-out, or none");
    out.set_timeout_ms(static_cast<std::uint64_t>(spec.timeout->count()));
  }
  return {};
}

result<void> to_wire(const SetupSpec& spec, wire::Setup& out) {
  if (has_nul(spec.hostname)) return nul_inside("the host name");
  out.set_hostname(spec.hostname);
  for (const auto& mount : spec.mounts) {
    if (mount.target.empty() || mount.target.front() != '/')
      return invalid("the mount point \"" + printable(mount.target) + "\" is not absolute",
                     "mount points in the guest start with '/'");
    if (has_nul(mount.source) || has_nul(mount.target) || has_nul(mount.type) ||
        has_nul(mount.options))
      return nul_inside("a mount");
    auto& wire_mount = *out.add_mounts();
    wire_mount.set_source(mount.source);
    wire_mount.set_target(mount.target);
    wire_mount.set_type(mount.type);
    wire_mount.set_read_only(mount.read_only);
    wire_mount.set_options(mount.options);
  }
  if (has_nul(spec.new_root)) return nul_inside("the new root");
  out.set_new_root(spec.new_root);
  for (const auto& card : spec.interfaces) {
    if (has_nul(card.mac) || has_nul(card.address) || has_nul(card.gateway))
      return nul_inside("a network card's address");
    auto& wire_card = *out.add_interfaces();
    wire_card.set_mac(card.mac);
    wire_card.set_address(card.address);
    wire_card.set_prefix(card.prefix);
    wire_card.set_gateway(card.gateway);
  }
  for (const auto& resolver : spec.resolvers) {
    if (has_nul(resolver)) return nul_inside("a resolver's address");
    out.add_resolvers(resolver);
  }
  return {};
}

GuestInfo from_wire(const wire::Info& info) {
  GuestInfo out;
  out.agent_version = cut(info.agent_version());
  out.kernel_release = cut(info.kernel_release());
  out.kernel_version = cut(info.kernel_version());
  out.machine = cut(info.machine());
  out.hostname = cut(info.hostname());
  out.cpus = info.cpus();
  out.memory_total_bytes = info.memory_total();
  out.memory_free_bytes = info.memory_free();
  out.memory_available_bytes = info.memory_available();
  // Half the range: sums of two of them do not overflow.
  out.uptime = std::chrono::milliseconds(std::min<std::uint64_t>(info.uptime_ms(), INT64_MAX / 2));
  for (int i = 0; i < std::min(info.addresses_size(), kMaxListed); ++i) {
    const auto& address = info.addresses(i);
    out.addresses.push_back(
        {cut(address.interface()), cut(address.address()), address.prefix_len()});
  }
  for (int i = 0; i < std::min(info.disks_size(), kMaxListed); ++i) {
    const auto& disk = info.disks(i);
    out.disks.push_back(
        {cut(disk.name()), disk.size_bytes(), disk.read_only(), cut(disk.serial())});
  }
  return out;
}

FileStat from_wire(const wire::FileStat& stat) {
  FileStat out;
  switch (stat.kind()) {
    case wire::FileStat::REGULAR:
      out.kind = FileKind::Regular;
      break;
    case wire::FileStat::DIRECTORY:
      out.kind = FileKind::Directory;
      break;
    case wire::FileStat::SYMLINK:
      out.kind = FileKind::Symlink;
      break;
    case wire::FileStat::CHAR_DEVICE:
      out.kind = FileKind::CharDevice;
      break;
    case wire::FileStat::BLOCK_DEVICE:
      out.kind = FileKind::BlockDevice;
      break;
    case wire::FileStat::FIFO:
      out.kind = FileKind::Fifo;
      break;
    case wire::FileStat::SOCKET:
      out.kind = FileKind::Socket;
      break;
    default:
      break;
  }
  out.mode = stat.mode() & 07777;
  out.size = stat.size();
  out.uid = stat.uid();
  out.gid = stat.gid();
  out.inode = stat.inode();
  out.links = stat.links();
  out.mtime = std::chrono::nanoseconds(stat.mtime_ns());
  out.link_target = cut(stat.link_target());
  return out;
}

ExitStatus from_wire(const wire::ExitStatus& status) {
  // As wide as the kernel makes them, whatever the guest says: callers compute with these.
  return {status.code() & 0xff, status.signal() & 0x7f, status.timed_out()};
}

error to_error(const TreeFailure& failure) {
  // Names may be the guest's.
  const auto message = printable(failure.message);
  switch (failure.kind) {
    case TreeFailure::Kind::System:
      return error_from_errno(failure.number, message);
    case TreeFailure::Kind::Unsupported:
      return {ErrorCode::UnsupportedFeature, message,
              "only files, directories and links are copied, up to " +
                  std::to_string(kMaxTreeDepth) + " directories deep"};
    case TreeFailure::Kind::Limit:
      return {ErrorCode::ResourceExhausted, message,
              "raise max_entries or max_bytes of the CopyOptions"};
    case TreeFailure::Kind::Malformed:
      break;
  }
  return {ErrorCode::AgentProtocol, "the guest sends what is no tree of files: " + message,
          "the agent in the guest is defective or not ours; rebuild the guest"};
}

error from_wire(const wire::Error& guest_error) {
  std::string message = printable(guest_error.message());
  switch (guest_error.kind()) {
    case wire::Error::KIND_CANCELED:
      return {ErrorCode::Canceled, std::move(message)};
    case wire::Error::KIND_LIMIT:
      return {ErrorCode::ResourceExhausted, std::move(message), "wait for running requests to end"};
    case wire::Error::KIND_UNSUPPORTED:
      return {ErrorCode::UnsupportedFeature, std::move(message)};
    case wire::Error::KIND_DENIED:
      return {ErrorCode::PermissionDenied, std::move(message)};
    case wire::Error::KIND_INVALID:
      return {ErrorCode::InvalidConfig, std::move(message)};
    case wire::Error::KIND_VERSION:
    case wire::Error::KIND_PROTOCOL:
      return {ErrorCode::AgentProtocol, std::move(message)};
    default:
      return {ErrorCode::GuestError,
              std::move(message),
              {},
              std::clamp(guest_error.guest_errno(), 0, kMaxErrno)};
  }
}

}  // namespace capsa::agent
