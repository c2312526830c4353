#include <charconv>
#include <fstream>
#include <sstream>
#include <tools/cli/network_options.hpp>

namespace capsa::cli {
namespace {

error refused(std::string_view option, std::string_view given, std::string hint) {
  return {ErrorCode::InvalidConfig,
          std::string(option) + ": \"" + std::string(given) + "\" is not understood",
          std::move(hint)};
}

bool parse_port(std::string_view text, std::uint16_t& port) {
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), port);
  return !text.empty() && failed == std::errc() && end == text.data() + text.size();
}

/// What one word of --allow and --deny is about.
result<MatchCriteria> parse_target(std::string_view option, const std::string& text) {
  if (const auto network = IpNetwork::parse(text))
    return MatchCriteria::ip_range(network->address(), network->prefix());
  if (const auto address = IpAddress::parse(text)) return MatchCriteria::ip(*address);
  std::uint16_t port = 0;
  if (text.starts_with(':') && parse_port(std::string_view(text).substr(1), port))
    return MatchCriteria::port(port);
  auto domain = DomainPattern::parse(text);
  if (domain) return MatchCriteria::domain(std::move(*domain));
  return refused(option, text,
                 "write a name (api.example.com, *.example.com), an address, a "
                 "network (192.0.2.0/24) or a port (:443)");
}

/// Adds one rule for each of the words between commas.
result<void> add_rules(NetworkPolicy& policy, PolicyAction action, std::string_view option,
                       const std::vector<std::string>& words) {
  for (const auto& word : words) {
    std::istringstream list(word);
    for (std::string one; std::getline(list, one, ',');) {
      auto target = parse_target(option, one);
      if (!target) return target.error();
      policy.rule(action, std::move(*target));
    }
  }
  return {};
}

result<NetworkPolicy> read_policy(const std::string& file) {
  std::ifstream in(file);
  if (!in) return error_from_errno(errno, "--policy: open " + file);
  std::ostringstream text;
  text << in.rdbuf();
  auto policy = parse_policy(text.str());
  if (!policy)
    return error(policy.error().code(), "--policy: " + file + ": " + policy.error().message(),
                 policy.error().hint());
  return policy;
}

result<std::optional<NetworkPolicy>> parse_rules(const NetworkWords& words) {
  if (words.policy_file.empty() && words.allow.empty() && words.deny.empty())
    return std::optional<NetworkPolicy>();
  if (!words.policy_file.empty()) {
    if (!words.allow.empty() || !words.deny.empty())
      return error(ErrorCode::InvalidConfig, "--policy: not together with --allow and --deny",
                   "write all rules into the file");
    auto policy = read_policy(words.policy_file);
    if (!policy) return policy.error();
    return std::optional<NetworkPolicy>(std::move(*policy));
  }
  // Whoever names what is allowed means that nothing else is.
  NetworkPolicy policy =
      words.allow.empty() ? NetworkPolicy::allow_all() : NetworkPolicy::deny_all();
  if (auto ok = add_rules(policy, PolicyAction::Deny, "--deny", words.deny); !ok) return ok.error();
  if (auto ok = add_rules(policy, PolicyAction::Allow, "--allow", words.allow); !ok)
    return ok.error();
  return std::optional<NetworkPolicy>(std::move(policy));
}

}  // namespace

void add_network_options(CLI::App& command, NetworkWords& words) {
  command
      .add_option("--net", words.mode,
                  "none, user (behind a NAT in this process) or nat (the host kernel's, which "
                  "needs root); user where one of the options below is given")
      ->type_name("none|user|nat");
  command
      .add_option("-p,--publish", words.publish,
                  "Lead a port of this host, at 127.0.0.1 unless an address is given, to one of "
                  "the guest")
      ->type_name("[IP:]HOST:GUEST[/udp]")
      ->allow_extra_args(false);
  command
      .add_option("--allow", words.allow,
                  "Allow a name, address, network or port, and nothing that is not allowed")
      ->type_name("NAME|IP|IP/BITS|:PORT,...")
      ->allow_extra_args(false);
  command.add_option("--deny", words.deny, "Deny one; goes before --allow")
      ->type_name("NAME|IP|IP/BITS|:PORT,...")
      ->allow_extra_args(false);
  command.add_option("--policy", words.policy_file, "A file with the rules, one a line")
      ->type_name("FILE");
}

result<PortForward> parse_publish(std::string_view text) {
  constexpr const char* kHint = "write HOST:GUEST, IP:HOST:GUEST or HOST:GUEST/udp";
  PortForward out;
  std::string_view rest = text;
  if (rest.ends_with("/udp")) out.protocol = Protocol::Udp;
  if (rest.ends_with("/udp") || rest.ends_with("/tcp")) rest.remove_suffix(4);
  const auto last = rest.rfind(':');
  if (last == std::string_view::npos || !parse_port(rest.substr(last + 1), out.guest_port))
    return refused("--publish", text, kHint);
  rest = rest.substr(0, last);
  const auto before = rest.rfind(':');
  const auto port = before == std::string_view::npos ? rest : rest.substr(before + 1);
  if (!parse_port(port, out.host_port)) return refused("--publish", text, kHint);
  if (before == std::string_view::npos) return out;
  const auto address = IpAddress::parse(rest.substr(0, before));
  if (!address) return refused("--publish", text, kHint);
  out.host_address = *address;
  return out;
}

result<NetworkMode> parse_network(const NetworkWords& words) {
  const bool others = !words.publish.empty() || !words.allow.empty() || !words.deny.empty() ||
                      !words.policy_file.empty();
  if (words.mode == "none" || (words.mode.empty() && !others)) {
    if (others)
      return error(ErrorCode::InvalidConfig,
                   "--net none: not together with --publish, --allow, --deny and --policy",
                   "use --net user");
    return NetworkMode::none();
  }
  if (words.mode == "cluster")
    return error(ErrorCode::UnsupportedFeature, "--net cluster: a cluster is of one program's VMs",
                 "use NetworkMode::cluster() of the library, or --net user");
  if (!words.mode.empty() && words.mode != "user" && words.mode != "nat")
    return refused("--net", words.mode, "there are: none, user, nat");
  auto policy = parse_rules(words);
  if (!policy) return policy.error();
  if (words.mode == "nat") {
    if (!words.publish.empty())
      return error(ErrorCode::UnsupportedFeature,
                   "--publish: nobody reaches a guest behind the host's own NAT", "use --net user");
    HostNatConfig config;
    config.policy = std::move(*policy);
    return NetworkMode::nat(std::move(config));
  }
  UserNatConfig config;
  for (const auto& word : words.publish) {
    auto forward = parse_publish(word);
    if (!forward) return forward.error();
    config.port_forwards.push_back(std::move(*forward));
  }
  config.policy = std::move(*policy);
  return NetworkMode::user_nat(std::move(config));
}

}  // namespace capsa::cli
