#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <tests/conformance/guest_fixture.hpp>
#include <vector>

namespace capsa::test {

/// Empty where the host has a Python that guests can run, read-only; else what is missing.
std::string missing_python();

/// A running VM with a network: what it does there, and what it was denied.
class NetGuest {
 public:
  explicit NetGuest(NetworkMode mode, const std::string& name = "guest");
  ~NetGuest();
  NetGuest(const NetGuest&) = delete;
  NetGuest& operator=(const NetGuest&) = delete;

  VmHandle vm;
  AgentClient agent;
  VmNetwork network;

  /// A shell line as root; its output, or "status N: errors".
  std::string sh(const std::string& line);
  /// A call of net_probe.py, and its result.
  std::string probe(const std::string& call);

  /// Waits for a denial with all of these words. Empty where none comes within two seconds.
  std::string denial(const std::vector<std::string>& words);
  /// The same for what a Log rule recorded.
  std::string log_entry(const std::vector<std::string>& words);
  std::size_t denials();
  void forget_denials();

 private:
  struct Shared {
    std::mutex mutex;
    std::condition_variable changed;
    std::string output;  // of the probe
    std::vector<std::string> denials;
    std::vector<std::string> logged;
  };
  std::string event(const std::vector<std::string>& lines, const std::vector<std::string>& words);

  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
  Subscription subscription_;
  std::optional<Process> probe_;
};

/// The first word, and the number behind it: what most of the probe's calls give.
std::string outcome_of(const std::string& result);
double seconds_of(const std::string& result);

}  // namespace capsa::test
