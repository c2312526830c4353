#include <actors/metrics/runtime_metrics.hpp>
#include <boost/test/unit_test.hpp>
#include <map>
#include <set>
#include <sstream>

using namespace capsa;
using namespace capsa::metrics;
using namespace std::chrono_literals;

namespace {

bool has_line(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

VmSample running(std::string id, std::string name) {
  VmStats stats;
  stats.uptime = 1500ms;
  stats.cpu_time = 250ms;
  stats.memory_bytes = 512U << 20;
  stats.resident_memory_bytes = 40960;
  stats.disks = {{"/dev/vda", 1U << 20, 1, 2, 3, 4, 5, 6}, {"/dev/vdb", 7, 0, 0, 0, 0, 0, 0}};
  stats.network = NetworkStats{11, 12, 13, 14, 15, 16, 17};
  stats.share_requests = 9;
  return {std::move(id), std::move(name), VmStatus::running(), stats};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(runtime_metrics)

BOOST_AUTO_TEST_CASE(a_running_vm_is_told_with_all_its_numbers) {
  RuntimeSample sample;
  sample.vms.push_back(running("3", "web"));
  const auto text = prometheus_text(sample);
  for (const char* line : {
           "capsa_vm_status{vm=\"web\",id=\"3\",status=\"running\"} 1",
           "capsa_vm_uptime_seconds{vm=\"web\",id=\"3\"} 1.5",
           "capsa_vm_cpu_seconds_total{vm=\"web\",id=\"3\"} 0.25",
           "capsa_vm_memory_bytes{vm=\"web\",id=\"3\"} 536870912",
           "capsa_vm_memory_resident_bytes{vm=\"web\",id=\"3\"} 40960",
           "capsa_vm_share_requests_total{vm=\"web\",id=\"3\"} 9",
           "capsa_vm_disk_size_bytes{vm=\"web\",id=\"3\",device=\"/dev/vda\"} 1048576",
           "capsa_vm_disk_reads_total{vm=\"web\",id=\"3\",device=\"/dev/vda\"} 1",
           "capsa_vm_disk_writes_total{vm=\"web\",id=\"3\",device=\"/dev/vda\"} 2",
           "capsa_vm_disk_flushes_total{vm=\"web\",id=\"3\",device=\"/dev/vda\"} 3",
           "capsa_vm_disk_discards_total{vm=\"web\",id=\"3\",device=\"/dev/vda\"} 4",
           "capsa_vm_disk_read_bytes_total{vm=\"web\",id=\"3\",device=\"/dev/vda\"} 5",
           "capsa_vm_disk_written_bytes_total{vm=\"web\",id=\"3\",device=\"/dev/vda\"} 6",
           "capsa_vm_disk_size_bytes{vm=\"web\",id=\"3\",device=\"/dev/vdb\"} 7",
           "capsa_vm_network_sent_frames_total{vm=\"web\",id=\"3\"} 11",
           "capsa_vm_network_sent_bytes_total{vm=\"web\",id=\"3\"} 12",
           "capsa_vm_network_received_frames_total{vm=\"web\",id=\"3\"} 13",
           "capsa_vm_network_received_bytes_total{vm=\"web\",id=\"3\"} 14",
           "capsa_vm_network_dropped_frames_total{vm=\"web\",id=\"3\"} 15",
           "capsa_vm_network_denied_flows_total{vm=\"web\",id=\"3\"} 16",
           "capsa_vm_network_flows{vm=\"web\",id=\"3\"} 17",
       })
    BOOST_TEST(has_line(text, line), line << "\nin\n" << text);
}

BOOST_AUTO_TEST_CASE(a_runtime_is_told_with_its_vms_by_status) {
  RuntimeSample sample;
  sample.vms = {running("1", "a"),
                running("2", "b"),
                {"3", "c", VmStatus::failed("why"), {}},
                {"4", "d", VmStatus::stopped(0), {}}};
  sample.unanswered = 5;
  sample.boots = 6;
  sample.failures = 7;
  sample.callbacks_queued = 8;
  sample.io_loops = 9;
  const auto text = prometheus_text(sample);
  for (const char* line : {"capsa_vms{status=\"created\"} 0", "capsa_vms{status=\"starting\"} 0",
                           "capsa_vms{status=\"running\"} 2", "capsa_vms{status=\"stopping\"} 0",
                           "capsa_vms{status=\"stopped\"} 1", "capsa_vms{status=\"failed\"} 1",
                           "capsa_vm_scrape_failures 5", "capsa_boots_total 6",
                           "capsa_failures_total 7", "capsa_callbacks_queued 8", "capsa_io_loops 9",
                           "capsa_vm_status{vm=\"c\",id=\"3\",status=\"failed\"} 1"})
    BOOST_TEST(has_line(text, line), line << "\nin\n" << text);
  BOOST_TEST(text.find("capsa_vm_uptime_seconds{vm=\"c\"") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(every_family_comes_once_and_every_sample_too_whatever_the_names) {
  RuntimeSample sample;
  sample.vms = {running("1", "same"), running("2", "same"), running("3", "a\"b\\c d"),
                running("10", "")};
  std::istringstream lines(prometheus_text(sample));
  std::set<std::string> families;
  std::set<std::string> series;
  std::string family;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# HELP ")) {
      family = line.substr(7, line.find(' ', 7) - 7);
      BOOST_TEST(families.insert(family).second, line);
    } else if (line.starts_with("# TYPE ")) {
      BOOST_TEST(line.starts_with("# TYPE " + family + " "), line);
      BOOST_TEST(line.ends_with(family.ends_with("_total") ? " counter" : " gauge"), line);
    } else {
      BOOST_TEST(line.substr(0, line.find_first_of("{ ")) == family, line);
      BOOST_TEST(series.insert(line.substr(0, line.rfind(' '))).second, line);
    }
  }
  BOOST_TEST(families.size() == 26U);
}

BOOST_AUTO_TEST_SUITE_END()
