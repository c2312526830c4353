#include <sched.h>
#include <unistd.h>
#include <cerrno>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <mutex>
#include <system_error>
#include <tests/conformance/net_lab.hpp>
#include <thread>

namespace capsa::test {

namespace {

bool run(const std::string& command) {
  return std::system((command + " 2>/dev/null").c_str()) == 0;
}

}  // namespace

struct NetLab::Internet {
  std::mutex mutex;
  std::condition_variable changed;
  std::function<void()> job;
  pid_t id = 0;
  int error = 0;
  bool ending = false;
  std::thread thread{[this] { work(); }};

  void work() {
    std::unique_lock lock(mutex);
    error = ::unshare(CLONE_NEWNET) == 0 ? 0 : errno;
    id = ::gettid();
    changed.notify_all();
    for (;;) {
      changed.wait(lock, [this] { return ending || job; });
      if (ending) return;
      job();
      job = nullptr;
      changed.notify_all();
    }
  }
  ~Internet() {
    {
      const std::lock_guard lock(mutex);
      ending = true;
    }
    changed.notify_all();
    thread.join();
  }
};

NetLab& NetLab::instance() {
  static NetLab lab;
  return lab;
}

NetLab::NetLab() {
  if (!run("ip -Version >/dev/null")) {
    missing_ = "there is no program ip (iproute2)";
    return;
  }
  if (::unshare(CLONE_NEWNET) != 0) {
    missing_ = std::string("network namespaces need root: ") + std::strerror(errno);
    return;
  }
  internet_ = std::make_unique<Internet>();
  {
    std::unique_lock lock(internet_->mutex);
    internet_->changed.wait(lock, [this] { return internet_->id != 0; });
  }
  const std::string host4 = kHost4;
  const std::string host6 = kHost6;
  bool made = internet_->error == 0 &&
              run("ip link set lo up && ip link add isp0 type veth peer name host0 && "
                  "ip link set host0 netns " +
                  std::to_string(internet_->id) + " && ip addr add " + host4 +
                  "/30 dev isp0 && ip -6 addr add " + host6 +
                  "/64 dev isp0 nodad && ip link set isp0 up && "
                  "ip route add default via 198.51.100.2 && "
                  "ip -6 route add default via 2001:db8:ffff::2");
  if (made)
    inside([&] {
      made = run(
          "ip link set lo up && ip addr add 198.51.100.2/30 dev host0 && "
          "ip -6 addr add 2001:db8:ffff::2/64 dev host0 nodad && ip link set host0 up && "
          "ip route add local 0.0.0.0/0 dev lo && ip -6 route add local ::/0 dev lo table main");
    });
  // A namespace of its own lets nobody ping, unlike most hosts.
  std::ofstream("/proc/sys/net/ipv4/ping_group_range") << "0 2147483647";
  if (!made) missing_ = "virtual Ethernet links cannot be made here";
}

NetLab::~NetLab() = default;

void NetLab::inside(const std::function<void()>& what) {
  std::exception_ptr thrown;
  std::unique_lock lock(internet_->mutex);
  internet_->job = [&] {
    try {
      what();
    } catch (...) {
      thrown = std::current_exception();
    }
  };
  internet_->changed.notify_all();
  internet_->changed.wait(lock, [this] { return !internet_->job; });
  if (thrown) std::rethrow_exception(thrown);
}

}  // namespace capsa::test
