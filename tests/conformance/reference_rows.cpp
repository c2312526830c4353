#include <algorithm>
#include <boost/test/results_collector.hpp>
#include <boost/test/tree/traverse.hpp>
#include <boost/test/tree/visitor.hpp>
#include <boost/test/unit_test.hpp>
#include <cctype>
#include <iostream>
#include <map>
#include <optional>
#include <tests/conformance/guest_fixture.hpp>
#include <tests/conformance/reference_rows.hpp>

namespace capsa::test {
namespace {

namespace ut = boost::unit_test;

struct Outcome {
  std::string word;
  std::string reason;
};
std::map<ut::test_unit_id, Outcome>& outcomes() {
  static std::map<ut::test_unit_id, Outcome> all;
  return all;
}

std::string one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return std::iscntrl(c) != 0; }, ' ');
  return text;
}

/// "handle_07_status_created" is row handle.07.
std::optional<std::string> row_of(const std::string& name) {
  for (std::size_t i = 0; i + 4 <= name.size(); ++i) {
    if (name[i] != '_' || std::isdigit(static_cast<unsigned char>(name[i + 1])) == 0 ||
        std::isdigit(static_cast<unsigned char>(name[i + 2])) == 0 || name[i + 3] != '_')
      continue;
    return name.substr(0, i) + "." + name.substr(i + 1, 2);
  }
  return std::nullopt;
}

class Rows : public ut::test_tree_visitor {
 public:
  void visit(const ut::test_case& test) override {
    const auto row = row_of(test.p_name.get());
    if (!row) return;
    const bool failed = !ut::results_collector.results(test.p_id).passed();
    const auto noted = outcomes().find(test.p_id);
    const Outcome outcome = failed                      ? Outcome{"failed", test.p_name.get()}
                            : noted == outcomes().end() ? Outcome{"passed", ""}
                                                        : noted->second;
    std::cout << "row\t" << *row << "\t" << (on_kvm() ? "kvm" : "qemu") << "\t" << outcome.word
              << "\t" << one_line(outcome.reason) << std::endl;
  }
};

struct Report {
  ~Report() {
    Rows rows;
    ut::traverse_test_tree(ut::framework::master_test_suite(), rows);
  }
};
BOOST_TEST_GLOBAL_FIXTURE(Report);

void note(std::string word, const std::string& reason) {
  outcomes()[ut::framework::current_test_case().p_id] = {std::move(word), reason};
  BOOST_TEST_MESSAGE(reason);
}

}  // namespace

void row_refused(const std::string& error) {
  note("refused", error);
}

void row_skipped(const std::string& reason) {
  note("skipped", reason);
}

}  // namespace capsa::test
