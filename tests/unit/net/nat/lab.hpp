#pragma once

#include <sys/socket.h>

#include <atomic>
#include <capsa/detail/unique_fd.hpp>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <net/nat/nat.hpp>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace capsa::net::nat::test {

/// A real kernel as guest, and another as the Internet: two network namespaces of this process. In
/// the guest's there is a TAP with offloads, at 10.0.2.15; the Nat lives on a thread in the other,
/// whose own addresses are those below. Nothing leaves this machine.
class Lab {
 public:
  static constexpr const char* kGuest = "10.0.2.15";
  static constexpr const char* kGateway = "10.0.2.2";
  static constexpr const char* kServer = "198.51.100.1";
  static constexpr const char* kStranger = "198.51.100.2";
  static MacAddress guest_mac() { return MacAddress({0x52, 0x54, 0, 0, 0, 1}); }

  /// Null where the host does not let us, and then `why` says so.
  static std::unique_ptr<Lab> create(NatConfig config, std::string& why);
  ~Lab();

  /// Runs on the thread of the Nat.
  void on_nat(const std::function<void(Nat&)>& call);
  NatStats stats();
  std::uint64_t verdicts(Verdict verdict);
  /// CPU seconds of the Nat's thread so far.
  double cpu_seconds();

  /// A socket of the guest's kernel, or of the outside. Usable on any thread.
  UniqueFd guest_socket(int type, int protocol = 0) const {
    return socket_in(guest_namespace_.get(), type, protocol);
  }
  UniqueFd outside_socket(int type) const { return socket_in(outside_namespace_.get(), type, 0); }

  /// Frames whose guest is to be told.
  std::atomic<std::uint64_t> refused{0};

 private:
  class Edge;
  Lab() = default;
  std::string set_up(const NatConfig& config);
  void run();
  void run_calls();
  UniqueFd socket_in(int name_space, int type, int protocol) const;

  UniqueFd home_, guest_namespace_, outside_namespace_, tap_, wake_, epoll_;
  NatConfig config_;
  std::unique_ptr<Edge> edge_;
  std::unique_ptr<Nat> nat_;
  std::mutex mutex_;
  std::vector<std::packaged_task<void()>> calls_;
  bool stop_ = false;
  std::thread thread_;
};

/// An IPv4 socket address; binds, connects, and so on, and fails the test where the call does.
struct Address {
  Address(const char* address, std::uint16_t port);
  sockaddr_storage storage{};
};
void bind_to(const UniqueFd& socket, const char* address, std::uint16_t port = 0);
void listen_at(const UniqueFd& socket, const char* address);
std::uint16_t port_of(const UniqueFd& socket);
/// errno of connect(2), 0 where it succeeded.
int connect_to(const UniqueFd& socket, const char* address, std::uint16_t port);
bool send_to(const UniqueFd& socket, const std::string& text, const char* address,
             std::uint16_t port);
/// Nothing after `timeout`.
std::optional<std::string> receive(const UniqueFd& socket, std::chrono::milliseconds timeout,
                                   std::uint16_t* from_port = nullptr);

}  // namespace capsa::net::nat::test
