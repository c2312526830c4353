#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <iomanip>
#include <iostream>
#include <sstream>
#include <tests/conformance/net_policy_lab.hpp>

namespace capsa::test {

namespace {

std::string call(const std::string& function, const std::string& address, int port) {
  return function + "('" + address + "', " + std::to_string(port);
}

}  // namespace

PolicyLab& PolicyLab::instance() {
  static PolicyLab lab;
  return lab;
}

PolicyLab::PolicyLab() {
  auto& lab = NetLab::instance();
  const auto missing = lab ? missing_python() : lab.missing();
  if (!missing.empty()) {
    std::cerr << "skipped: " << missing << std::endl;
    std::_Exit(77);
  }
  lab.inside([this] {
    for (const auto* any : {"0.0.0.0", "::"}) {
      tcp_.push_back(std::make_unique<TcpServer>(ip(any), 80, serve_http));
      for (const std::uint16_t port : {53, 443, 853, 9000, 9001, 9010})
        tcp_.push_back(std::make_unique<TcpServer>(ip(any), port, serve_echo));
      for (const std::uint16_t port : {443, 9000, 53})
        udp_.push_back(std::make_unique<UdpServer>(ip(any), port, echo_datagram));
    }
    elsewhere_ = udp_[2].get();
  });
  // What the host itself serves, on all its addresses.
  for (const auto* any : {"0.0.0.0", "::"})
    tcp_.push_back(std::make_unique<TcpServer>(ip(any), 9000, serve_echo));
  guest_ = std::make_unique<NetGuest>(NetworkMode::user_nat()
                                          .policy(NetworkPolicy::deny_all())
                                          .resolver("127.0.0.1:" + std::to_string(dns.port()))
                                          .build());
  // Its address of IPv6 counts once nobody else was found to have it.
  for (int i = 0; i < 100; ++i)
    if (guest_
            ->sh("sleep 0.1; ip -6 addr show dev eth0 scope global | grep -v tentative | "
                 "grep inet6")
            .find("fdca:") != std::string::npos)
      break;
}

PolicyLab::~PolicyLab() {
  std::cout << "\n" << table_ << std::endl;
  guest_.reset();
}

void PolicyLab::under(NetworkPolicy policy) {
  guest_->network.set_policy(std::move(policy)).get();
  guest_->forget_denials();
}

void PolicyLab::row(const std::string& vector, const std::string& expected, const std::string& seen,
                    bool good) {
  std::ostringstream line;
  line << (good ? "     " : "FAIL ") << std::left << std::setw(58) << vector << std::setw(26)
       << expected << seen << "\n";
  table_ += line.str();
  BOOST_TEST(good, vector << ": expected " << expected << ", seen " << seen);
}

std::string PolicyLab::expect(const std::string& vector, const std::string& outcome,
                              const std::string& call) {
  const auto seen = guest_->probe(call);
  const bool fits = ("|" + outcome + "|").find("|" + outcome_of(seen) + "|") != std::string::npos;
  // The patience of an emulated machine for what is told at once.
  const bool slow = outcome_of(seen) != "ok" && outcome.find("none") == std::string::npos &&
                    outcome.find("servfail") == std::string::npos && seconds_of(seen) > 1.0 &&
                    seconds_of(seen) < 1e6;
  row(vector, outcome, seen.substr(0, 90) + (slow ? " (too slow)" : ""), fits && !slow);
  return seen;
}

void PolicyLab::expect_denial(const std::string& vector, const std::vector<std::string>& words) {
  const auto seen = guest_->denial(words);
  std::string wanted;
  for (const auto& word : words)
    wanted += (wanted.empty() ? "" : ", ") + word;
  row(vector, "event", seen.empty() ? "no event with: " + wanted : seen, !seen.empty());
}

void PolicyLab::expect_logged(const std::string& vector, const std::vector<std::string>& words) {
  const auto seen = guest_->log_entry(words);
  row(vector, "event", seen.empty() ? "no such event" : seen, !seen.empty());
}

void PolicyLab::expect_that(const std::string& vector, bool holds, const std::string& seen) {
  row(vector, "holds", seen, holds);
}

std::string tcp(const std::string& address, int port) {
  return call("tcp", address, port) + ")";
}
std::string udp(const std::string& address, int port) {
  return call("udp", address, port) + ")";
}
std::string tls(const std::string& address, int port, const std::string& name,
                const std::string& cuts) {
  return call("tls", address, port) + ", '" + name + "', " + cuts + ")";
}
std::string no_sni(const std::string& address, int port) {
  return call("tls", address, port) + ", None)";
}
std::string http(const std::string& address, const std::string& host, const std::string& cuts) {
  return call("http", address, 80) + ", '" + host + "', " + cuts + ")";
}
std::string dns(const std::string& name, const std::string& more) {
  return "dns('" + name + "'" + more + ")";
}
std::string syn(const std::string& address, int port, const std::string& more) {
  return call("syn", address, port) + more + ")";
}

}  // namespace capsa::test
