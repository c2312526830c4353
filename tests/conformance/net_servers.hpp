#pragma once

#include <atomic>
#include <capsa/detail/unique_fd.hpp>
#include <capsa/ip_address.hpp>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace capsa::test {

/// An address that the test itself wrote.
IpAddress ip(std::string_view text);

/// SHA-256 (FIPS 180-4) of a stream too long to be kept.
class Sha256 {
 public:
  void update(std::string_view bytes);
  /// Lower-case hex; ends it.
  std::string hex();

 private:
  void block(const unsigned char* bytes);
  std::uint32_t state_[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                             0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::string rest_;
  std::uint64_t size_ = 0;
};

/// A socket that is bound; port 0 picks one. Throws std::system_error. Of the network namespace of
/// the thread that calls.
UniqueFd bound_socket(int type, const IpAddress& at, std::uint16_t port);
std::uint16_t port_of(const UniqueFd& socket);
/// A connection to it, or none. For what the host does to a published port.
UniqueFd connect_to(const IpAddress& to, std::uint16_t port, int type = 0);

/// Reads until the other end closes, or `limit` bytes.
std::string read_all(int fd, std::size_t limit = std::string::npos);
bool write_all(int fd, std::string_view bytes);

/// Accepts connections and serves each on a thread of its own. Ends them all in its destructor.
class TcpServer {
 public:
  using Serve = std::function<void(int fd)>;
  TcpServer(const IpAddress& at, std::uint16_t port, Serve serve);
  ~TcpServer();
  TcpServer(const TcpServer&) = delete;
  TcpServer& operator=(const TcpServer&) = delete;

  std::uint16_t port() const { return port_of(listener_); }
  std::size_t accepted() const { return accepted_; }

 private:
  void run();
  UniqueFd listener_;
  Serve serve_;
  std::atomic<std::size_t> accepted_ = 0;
  std::atomic<bool> ending_ = false;
  std::mutex mutex_;
  std::list<UniqueFd> connections_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

/// Answers datagrams, from the address that was asked.
class UdpServer {
 public:
  using Answer = std::function<std::optional<std::string>(std::string_view datagram)>;
  UdpServer(const IpAddress& at, std::uint16_t port, Answer answer);
  ~UdpServer();
  UdpServer(const UdpServer&) = delete;
  UdpServer& operator=(const UdpServer&) = delete;

  std::uint16_t port() const { return port_of(socket_); }
  std::size_t received() const { return received_; }

 private:
  void run();
  UniqueFd socket_;
  UniqueFd stop_;
  Answer answer_;
  std::atomic<std::size_t> received_ = 0;
  std::thread thread_;
};

// -- what servers do

/// Sends back what comes.
void serve_echo(int fd);
std::optional<std::string> echo_datagram(std::string_view datagram);
/// One request of HTTP/1.1; the answer's body is the request's Host.
void serve_http(int fd);

/// Bytes that nobody guesses, and what they and those that came hash to.
class Stream {
 public:
  explicit Stream(std::uint64_t bytes) : bytes_(bytes) {}
  /// Sends so many bytes and closes.
  void source(int fd);
  /// Reads to the end; answers with the digest in hex.
  void sink(int fd);
  std::string digest() const;
  std::uint64_t count() const { return count_; }

 private:
  std::uint64_t bytes_;
  mutable std::mutex mutex_;
  std::string digest_;
  std::atomic<std::uint64_t> count_ = 0;
};

}  // namespace capsa::test
