#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <agent/guest/child.hpp>
#include <agent/guest/event_loop.hpp>
#include <agent/guest/guest_services.hpp>
#include <agent/guest/init.hpp>
#include <agent/guest/proc_text.hpp>
#include <agent/guest/server.hpp>
#include <agent/guest/signals.hpp>
#include <cstdio>
#include <cstring>
#include <string_view>

namespace {

using namespace capsa::agent::guest;
using capsa::UniqueFd;

constexpr const char* kUsage =
    "usage: capsa-agent --serve-fd N      serve one connected socket, then exit\n"
    "       capsa-agent --listen-unix P   serve every connection to the socket P\n"
    "       capsa-agent --version\n"
    "As process 1 it is the init of a capsa guest.\n";

void keep_standard_fds_open() {
  // A closed one would be taken by the next descriptor of ours and handed to every program.
  while (true) {
    const int fd = ::open("/dev/null", O_RDWR);
    if (fd < 0) return;
    if (fd > 2) {
      ::close(fd);
      return;
    }
  }
}

/// Serves without being init: nothing that concerns the machine is touched.
class Hosted {
 public:
  void serve(UniqueFd socket) {
    server_.serve(std::move(socket), [this] { loop_.stop(); });
  }
  void listen(UniqueFd socket) { server_.listen(std::move(socket)); }
  void run() { loop_.run(); }

 private:
  void on_signal(int signo) { signo == SIGCHLD ? void(reaper_.collect()) : loop_.stop(); }

  EventLoop loop_;
  Reaper reaper_;
  Signals signals_{loop_, {SIGCHLD, SIGTERM, SIGINT}, [this](int signo) { on_signal(signo); }};
  HostedPlatform platform_;
  GuestServices services_{platform_, reaper_};
  Server server_{loop_, services_};
};

int serve_fd(const char* text) {
  unsigned fd = 0;
  if (!parse_number(text, fd) || ::fcntl(static_cast<int>(fd), F_SETFD, FD_CLOEXEC) < 0) {
    std::fprintf(stderr, "capsa-agent: %s is no open descriptor\n", text);
    return 2;
  }
  Hosted hosted;
  hosted.serve(UniqueFd(static_cast<int>(fd)));
  hosted.run();
  return 0;
}

int listen_unix_at(const char* path) {
  UniqueFd socket = listen_unix(path);
  if (!socket) {
    std::fprintf(stderr, "capsa-agent: listen on %s: %s\n", path, std::strerror(errno));
    return 1;
  }
  Hosted hosted;
  hosted.listen(std::move(socket));
  hosted.run();
  ::unlink(path);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view mode = argc > 1 ? argv[1] : "";
  const bool known = mode == "--version" || mode == "--serve-fd" || mode == "--listen-unix";
  // The kernel hands words of its command line that it does not know to its init as arguments.
  if (::getpid() == 1 && !known) return run_as_init();
  keep_standard_fds_open();
  raise_file_limit();
  if (argc == 2 && mode == "--version") {
    std::puts("capsa-agent " CAPSA_VERSION);
    return 0;
  }
  if (argc == 3 && mode == "--serve-fd") return serve_fd(argv[2]);
  if (argc == 3 && mode == "--listen-unix") return listen_unix_at(argv[2]);
  std::fputs(kUsage, stderr);
  return 2;
}
