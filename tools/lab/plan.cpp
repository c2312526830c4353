#include <tools/lab/plan.hpp>

namespace capsa::lab {

std::vector<std::string> to_arguments(const Plan& plan) {
  std::vector<std::string> out = {"--root", plan.root};
  const auto add = [&out](const char* option, const std::string& value) {
    out.emplace_back(option);
    out.push_back(value);
  };
  for (const auto& module : plan.modules)
    add("--module", module);
  for (const auto& bind : plan.binds) {
    add("--bind", bind.from);
    out.push_back(bind.to);
  }
  for (const auto& kept : plan.kept)
    add("--keep", kept);
  add("--dir", plan.working_dir);
  out.emplace_back("--");
  out.insert(out.end(), plan.command.begin(), plan.command.end());
  return out;
}

std::optional<Plan> from_arguments(const std::vector<std::string>& arguments) {
  Plan plan;
  auto at = arguments.begin();
  const auto left = [&] { return arguments.end() - at; };
  while (at != arguments.end() && *at != "--") {
    const std::string option = *at++;
    if (left() < (option == "--bind" ? 2 : 1)) return std::nullopt;
    if (option == "--root") {
      plan.root = *at++;
    } else if (option == "--module") {
      plan.modules.push_back(*at++);
    } else if (option == "--bind") {
      plan.binds.push_back({at[0], at[1]});
      at += 2;
    } else if (option == "--keep") {
      plan.kept.push_back(*at++);
    } else if (option == "--dir") {
      plan.working_dir = *at++;
    } else {
      return std::nullopt;
    }
  }
  if (left() < 2 || plan.root.empty() || plan.working_dir.empty()) return std::nullopt;
  plan.command.assign(at + 1, arguments.end());
  return plan;
}

std::string entry_to_keep(const std::string& path) {
  for (const auto& emptied : kEmptied) {
    if (!path.starts_with(emptied + "/")) continue;
    const auto end = path.find('/', emptied.size() + 1);
    return end == std::string::npos ? std::string() : path.substr(0, end);
  }
  return {};
}

}  // namespace capsa::lab
