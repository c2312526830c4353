#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

/// \file
/// Values that go to and come from the agent in a guest. All are plain: copyable, comparable, and
/// free of any engine type. Whatever the guest fills in (names, numbers, text) is the guest's word
/// and may be a lie; it is bounded in size, and nothing more is promised about it.

namespace capsa {

/// Size of a terminal in characters.
struct PtySize {
  std::uint16_t rows = 24;  ///< lines
  std::uint16_t cols = 80;  ///< characters of a line
  bool operator==(const PtySize&) const = default;
};

/// How a program in the guest ended.
struct ExitStatus {
  int code = 0;            ///< what it gave to exit(3), 0 to 255; 0 where a signal ended it
  int signal = 0;          ///< the signal that ended it, see signal(7); 0 where none did
  bool timed_out = false;  ///< its time-out passed and it was told to end

  /// It gave 0, and nothing ended it before.
  bool success() const noexcept { return code == 0 && signal == 0 && !timed_out; }
  /// What a shell puts in `$?`: the code, or 128 + signal.
  int shell_status() const noexcept { return signal != 0 ? 128 + signal : code; }
  bool operator==(const ExitStatus&) const = default;
};

/// A program to run in the guest. Exactly one of `argv` and `shell` is given.
struct ExecSpec {
  std::vector<std::string> argv;  ///< program and arguments; looked up in PATH if without a slash
  std::string shell;              ///< a line for `/bin/sh -c`
  /// Added to the defaults (PATH, HOME, USER, LOGNAME, SHELL, and TERM with a terminal), or the
  /// whole environment with `clear_env`.
  std::map<std::string, std::string> env;
  bool clear_env = false;      ///< `env` is all that it gets
  std::string working_dir;     ///< empty: the user's home if there is one, else /
  std::string user;            ///< name, uid, or either with `:group`; empty: root
  bool stdin_open = false;     ///< false: the program reads end-of-file at once
  bool merge_stderr = false;   ///< standard error goes where standard output goes, in order
  std::optional<PtySize> pty;  ///< run on a terminal: one output stream, job control
  /// A terminal device of the guest (e.g. "/dev/hvc0") that becomes the program's controlling
  /// terminal, input and output; nothing is streamed then. Empty: none. With `pty` that is its
  /// size.
  std::string terminal;
  /// Longest run time: then SIGTERM to its session, SIGKILL two seconds later.
  std::optional<std::chrono::milliseconds> timeout;

  /// A program and its arguments, `argv`.
  static ExecSpec command(std::vector<std::string> argv_of_program) {
    ExecSpec spec;
    spec.argv = std::move(argv_of_program);
    return spec;
  }
  /// A line for the guest's /bin/sh, `shell`.
  static ExecSpec shell_line(std::string line) {
    ExecSpec spec;
    spec.shell = std::move(line);
    return spec;
  }
  bool operator==(const ExecSpec&) const = default;
};

/// An address of a network interface in the guest.
struct GuestAddress {
  std::string interface;    ///< e.g. "eth0"
  std::string address;      ///< e.g. "10.0.2.15" or "fe80::1"
  unsigned prefix_len = 0;  ///< bits of the network part
  bool operator==(const GuestAddress&) const = default;
};

/// A block device in the guest.
struct GuestDisk {
  std::string name;              ///< e.g. "vda"
  std::uint64_t size_bytes = 0;  ///< as the kernel knows it
  bool read_only = false;        ///< the device refuses writes
  std::string serial;            ///< empty where the device has none
  bool operator==(const GuestDisk&) const = default;
};

/// What the guest says about itself.
struct GuestInfo {
  std::string agent_version;                 ///< of the program, as "0.1.0"
  std::string kernel_release;                ///< uname -r
  std::string kernel_version;                ///< uname -v
  std::string machine;                       ///< uname -m
  std::string hostname;                      ///< uname -n
  unsigned cpus = 0;                         ///< online
  std::uint64_t memory_total_bytes = 0;      ///< what its kernel has to give, less than the VM's
  std::uint64_t memory_free_bytes = 0;       ///< used for nothing, not even as a cache
  std::uint64_t memory_available_bytes = 0;  ///< free, or freed as soon as somebody needs it
  std::chrono::milliseconds uptime{0};       ///< since its kernel booted
  std::vector<GuestAddress> addresses;       ///< of all interfaces, the loopback's included
  std::vector<GuestDisk> disks;              ///< by name, without loop and RAM disks
  bool operator==(const GuestInfo&) const = default;
};

/// What a file is (inode(7)).
enum class FileKind : std::uint8_t {
  Regular,
  Directory,
  Symlink,
  CharDevice,
  BlockDevice,
  Fifo,
  Socket,
  Unknown,
};

/// stat(2) of a file in the guest.
struct FileStat {
  FileKind kind = FileKind::Unknown;  ///< Symlink only where links are not followed
  std::uint32_t mode = 0;             ///< permission bits, with set-id and sticky
  std::uint64_t size = 0;             ///< bytes
  std::uint32_t uid = 0;              ///< owner, as a number of the guest
  std::uint32_t gid = 0;              ///< group, as a number of the guest
  std::uint64_t inode = 0;            ///< unique in its file system
  std::uint64_t links = 0;            ///< names that it has
  std::chrono::nanoseconds mtime{0};  ///< since 1970-01-01 00:00 UTC
  std::string link_target;            ///< what a symlink says
  bool operator==(const FileStat&) const = default;
};

/// One name in a directory; "." and ".." are none.
struct DirEntry {
  std::string name;  ///< bytes as the guest has them; not necessarily UTF-8
  FileStat stat;     ///< of the entry itself: a symlink is not followed
  bool operator==(const DirEntry&) const = default;
};

/// What is read of a file.
struct ReadFileOptions {
  std::uint64_t offset = 0;             ///< bytes from the start
  std::optional<std::uint64_t> length;  ///< at most so many bytes; none: to the end
  bool operator==(const ReadFileOptions&) const = default;
};

/// How a file is written.
struct WriteFileOptions {
  /// Permission bits. None: those of the file that is there, else 0644.
  std::optional<std::uint32_t> mode;
  /// False: the file is replaced in one step once all bytes are on disk; until then, and if
  /// anything fails, its old content stays. True: bytes are added at the end as they come.
  bool append = false;
  bool create_parents = false;  ///< make missing directories, 0755
  bool sync = true;             ///< fsync(2) before the operation counts as done
  bool operator==(const WriteFileOptions&) const = default;
};

/// How AgentClient::copy_to and copy_from copy. The limits hold for each copy: one from a guest
/// that is not trusted must not fill the host.
struct CopyOptions {
  /// Device nodes, pipes and sockets are left out and counted; false: the first one ends the copy
  /// with UnsupportedFeature.
  bool skip_special = false;
  /// Files, directories and links, those left out included; more is ResourceExhausted.
  std::uint64_t max_entries = 1'000'000;
  /// Bytes of all files together; more is ResourceExhausted.
  std::uint64_t max_bytes = std::uint64_t{64} << 30;
  bool operator==(const CopyOptions&) const = default;
};

/// What a copy has carried.
struct CopyStats {
  std::uint64_t files = 0;        ///< regular ones
  std::uint64_t directories = 0;  ///< the one that was named included
  std::uint64_t symlinks = 0;     ///< made anew, wherever they point
  std::uint64_t skipped = 0;      ///< see CopyOptions::skip_special
  std::uint64_t bytes = 0;        ///< of the files
  bool operator==(const CopyStats&) const = default;
};

/// A file system to mount in the guest.
struct MountSpec {
  std::string source;             ///< a virtio-fs tag, or whatever the type takes
  std::string target;             ///< absolute; made if missing
  std::string type = "virtiofs";  ///< as /proc/filesystems names it
  bool read_only = false;         ///< MS_RDONLY of mount(2)
  std::string options;            ///< data of mount(2), e.g. "lowerdir=/a,upperdir=/b,workdir=/c"
  bool operator==(const MountSpec&) const = default;
};

/// A network card of a guest in which no DHCP client runs.
struct InterfaceSpec {
  std::string mac;       ///< "02:00:00:12:34:56"
  std::string address;   ///< IPv4
  unsigned prefix = 24;  ///< bits of the network part
  std::string gateway;   ///< empty: no default route
  bool operator==(const InterfaceSpec&) const = default;
};

/// Preparation of a guest, done before anything runs in it. Only the controlling host may ask.
struct SetupSpec {
  std::string hostname;           ///< empty: unchanged
  std::vector<MountSpec> mounts;  ///< in order
  /// Empty: unchanged. Else the mounted directory that becomes `/` for everything after: /proc,
  /// /sys and /dev move there, /run and /tmp where it is read-only, and so do all paths of later
  /// requests.
  std::string new_root;
  std::vector<InterfaceSpec> interfaces;  ///< found by their MAC; one that is not there is an error
  std::vector<std::string> resolvers;     ///< for /etc/resolv.conf; none: unchanged
  bool operator==(const SetupSpec&) const = default;
};

/// What a guest does at its end.
enum class ShutdownMode : std::uint8_t { PowerOff, Reboot };

/// Which agent answered.
struct AgentVersion {
  unsigned major = 0;         ///< of the protocol; equal on both sides, or there is no session
  unsigned minor = 0;         ///< grows with additions that the other side may not know
  std::string agent_version;  ///< of the program, for people
  bool operator==(const AgentVersion&) const = default;
};

}  // namespace capsa
