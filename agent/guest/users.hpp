#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Users by /etc/passwd and /etc/group, read by hand: a static program has no NSS.
namespace capsa::agent::guest {

struct User {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;  ///< supplementary, with the primary one
  std::string name;           ///< empty where the uid has no entry
  std::string home;
  std::string shell;
};

/// `spec` is "name", "uid", "name:group", "uid:gid" or any mix; empty: the user the agent runs as.
/// None if a name is unknown. A number needs no entry.
std::optional<User> find_user(std::string_view spec, std::string_view passwd,
                              std::string_view group);

}  // namespace capsa::agent::guest
