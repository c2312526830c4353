#include <sys/socket.h>
#include <algorithm>
#include <cctype>
#include <tests/conformance/fake_dns.hpp>

namespace capsa::test {

namespace {

constexpr std::size_t kHeader = 12;
const std::map<std::string, unsigned> kTypes = {{"A", 1}, {"CNAME", 5}, {"TXT", 16}, {"AAAA", 28}};

std::string u16(unsigned value) {
  return {static_cast<char>(value >> 8), static_cast<char>(value)};
}

std::string encoded(const std::string& name) {
  std::string out;
  for (std::size_t at = 0; at < name.size();) {
    const auto dot = std::min(name.find('.', at), name.size());
    out += static_cast<char>(dot - at);
    out += name.substr(at, dot - at);
    at = dot + 1;
  }
  return out + '\0';
}

std::string data_of(const DnsRecord& record) {
  if (record.type == "CNAME") return encoded(record.value);
  if (record.type == "TXT") return static_cast<char>(record.value.size()) + record.value;
  const auto address = ip(record.value);
  return {address.bytes().begin(), address.bytes().end()};
}

std::string encoded(const DnsRecord& record) {
  const auto data = data_of(record);
  return encoded(record.owner) + u16(kTypes.at(record.type)) + u16(1) + u16(record.ttl >> 16) +
         u16(record.ttl & 0xffff) + u16(static_cast<unsigned>(data.size())) + data;
}

}  // namespace

FakeDns::FakeDns(const IpAddress& at, std::uint16_t port)
    : udp_(std::make_unique<UdpServer>(
          at, port, [this](std::string_view query) { return answer(query, false); })),
      tcp_(std::make_unique<TcpServer>(at, udp_->port(), [this](int fd) { serve(fd); })) {}

void FakeDns::set(const std::string& name, DnsAnswer answer) {
  const std::lock_guard lock(mutex_);
  zone_[name] = std::move(answer);
}

void FakeDns::set(const std::string& name, const std::string& address, std::uint32_t ttl) {
  const bool v6 = address.find(':') != std::string::npos;
  set(name, DnsAnswer{{{name, v6 ? "AAAA" : "A", address, ttl}}});
}

void FakeDns::set_chain(const std::string& name, int length, const std::string& address) {
  DnsAnswer answer;
  std::string at = name;
  for (int i = 1; i <= length; ++i) {
    const auto next = "link" + std::to_string(i) + ".chain.test";
    answer.records.push_back({at, "CNAME", next});
    at = next;
  }
  answer.records.push_back({at, "A", address});
  set(name, std::move(answer));
}

void FakeDns::set_silent(bool silent) {
  const std::lock_guard lock(mutex_);
  silent_ = silent;
}

std::size_t FakeDns::asked(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto at = asked_.find(name);
  return at == asked_.end() ? 0 : at->second;
}

std::optional<std::string> FakeDns::answer(std::string_view query, bool tcp) {
  if (query.size() < kHeader + 5) return std::nullopt;
  std::string name;
  std::size_t at = kHeader;
  while (at < query.size() && query[at] != 0) {
    const auto length = static_cast<std::size_t>(query[at]);
    if (!name.empty()) name += '.';
    name += query.substr(at + 1, length);
    at += 1 + length;
  }
  if (at + 5 > query.size()) return std::nullopt;
  const auto question = query.substr(kHeader, at + 5 - kHeader);
  const auto type = static_cast<unsigned char>(query[at + 2]);
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });

  const std::lock_guard lock(mutex_);
  ++asked_[name];
  const auto found = zone_.find(name);
  if (silent_ || (found != zone_.end() && found->second.silent)) return std::nullopt;
  std::string records;
  unsigned count = 0;
  unsigned flags = 0x8180;
  std::string id(query.substr(0, 2));
  std::string asked(question);
  if (found == zone_.end()) {
    flags |= 3;
  } else if (found->second.truncated && !tcp) {
    flags |= 0x0200;
  } else {
    for (const auto& record : found->second.records) {
      if (record.type != "CNAME" && kTypes.at(record.type) != type) continue;
      records += encoded(record);
      ++count;
    }
    if (found->second.wrong_id) id[1] = static_cast<char>(id[1] ^ 0x55);
    if (found->second.wrong_question) asked[1] = asked[1] == 'x' ? 'y' : 'x';
  }
  return id + u16(flags) + u16(1) + u16(count) + u16(0) + u16(0) + asked + records;
}

void FakeDns::serve(int fd) {
  for (;;) {
    const auto length = read_all(fd, 2);
    if (length.size() != 2) return;
    const auto size =
        static_cast<unsigned char>(length[0]) << 8 | static_cast<unsigned char>(length[1]);
    const auto reply = answer(read_all(fd, static_cast<std::size_t>(size)), true);
    if (!reply) return;
    write_all(fd, u16(static_cast<unsigned>(reply->size())) + *reply);
  }
}

}  // namespace capsa::test
