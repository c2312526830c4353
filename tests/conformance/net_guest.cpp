#include <unistd.h>
#include <algorithm>
#include <fstream>
#include <sstream>
#include <tests/conformance/net_guest.hpp>

namespace capsa::test {

using namespace std::chrono_literals;

namespace {

constexpr const char* kPython = "/usr/bin/python3";
// Of one call: streams of a gigabyte through an emulated machine take minutes.
constexpr auto kPatience = 900s;

VmHandle started(NetworkMode mode, const std::string& name) {
  auto vm = sandbox()
                .name(name)
                .share("/", "/host", MountMode::ReadOnly)
                .network(std::move(mode))
                .run("/bin/sh", {"-c", "sleep infinity"})
                .build()
                .get();
  // Its network is set up before its command runs.
  vm.main_process().get();
  return vm;
}

}  // namespace

std::string missing_python() {
  return ::access(kPython, X_OK) == 0 ? "" : std::string("there is no ") + kPython;
}

NetGuest::NetGuest(NetworkMode mode, const std::string& name)
    : vm(started(std::move(mode), name)), agent(vm.agent().get()), network(vm.network().get()) {
  subscription_ = vm.subscribe([shared = shared_](const VmEvent& event) {
    const bool logged = event.kind == VmEvent::Kind::NetworkLogged;
    if (!logged && event.kind != VmEvent::Kind::NetworkDenied) return;
    const std::lock_guard lock(shared->mutex);
    (logged ? shared->logged : shared->denials).push_back(event.cause);
    shared->changed.notify_all();
  });
}

NetGuest::~NetGuest() = default;

std::string NetGuest::sh(const std::string& line) {
  const auto out = agent.exec(line).get();
  if (out.status.code == 0) return out.stdout_data;
  return "status " + std::to_string(out.status.shell_status()) + ": " + out.stdout_data +
         out.stderr_data;
}

std::string NetGuest::probe(const std::string& call) {
  if (!probe_) {
    std::ostringstream script;
    script << std::ifstream(NET_PROBE).rdbuf();
    auto spec = ExecSpec::command({"chroot", "/host", kPython, "-I", "-u", "-c", script.str()});
    spec.stdin_open = true;
    spec.merge_stderr = true;
    OutputHandlers handlers;
    handlers.on_stdout = [shared = shared_](std::string_view bytes) {
      const std::lock_guard lock(shared->mutex);
      shared->output += bytes;
      shared->changed.notify_all();
    };
    probe_ = agent.start(spec, handlers).get();
  }
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->output.clear();
  }
  probe_->write_stdin(call + "\n").get();
  std::unique_lock lock(shared_->mutex);
  const bool came =
      shared_->changed.wait_for(lock, kPatience, [&] { return shared_->output.ends_with('\n'); });
  const auto& all = shared_->output;
  const auto at = all.rfind("=> ");
  if (!came || at == std::string::npos) return "no answer: " + all;
  return all.substr(at + 3, all.size() - at - 4);
}

std::string NetGuest::denial(const std::vector<std::string>& words) {
  return event(shared_->denials, words);
}

std::string NetGuest::log_entry(const std::vector<std::string>& words) {
  return event(shared_->logged, words);
}

std::string NetGuest::event(const std::vector<std::string>& lines,
                            const std::vector<std::string>& words) {
  const auto fits = [&](const std::string& line) {
    return std::all_of(words.begin(), words.end(), [&](const std::string& word) {
      return line.find(word) != std::string::npos;
    });
  };
  std::unique_lock lock(shared_->mutex);
  std::string found;
  shared_->changed.wait_for(lock, 2s, [&] {
    for (const auto& line : lines)
      if (fits(line)) found = line;
    return !found.empty();
  });
  return found;
}

std::size_t NetGuest::denials() {
  const std::lock_guard lock(shared_->mutex);
  return shared_->denials.size();
}

void NetGuest::forget_denials() {
  const std::lock_guard lock(shared_->mutex);
  shared_->denials.clear();
  shared_->logged.clear();
}

std::string outcome_of(const std::string& result) {
  return result.substr(0, result.find(' '));
}

double seconds_of(const std::string& result) {
  std::istringstream words(result);
  std::string outcome;
  double seconds = 1e9;
  words >> outcome >> seconds;
  return seconds;
}

}  // namespace capsa::test
