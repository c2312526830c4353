#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <tools/cli/commands.hpp>
#include <tools/cli/findings.hpp>
#include <tools/cli/version.hpp>

namespace capsa::cli {
namespace {

// Paths may hold any bytes; what is no UTF-8 is replaced, not thrown about.
std::string dump(const nlohmann::ordered_json& json) {
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::string line(const std::string& name, const std::string& state, const std::string& detail) {
  std::string out = name;
  out.resize(std::max<std::size_t>(out.size(), 18), ' ');
  out += " " + state;
  out.resize(std::max<std::size_t>(out.size(), 27), ' ');
  return out + " " + detail + "\n";
}

std::string describe(const Leftover& leftover) {
  std::string out = leftover.directory.string() + " of process " + std::to_string(leftover.owner);
  for (const auto pid : leftover.killed)
    out += ", process " + std::to_string(pid) + " ended";
  for (const auto& table : leftover.tables)
    out += ", nftables' table " + table + " removed";
  return out;
}

constexpr const char* kFooter = R"(
Says what this machine can do, what is missing, and the command that gets it. Removes what programs
left behind that were killed. Exit status: 0 when `capsa run` works here, 1 when it does not.)";

}  // namespace

std::string to_text(const Diagnosis& diagnosis) {
  std::string out = std::string("capsa ") + version() + "\n\n";
  for (const auto& finding : diagnosis.findings) {
    out += line(finding.name,
                finding.ok         ? "ok"
                : finding.required ? "MISSING"
                                   : "no",
                finding.detail);
    if (!finding.hint.empty()) out += line("", "", "-> " + finding.hint);
  }
  for (const auto& leftover : diagnosis.leftovers)
    out += line("leftovers", leftover.removed ? "removed" : "KEPT", describe(leftover));
  return out + "\n" +
         (diagnosis.ready() ? "capsa run works on this machine.\n"
                            : "capsa run does not work on this machine yet.\n");
}

std::string to_json(const Diagnosis& diagnosis) {
  nlohmann::ordered_json json;
  json["version"] = version();
  json["ready"] = diagnosis.ready();
  json["findings"] = nlohmann::ordered_json::array();
  for (const auto& f : diagnosis.findings) {
    json["findings"].push_back({{"name", f.name},
                                {"ok", f.ok},
                                {"required", f.required},
                                {"detail", f.detail},
                                {"hint", f.hint}});
  }
  json["leftovers"] = nlohmann::ordered_json::array();
  for (const auto& l : diagnosis.leftovers) {
    json["leftovers"].push_back({{"directory", l.directory.string()},
                                 {"owner", l.owner},
                                 {"killed", l.killed},
                                 {"tables", l.tables},
                                 {"removed", l.removed}});
  }
  return dump(json);
}

std::string to_text(const std::vector<BackendInfo>& backends) {
  std::string out;
  for (const auto& backend : backends) {
    out += line(backend.name + " (" + backend.accelerator + ")", backend.available ? "ok" : "no",
                backend.detail);
    out += line("", "", "isolation: " + backend.isolation);
  }
  return out;
}

std::string to_json(const std::vector<BackendInfo>& backends) {
  auto json = nlohmann::ordered_json::array();
  for (const auto& b : backends) {
    json.push_back({{"backend", b.name},
                    {"accelerator", b.accelerator},
                    {"available", b.available},
                    {"detail", b.detail},
                    {"isolation", b.isolation}});
  }
  return dump(json);
}

void add_doctor(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("doctor", "Say what this machine can do, and what is missing");
  command->footer(kFooter);
  auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "For programs");
  command->callback([&action, json] {
    action = [json] {
      const auto diagnosis = diagnose();
      std::cout << (*json ? to_json(diagnosis) : to_text(diagnosis));
      return diagnosis.ready() ? 0 : 1;
    };
  });
}

}  // namespace capsa::cli
