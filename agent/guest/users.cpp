#include <unistd.h>

#include <agent/guest/proc_text.hpp>
#include <agent/guest/users.hpp>
#include <algorithm>

namespace capsa::agent::guest {

namespace {

// name:password:uid:gid:comment:home:shell
bool find_in_passwd(std::string_view passwd, std::string_view name_or_uid, User& user) {
  unsigned number = 0;
  const bool is_number = parse_number(name_or_uid, number);
  for (const auto line : split(passwd, '\n')) {
    const auto fields = split(line, ':');
    unsigned uid = 0;
    unsigned gid = 0;
    if (fields.size() < 7 || !parse_number(fields[2], uid) || !parse_number(fields[3], gid))
      continue;
    // A name made of digits is still a name; it goes first, as useradd(8) and chown(1) have it.
    if (fields[0] != name_or_uid && !(is_number && uid == number)) continue;
    user.uid = uid;
    user.gid = gid;
    user.name = fields[0];
    user.home = fields[5];
    user.shell = trimmed(fields[6]);
    return true;
  }
  if (is_number) user.uid = number;
  return is_number;
}

// name:password:gid:member,member
bool find_in_group(std::string_view group, std::string_view name_or_gid, gid_t& out) {
  for (const auto line : split(group, '\n')) {
    const auto fields = split(line, ':');
    unsigned gid = 0;
    if (fields.size() < 3 || fields[0] != name_or_gid || !parse_number(fields[2], gid)) continue;
    out = gid;
    return true;
  }
  unsigned number = 0;
  if (!parse_number(name_or_gid, number)) return false;
  out = number;
  return true;
}

void add_memberships(std::string_view group, User& user) {
  user.groups = {user.gid};
  if (user.name.empty()) return;
  for (const auto line : split(group, '\n')) {
    const auto fields = split(line, ':');
    unsigned gid = 0;
    if (fields.size() < 4 || !parse_number(fields[2], gid)) continue;
    const auto members = split(trimmed(fields[3]), ',');
    if (std::find(members.begin(), members.end(), user.name) == members.end()) continue;
    if (std::find(user.groups.begin(), user.groups.end(), gid) == user.groups.end())
      user.groups.push_back(gid);
  }
}

}  // namespace

std::optional<User> find_user(std::string_view spec, std::string_view passwd,
                              std::string_view group) {
  User user;
  const auto colon = spec.find(':');
  const auto who = spec.substr(0, colon);
  const std::string own = std::to_string(::geteuid());
  if (!find_in_passwd(passwd, who.empty() ? own : who, user)) return std::nullopt;
  if (colon != std::string_view::npos) {
    gid_t gid = 0;
    if (!find_in_group(group, spec.substr(colon + 1), gid)) return std::nullopt;
    user.gid = gid;
  }
  add_memberships(group, user);
  return user;
}

}  // namespace capsa::agent::guest
