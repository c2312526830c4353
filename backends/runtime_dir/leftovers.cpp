#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <backends/program/program.hpp>
#include <backends/runtime_dir/private_directory.hpp>
#include <backends/runtime_dir/process_identity.hpp>
#include <backends/runtime_dir/runtime_dir.hpp>
#include <charconv>
#include <chrono>
#include <net/host_nat/host_facts.hpp>
#include <net/host_nat/rules.hpp>
#include <optional>

namespace capsa {
namespace {

// SIGKILL takes as long as the kernel needs to give the memory back: well below this.
constexpr std::chrono::milliseconds kKillPatience{2000};

// "PID START\n" of two 64-bit numbers is 42 bytes; the name of a table is no longer.
constexpr std::size_t kMaxRecord = 64;

// The owner in a directory's name: "PID-STARTTIME-SEQ". Other names are not ours to touch.
std::optional<ProcessIdentity> parse_owner(std::string_view name) {
  std::array<std::uint64_t, 3> numbers{};
  const char* at = name.data();
  const char* const end = name.data() + name.size();
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (i > 0 && (at == end || *at++ != '-')) return std::nullopt;
    const auto [next, failure] = std::from_chars(at, end, numbers[i]);
    if (failure != std::errc{}) return std::nullopt;
    at = next;
  }
  if (at != end || numbers[0] == 0 || numbers[0] > 0x7fffffff) return std::nullopt;
  return ProcessIdentity{static_cast<pid_t>(numbers[0]), numbers[1]};
}

struct Abandoned {
  std::string name;
  ProcessIdentity owner;
  UniqueFd directory;
  UniqueFd lock;
};

// Decides what is abandoned, and takes its lock. The base lock is held: no creator is between
// making a directory and locking it, and no second cleaner can take what we take.
std::vector<Abandoned> claim_abandoned(int base) {
  std::vector<Abandoned> claimed;
  for (const auto& name : list_directory(base)) {
    const auto owner = parse_owner(name);
    if (!owner || is_alive(*owner)) continue;
    UniqueFd directory(
        ::openat(base, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    struct stat what {};
    if (!directory || ::fstat(directory.get(), &what) != 0 || what.st_uid != ::geteuid()) continue;
    auto lock = lock_file(directory.get(), "lock", false);
    if (!lock) continue;
    claimed.push_back({name, *owner, std::move(directory), std::move(*lock)});
  }
  return claimed;
}

std::string read_record(int directory, const std::string& name) {
  const UniqueFd file(
      ::openat(directory, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  std::array<char, kMaxRecord> text{};
  const ssize_t length = file ? ::read(file.get(), text.data(), text.size()) : 0;
  return {text.data(), static_cast<std::size_t>(std::max<ssize_t>(length, 0))};
}

std::vector<pid_t> kill_recorded(int directory) {
  std::vector<pid_t> killed;
  for_each_file(directory, [&](int where, const std::string& name) {
    if (!name.ends_with(".pid")) return;
    const auto process = parse_pid_file(read_record(where, name));
    if (process && *process != own_identity() && kill_process(*process, kKillPatience))
      killed.push_back(process->pid);
  });
  return killed;
}

/// Removes a dead process's tables. False where one is left.
bool remove_tables(int directory, pid_t owner, std::vector<std::string>& removed) {
  bool clean = true;
  for_each_file(directory, [&](int where, const std::string& name) {
    if (name != kTableRecord) return;
    auto text = read_record(where, name);
    if (text.ends_with('\n')) text.pop_back();
    const auto table = net::host_nat::TableName::parse(text);
    if (!table || table->owner != owner) return;
    const auto nft = net::host_nat::host_facts().nft;
    if (nft.empty()) return;
    const auto done = program::run({.words = {nft, net::host_nat::removal(text)}});
    if (done.ok())
      removed.push_back(text);
    else
      clean = false;
  });
  return clean;
}

}  // namespace

result<std::vector<Leftover>> clean_leftovers_in(const std::filesystem::path& base) {
  std::error_code failed;
  if (!std::filesystem::exists(std::filesystem::symlink_status(base, failed)))
    return std::vector<Leftover>{};
  auto opened = open_private_directory(base);
  if (!opened) return opened.error();
  const int base_fd = opened->get();

  std::vector<Abandoned> claimed;
  {
    auto base_lock = lock_file(base_fd, ".lock", true);
    if (!base_lock) return base_lock.error();
    claimed = claim_abandoned(base_fd);
  }

  // The slow part, without the base lock: others may start meanwhile.
  std::vector<Leftover> found;
  for (auto& one : claimed) {
    Leftover leftover;
    leftover.directory = base / one.name;
    leftover.owner = one.owner.pid;
    leftover.killed = kill_recorded(one.directory.get());
    // What cannot be removed now stays recorded, for whoever has the right to.
    const bool emptied = remove_tables(one.directory.get(), one.owner.pid, leftover.tables) &&
                         remove_contents(one.directory.get(), "lock");
    // The lock's file goes last and under the base lock: whoever looks sees either a directory
    // that is claimed or none.
    auto base_lock = lock_file(base_fd, ".lock", true);
    if (emptied && base_lock) {
      ::unlinkat(one.directory.get(), "lock", 0);
      leftover.removed = ::unlinkat(base_fd, one.name.c_str(), AT_REMOVEDIR) == 0;
    }
    found.push_back(std::move(leftover));
  }
  return found;
}

}  // namespace capsa
