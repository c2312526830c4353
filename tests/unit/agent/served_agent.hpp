#pragma once

#include <agent/host/session.hpp>
#include <capsa/detail/unique_fd.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "scratch_dir.hpp"

namespace capsa::agent::test {

/// The real guest program, serving one connected socket on this machine, and a Session to it.
class ServedAgent final : public SessionOutput {
 public:
  ServedAgent();
  ~ServedAgent() override;

  Session& session() { return *session_; }
  int pid() const { return pid_; }
  const std::optional<AgentVersion>& version() const { return version_; }

  /// Moves bytes both ways until `done` holds. An agent that is silent for a minute fails the test.
  void run_until(const std::function<bool()>& done);
  /// A round trip: what the agent had to say before is here after it.
  void settle();
  /// Closes our end.
  void drop();
  /// Waits for the program to end; its exit status as waitpid(2) gives it.
  int wait_for_exit();
  /// Resident memory of the program in bytes.
  std::size_t resident_bytes() const;

  void send(std::span<const std::byte> bytes) override;
  void on_ready(const AgentVersion& version) override { version_ = version; }

 private:
  void step();

  UniqueFd socket_;
  int pid_ = -1;
  std::string out_;
  std::optional<AgentVersion> version_;
  std::optional<Session> session_;
};

/// A program that ran, with all it wrote. Grants credit as it comes. May go before the session.
struct Ran {
  std::shared_ptr<int> alive = std::make_shared<int>();
  RequestId id = 0;
  std::int64_t pid = 0;
  std::string out;
  std::string err;
  std::size_t room = 0;
  bool input_closed = false;
  std::optional<result<ExitStatus>> done;
  ExitStatus status() const { return done->value(); }
};

/// Starts `spec`; `ran` stays where it is until the program is done.
void start(ServedAgent& agent, const ExecSpec& spec, Ran& ran, bool grant = true);
/// Runs `spec` to its end, with `input` as its standard input if that is open.
Ran run(ServedAgent& agent, const ExecSpec& spec, std::string_view input = {});
Ran run_shell(ServedAgent& agent, const std::string& line);

/// Waits for one answer.
template <class T>
result<T> ask(ServedAgent& agent, const std::function<void(Callback<T>)>& request) {
  const auto answer = std::make_shared<std::optional<result<T>>>();
  request([answer](result<T> got) { *answer = std::move(got); });
  agent.run_until([&] { return answer->has_value(); });
  return **answer;
}

/// Bytes that do not repeat soon and are the same in every run.
std::vector<std::byte> pattern(std::size_t size);
std::uint64_t hash(std::span<const std::byte> bytes, std::uint64_t seed = 14695981039346656037ULL);

}  // namespace capsa::agent::test
