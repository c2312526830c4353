#include <sys/mount.h>

#include <agent/guest/exec_task.hpp>
#include <agent/guest/file_tasks.hpp>
#include <agent/guest/files.hpp>
#include <agent/guest/guest_info.hpp>
#include <agent/guest/guest_services.hpp>
#include <agent/guest/tree_tasks.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>

namespace capsa::agent::guest {

namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

// A guest that slept or was restored is off by more; below it, stepping does more harm than good.
constexpr std::chrono::seconds kClockTolerance{1};
constexpr std::uint64_t kLongestGraceMs = std::uint64_t{1000} * 60 * 60;

void answer(Reply reply, int failure, const std::string& doing) {
  failure == 0 ? reply.done() : reply.fail(failure, doing);
}

}  // namespace

void GuestServices::hello(const wire::Hello& hello) {
  if (!hello.controlling()) return;
  if (!hello.entropy().empty()) platform_.add_entropy(as_bytes(hello.entropy()));
  set_clock(nanoseconds(hello.wall_clock_ns()));
}

void GuestServices::set_clock(nanoseconds hosts) {
  if (hosts.count() <= 0) return;
  const nanoseconds off = hosts - platform_.wall_clock();
  if (!clock_set_ || off > kClockTolerance || off < -kClockTolerance)
    clock_set_ = platform_.set_wall_clock(hosts) == 0 || clock_set_;
}

std::unique_ptr<Task> GuestServices::begin(Reply reply, const wire::HostFrame& frame,
                                           bool controlling) {
  wire::GuestFrame out;
  switch (frame.body_case()) {
    case wire::HostFrame::kPing:
      if (controlling) set_clock(nanoseconds(frame.ping().wall_clock_ns()));
      reply.done();
      return nullptr;
    case wire::HostFrame::kInfo:
      fill_info(*out.mutable_info_reply());
      reply.finish(out);
      return nullptr;
    case wire::HostFrame::kSetup:
      if (controlling)
        set_up(reply, frame.setup());
      else
        reply.fail(wire::Error::KIND_DENIED, "only the controlling host prepares the guest");
      return nullptr;
    case wire::HostFrame::kExec:
      return ExecTask::begin(reply, frame.exec(), reaper_);
    case wire::HostFrame::kReadFile:
      return ReadTask::begin(reply, frame.read_file());
    case wire::HostFrame::kWriteFile:
      return WriteTask::begin(reply, frame.write_file());
    case wire::HostFrame::kReadTree:
      return ReadTreeTask::begin(reply, frame.read_tree());
    case wire::HostFrame::kWriteTree:
      return WriteTreeTask::begin(reply, frame.write_tree());
    case wire::HostFrame::kListDir:
      return ListTask::begin(reply, frame.list_dir());
    case wire::HostFrame::kRemove:
      return RemoveTask::begin(reply, frame.remove());
    case wire::HostFrame::kShutdown:
      shut_down(reply, frame.shutdown());
      return nullptr;
    case wire::HostFrame::kExists: {
      bool exists = false;
      const auto& path = frame.exists().path();
      if (const int failure = file_exists(path, exists); failure != 0) {
        reply.fail(failure, "stat " + path);
        return nullptr;
      }
      out.mutable_exists_reply()->set_exists(exists);
      reply.finish(out);
      return nullptr;
    }
    case wire::HostFrame::kStat: {
      const auto& request = frame.stat();
      const int failure = stat_file(request.path(), request.follow(), *out.mutable_stat_reply());
      failure == 0 ? reply.finish(out) : reply.fail(failure, "stat " + request.path());
      return nullptr;
    }
    case wire::HostFrame::kMkdir: {
      const auto& request = frame.mkdir();
      answer(reply, make_dir(request.path(), request.parents(), request.mode()),
             "make the directory " + request.path());
      return nullptr;
    }
    case wire::HostFrame::kRename: {
      const auto& request = frame.rename();
      const bool renamed = std::rename(request.from().c_str(), request.to().c_str()) == 0;
      answer(reply, renamed ? 0 : errno, "rename " + request.from() + " to " + request.to());
      return nullptr;
    }
    default:
      reply.fail(wire::Error::KIND_UNSUPPORTED, "this agent does not know the request");
      return nullptr;
  }
}

void GuestServices::set_up(Reply reply, const wire::Setup& request) {
  // What was done before a failure stays done: the host throws such a guest away, or mends it.
  if (!request.hostname().empty())
    if (const int failure = platform_.set_hostname(request.hostname()); failure != 0)
      return reply.fail(failure, "set the host name to " + request.hostname());
  for (const auto& mount : request.mounts()) {
    const std::string doing =
        "mount " + mount.source() + " (" + mount.type() + ") on " + mount.target();
    const unsigned long flags = mount.read_only() ? static_cast<unsigned long>(MS_RDONLY) : 0;
    const int failure =
        platform_.mount(mount.source(), mount.target(), mount.type(), flags, mount.options());
    if (failure != 0) return reply.fail(failure, doing);
  }
  if (!request.new_root().empty())
    if (const int failure = platform_.switch_root(request.new_root()); failure != 0)
      return reply.fail(failure, "make " + request.new_root() + " the root");
  for (const auto& card : request.interfaces())
    if (const int failure = platform_.configure_interface(card.mac(), card.address(), card.prefix(),
                                                          card.gateway());
        failure != 0)
      return reply.fail(failure, "give the network card " + card.mac() + " its address");
  // The new root's own file, where that may be written: a read-only root has what it has.
  const std::vector<std::string> resolvers(request.resolvers().begin(), request.resolvers().end());
  if (!resolvers.empty())
    if (const int failure = platform_.set_resolvers(resolvers); failure != 0 && failure != EROFS)
      return reply.fail(failure, "write /etc/resolv.conf");
  reply.done();
}

void GuestServices::shut_down(Reply reply, const wire::Shutdown& request) {
  const milliseconds grace(std::min(request.grace_ms(), kLongestGraceMs));
  answer(reply, platform_.shut_down(request.reboot(), grace), "shut down");
}

}  // namespace capsa::agent::guest
