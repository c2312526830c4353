#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>
#include <tools/cli/findings.hpp>

using namespace capsa;
using namespace capsa::cli;

namespace {

Diagnosis example() {
  Diagnosis out;
  out.findings = {{"qemu", true, true, "/usr/bin/qemu", ""},
                  {"kvm", false, false, "there is no /dev/kvm", "load kvm"}};
  out.leftovers = {{"/tmp/capsa-0/1-2-3", 1, {17}, {"capsa_1_1"}, true}};
  return out;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(findings)

BOOST_AUTO_TEST_CASE(only_what_is_required_makes_a_machine_unready) {
  auto diagnosis = example();
  BOOST_TEST(diagnosis.ready());
  diagnosis.findings.push_back({"guest", false, true, "none", "capsa guest prepare"});
  BOOST_TEST(!diagnosis.ready());
}

BOOST_AUTO_TEST_CASE(the_text_names_what_is_missing_and_what_to_do) {
  const auto text = to_text(example());
  BOOST_TEST(contains(text, "qemu               ok       /usr/bin/qemu\n"));
  BOOST_TEST(contains(text, "kvm                no       there is no /dev/kvm\n"));
  BOOST_TEST(contains(text, "-> load kvm\n"));
  BOOST_TEST(contains(text,
                      "leftovers          removed  /tmp/capsa-0/1-2-3 of process 1, "
                      "process 17 ended, nftables' table capsa_1_1 removed\n"));
  BOOST_TEST(contains(text, "capsa run works on this machine."));
}

BOOST_AUTO_TEST_CASE(the_json_says_the_same) {
  auto diagnosis = example();
  diagnosis.findings[0].detail = "not utf-8: \xff";
  const auto json = nlohmann::json::parse(to_json(diagnosis));
  BOOST_TEST(json["ready"].get<bool>());
  BOOST_TEST(json["findings"].size() == 2U);
  BOOST_TEST(json["findings"][1]["name"].get<std::string>() == "kvm");
  BOOST_TEST(!json["findings"][1]["ok"].get<bool>());
  BOOST_TEST(json["findings"][1]["hint"].get<std::string>() == "load kvm");
  BOOST_TEST(json["leftovers"][0]["killed"][0].get<int>() == 17);
  BOOST_TEST(json["leftovers"][0]["tables"][0].get<std::string>() == "capsa_1_1");
}

BOOST_AUTO_TEST_CASE(backends_say_what_their_boundary_is_worth) {
  const std::vector<BackendInfo> backends = {{"qemu", "tcg", true, "/usr/bin/qemu", "none"}};
  BOOST_TEST(contains(to_text(backends), "isolation: none"));
  const auto json = nlohmann::json::parse(to_json(backends));
  BOOST_TEST(json[0]["accelerator"].get<std::string>() == "tcg");
  BOOST_TEST(json[0]["available"].get<bool>());
}

BOOST_AUTO_TEST_SUITE_END()
