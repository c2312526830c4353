#include <tools/benchmarks/net_path.hpp>
#include <tools/benchmarks/net_program.hpp>

#include <unistd.h>

#include <cstdio>
#include <optional>

namespace capsa::bench {

namespace {

class Peer : public NetPath {
 public:
  explicit Peer(std::string name) : name_(std::move(name)) {}
  std::string name() const override { return name_; }
  std::chrono::nanoseconds cpu() const override { return program_->cpu(); }

 protected:
  std::optional<Program> program_;

 private:
  std::string name_;
};

/// QEMU's user network and a TAP at one hub, without a guest: what the guest's card would cost is
/// not counted against it.
class Qemu final : public Peer {
 public:
  explicit Qemu(const std::string& program) : Peer("qemu") {
    const auto tap = space_.make_tap(kGuest, std::nullopt);
    const UniqueFd inherited(::dup(tap.fd.get()));
    const auto fd = std::to_string(inherited.get());
    // Not stopped (-S): a network does nothing then.
    program_.emplace(std::vector<std::string>{
        program, "-M", "none", "-nodefaults", "-display", "none",              //
        "-netdev", "user,id=user,ipv6=off", "-netdev", "tap,id=tap,fd=" + fd,  //
        "-netdev", "hubport,id=a,hubid=0,netdev=user", "-netdev",
        "hubport,id=b,hubid=0,netdev=tap"});
  }
};

class Slirp4netns final : public Peer {
 public:
  explicit Slirp4netns(const std::string& program) : Peer("slirp4netns") {
    const UniqueFd space = space_.inheritable();
    program_.emplace(std::vector<std::string>{
        program, "--configure", "--mtu=1500", "--netns-type=path",
        "/proc/self/fd/" + std::to_string(space.get()), NetSpace::kInterface});
    space_.wait_for_interface();
  }
};

class Passt final : public Peer {
 public:
  explicit Passt(const std::string& program) : Peer("passt") {
    const UniqueFd space = space_.inheritable();
    program_.emplace(std::vector<std::string>{program,
                                              "--foreground",
                                              "--quiet",
                                              "--runas",
                                              "0",
                                              "--ipv4-only",
                                              "--config-net",
                                              "--ns-ifname",
                                              NetSpace::kInterface,
                                              "--mtu",
                                              "1500",
                                              "--address",
                                              kGuest.to_string(),
                                              "--netmask",
                                              "24",
                                              "--gateway",
                                              kHost,
                                              "--tcp-ports",
                                              "none",
                                              "--udp-ports",
                                              "none",
                                              "--tcp-ns",
                                              "none",
                                              "--udp-ns",
                                              "none",
                                              "--netns-only",
                                              "--netns",
                                              "/proc/self/fd/" + std::to_string(space.get())});
    space_.wait_for_interface();
  }
};

template <class Made>
void add(std::vector<std::unique_ptr<NetPath>>& to, const char* program) {
  if (const auto found = find_program(program))
    to.push_back(std::make_unique<Made>(*found));
  else
    std::printf("  %s is not installed, and not measured\n", program);
}

}  // namespace

std::vector<std::unique_ptr<NetPath>> peer_paths() {
  std::vector<std::unique_ptr<NetPath>> out;
  add<Qemu>(out, "qemu-system-x86_64");
  add<Slirp4netns>(out, "slirp4netns");
  add<Passt>(out, "pasta");
  return out;
}

}  // namespace capsa::bench
