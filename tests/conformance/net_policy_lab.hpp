#pragma once

#include <memory>
#include <string>
#include <tests/conformance/fake_dns.hpp>
#include <tests/conformance/net_guest.hpp>
#include <tests/conformance/net_lab.hpp>
#include <tests/conformance/net_servers.hpp>
#include <vector>

namespace capsa::test {

/// A guest under a policy, an Internet that answers everywhere, and the table of what was seen.
class PolicyLab {
 public:
  /// Ends the program as skipped where it cannot be.
  static PolicyLab& instance();

  FakeDns dns{IpAddress::v4(127, 0, 0, 1)};

  /// The policy from now on; forgets the denials of before.
  void under(NetworkPolicy policy);
  /// A call of net_probe.py; nothing is checked.
  std::string probe(const std::string& call) { return guest_->probe(call); }
  /// One row of the table: the call's outcome must be one of these words, divided by '|'. What is
  /// denied is so within a second.
  std::string expect(const std::string& vector, const std::string& outcome,
                     const std::string& call);
  /// Some denial event has all these words.
  void expect_denial(const std::string& vector, const std::vector<std::string>& words);
  /// Some Log event has all these words.
  void expect_logged(const std::string& vector, const std::vector<std::string>& words);
  /// A row about something else.
  void expect_that(const std::string& vector, bool holds, const std::string& seen);

  NetGuest& guest() { return *guest_; }
  /// On the Internet: what of the far side was reached.
  std::size_t foreign_questions() const { return elsewhere_->received(); }

  ~PolicyLab();

 private:
  PolicyLab();
  void row(const std::string& vector, const std::string& expected, const std::string& seen,
           bool good);
  std::vector<std::unique_ptr<TcpServer>> tcp_;
  std::vector<std::unique_ptr<UdpServer>> udp_;
  UdpServer* elsewhere_ = nullptr;
  std::unique_ptr<NetGuest> guest_;
  std::string table_;
};

// -- calls of the probe
std::string tcp(const std::string& address, int port);
std::string udp(const std::string& address, int port);
std::string tls(const std::string& address, int port, const std::string& name,
                const std::string& cuts = "()");
std::string no_sni(const std::string& address, int port);
std::string http(const std::string& address, const std::string& host,
                 const std::string& cuts = "()");
std::string dns(const std::string& name, const std::string& more = "");
/// A crafted first frame, see net_probe.py.
std::string syn(const std::string& address, int port, const std::string& more = "");

}  // namespace capsa::test
