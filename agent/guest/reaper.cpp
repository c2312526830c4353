#include <dirent.h>
#include <signal.h>
#include <sys/wait.h>

#include <agent/guest/proc_text.hpp>
#include <agent/guest/reaper.hpp>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace capsa::agent::guest {

bool Reaper::collect() {
  for (;;) {
    int status = 0;
    const pid_t child = ::waitpid(-1, &status, WNOHANG);
    if (child < 0 && errno == EINTR) continue;
    if (child <= 0) return child == 0;
    const auto entry = tracked_.find(child);
    if (entry == tracked_.end()) continue;
    const auto ended = std::move(entry->second);
    tracked_.erase(entry);
    ended(status);
  }
}

void kill_session(pid_t leader, int signo) {
  if (leader <= 1) return;
  // By its own number too: it may not have come to setsid(2) yet.
  if (::kill(-leader, signo) < 0) ::kill(leader, signo);
  DIR* proc = ::opendir("/proc");
  if (proc == nullptr) return;
  while (const dirent* entry = ::readdir(proc)) {
    char* end = nullptr;
    const long pid = std::strtol(entry->d_name, &end, 10);
    if (*end != '\0' || pid <= 1 || pid == leader) continue;
    // "pid (name) state ppid pgrp session ...": the name may hold anything, so from its end.
    const std::string stat = read_text("/proc/" + std::to_string(pid) + "/stat");
    const auto name_end = stat.rfind(')');
    if (name_end == std::string::npos) continue;
    int group = 0;
    int session = 0;
    if (std::sscanf(stat.c_str() + name_end + 1, " %*c %*d %d %d", &group, &session) != 2) continue;
    if (session == leader && group != leader) ::kill(static_cast<pid_t>(pid), signo);
  }
  ::closedir(proc);
}

}  // namespace capsa::agent::guest
