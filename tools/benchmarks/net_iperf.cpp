#include <tools/benchmarks/net_iperf.hpp>

#include <capsa/result.hpp>
#include <tools/benchmarks/net_program.hpp>

#include <netinet/in.h>
#include <sys/socket.h>

#include <nlohmann/json.hpp>
#include <optional>

namespace capsa::bench {

namespace {

constexpr const char* kLoopback = "127.0.0.1";

std::string iperf3() {
  const auto found = find_program("iperf3");
  if (!found)
    throw error(ErrorCode::NotFound, "iperf3 is not installed", "it is Debian's package iperf3");
  return *found;
}

/// One that was free a moment ago.
std::uint16_t free_port() {
  const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&at), size) != 0 ||
      ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&at), &size) != 0)
    throw error_from_errno(errno, "find a free port");
  return ntohs(at.sin_port);
}

}  // namespace

Iperf::Iperf() : program_(iperf3()), port_(free_port()) {
  server_ = std::make_unique<Child>(std::vector<std::string>{
      program_, "-s", "-B", kLoopback, "-p", std::to_string(port_), "--forceflush"});
  server_->read_until("listening");
}

Iperf::Transfer Iperf::run(const NetSpace& space, const std::string& address, bool down,
                           std::chrono::seconds time) const {
  std::vector<std::string> words{program_, "--json", "--client", address};
  const auto add = [&](const char* option, const std::string& value) {
    words.emplace_back(option);
    words.push_back(value);
  };
  add("--port", std::to_string(port_));
  add("--connect-timeout", "5000");
  add("--time", std::to_string(time.count()));
  if (down) words.emplace_back("--reverse");
  std::optional<Child> client;
  space.run([&] { client.emplace(std::move(words)); });
  const auto said = nlohmann::json::parse(client->read_to_end(), nullptr, false);
  const auto problem = said.is_discarded() ? "it said nothing" : said.value("error", "");
  if (!problem.empty()) throw error(ErrorCode::BackendFailed, "iperf3: " + problem);
  const auto& sum = said["end"]["sum_received"];
  return {sum.value("bytes", 0.0) * 8 / 1e9,
          std::chrono::nanoseconds(static_cast<std::int64_t>(sum.value("seconds", 0.0) * 1e9))};
}

}  // namespace capsa::bench
