#pragma once

#include <map>
#include <memory>
#include <string>
#include <tests/conformance/net_servers.hpp>
#include <vector>

namespace capsa::test {

/// A record of an answer. A and AAAA take an address, CNAME a name, TXT a text.
struct DnsRecord {
  std::string owner;
  std::string type;
  std::string value;
  std::uint32_t ttl = 60;
};

/// What a question for a name is answered with, whatever its type: the records of that type, and
/// all CNAMEs.
struct DnsAnswer {
  std::vector<DnsRecord> records;
  bool wrong_id = false;        ///< as somebody who guesses
  bool wrong_question = false;  ///< the same
  bool truncated = false;       ///< TC over UDP
  bool silent = false;
};

/// A name server with the zone of the test, over UDP and TCP at one port. Names that it does not
/// have do not exist.
class FakeDns {
 public:
  explicit FakeDns(const IpAddress& at, std::uint16_t port = 0);

  void set(const std::string& name, DnsAnswer answer);
  /// One A record.
  void set(const std::string& name, const std::string& address, std::uint32_t ttl = 60);
  /// A chain of so many CNAMEs that ends with an A record.
  void set_chain(const std::string& name, int length, const std::string& address);
  void set_silent(bool silent);

  std::uint16_t port() const { return udp_->port(); }
  /// Questions for this name, of any type.
  std::size_t asked(const std::string& name) const;
  std::size_t asked_by_tcp() const { return tcp_->accepted(); }

 private:
  std::optional<std::string> answer(std::string_view query, bool tcp);
  void serve(int fd);

  mutable std::mutex mutex_;
  bool silent_ = false;
  std::map<std::string, DnsAnswer> zone_;
  std::map<std::string, std::size_t> asked_;
  std::unique_ptr<UdpServer> udp_;
  std::unique_ptr<TcpServer> tcp_;
};

}  // namespace capsa::test
