#include <capsa/capsa.hpp>
#include <iostream>
#include <vector>

// Three machines that know each other by name, and one that is cut off.
int main() try {
  capsa::ClusterConfig config;
  config.nat = false;  // no way out
  const auto cluster = capsa::Capsa::cluster("db", config);

  std::vector<capsa::VmHandle> nodes;
  for (const auto* name : {"one", "two", "three"}) {
    auto vm = capsa::Capsa::sandbox()
                  .name(name)
                  .memory_mb(256)
                  .network(capsa::NetworkMode::cluster("db").build())
                  .run("sleep", {"infinity"})
                  .build()
                  .get();
    vm.main_process().get();
    nodes.push_back(vm);
  }
  for (const auto& member : cluster.members())
    std::cout << member.name << " has " << to_string(member.address) << '\n';

  const auto reaches = [&](const char* name) {
    const auto ping = std::string("ping -c 1 -W 3 ") + name;
    return nodes[0].agent().get().exec(ping).get().status.success();
  };
  std::cout << "one reaches two: " << reaches("two") << ", three: " << reaches("three") << '\n';
  cluster.set_link("three", false).get();
  std::cout << "with its cable pulled, three: " << reaches("three") << '\n';
  cluster.set_link("three", true).get();
  std::cout << "and plugged in: " << reaches("three") << '\n';
} catch (const capsa::error& e) {
  std::cerr << e.what() << '\n';
  return 1;
}
