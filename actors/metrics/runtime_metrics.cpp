#include <actors/metrics/prometheus_text.hpp>
#include <actors/metrics/runtime_metrics.hpp>
#include <array>

namespace capsa::metrics {
namespace {

constexpr std::array<std::string_view, 6> kStatusNames = {"created",  "starting", "running",
                                                          "stopping", "stopped",  "failed"};
static_assert(std::variant_size_v<VmStatus::Value> == kStatusNames.size());

double seconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

/// Calls for every VM that runs.
template <class F>
void for_running(const RuntimeSample& sample, F f) {
  for (const auto& vm : sample.vms)
    if (vm.stats) f(vm, *vm.stats);
}

/// A number that every disk has.
struct DiskNumber {
  const char* name;
  Type type;
  const char* help;
  std::uint64_t DiskUse::*value;
};
constexpr std::array kDiskNumbers = {
    DiskNumber{"capsa_vm_disk_size_bytes", Type::Gauge, "Size of a disk.", &DiskUse::size_bytes},
    DiskNumber{"capsa_vm_disk_reads_total", Type::Counter, "Reads that a disk has answered.",
               &DiskUse::reads},
    DiskNumber{"capsa_vm_disk_writes_total", Type::Counter, "Writes that a disk has answered.",
               &DiskUse::writes},
    DiskNumber{"capsa_vm_disk_flushes_total", Type::Counter, "Flushes that a disk has answered.",
               &DiskUse::flushes},
    DiskNumber{"capsa_vm_disk_discards_total", Type::Counter,
               "Discards and writes of zeroes that a disk has answered.", &DiskUse::discards},
    DiskNumber{"capsa_vm_disk_read_bytes_total", Type::Counter, "Bytes read from a disk.",
               &DiskUse::read_bytes},
    DiskNumber{"capsa_vm_disk_written_bytes_total", Type::Counter, "Bytes written to a disk.",
               &DiskUse::written_bytes},
};

/// A number of every VM that has a network.
struct NetworkNumber {
  const char* name;
  Type type;
  const char* help;
  std::uint64_t NetworkStats::*value;
};
constexpr std::array kNetworkNumbers = {
    NetworkNumber{"capsa_vm_network_sent_frames_total", Type::Counter,
                  "Frames that the guest has sent.", &NetworkStats::sent_frames},
    NetworkNumber{"capsa_vm_network_sent_bytes_total", Type::Counter,
                  "Bytes of frames that the guest has sent.", &NetworkStats::sent_bytes},
    NetworkNumber{"capsa_vm_network_received_frames_total", Type::Counter,
                  "Frames that went to the guest.", &NetworkStats::received_frames},
    NetworkNumber{"capsa_vm_network_received_bytes_total", Type::Counter,
                  "Bytes of frames that went to the guest.", &NetworkStats::received_bytes},
    NetworkNumber{"capsa_vm_network_dropped_frames_total", Type::Counter,
                  "Frames of either direction that were dropped.", &NetworkStats::dropped_frames},
    NetworkNumber{"capsa_vm_network_denied_flows_total", Type::Counter,
                  "Flows that the policy has refused.", &NetworkStats::denied_flows},
    NetworkNumber{"capsa_vm_network_flows", Type::Gauge, "Flows that are open.",
                  &NetworkStats::flows},
};

void write_runtime(PrometheusText& out, const RuntimeSample& sample) {
  std::array<std::uint64_t, kStatusNames.size()> counts{};
  for (const auto& vm : sample.vms)
    ++counts[vm.status.value().index()];
  out.family("capsa_vms", Type::Gauge, "VMs by status.");
  for (std::size_t i = 0; i < counts.size(); ++i)
    out.sample(counts[i], {{"status", kStatusNames[i]}});
  out.family("capsa_vm_scrape_failures", Type::Gauge,
             "VMs that did not answer in time and are left out here.");
  out.sample(sample.unanswered);
  out.family("capsa_boots_total", Type::Counter, "Machines that have run.");
  out.sample(sample.boots);
  out.family("capsa_failures_total", Type::Counter, "VMs that have failed.");
  out.sample(sample.failures);
  out.family("capsa_callbacks_queued", Type::Gauge,
             "Functions of the user that wait for their turn or run.");
  out.sample(sample.callbacks_queued);
  out.family("capsa_io_loops", Type::Gauge, "Threads that carry devices.");
  out.sample(sample.io_loops);
}

void write_machines(PrometheusText& out, const RuntimeSample& sample) {
  out.family("capsa_vm_status", Type::Gauge, "1 for the status that a VM is in.");
  for (const auto& vm : sample.vms)
    out.sample(
        std::uint64_t{1},
        {{"vm", vm.name}, {"id", vm.id}, {"status", kStatusNames[vm.status.value().index()]}});
  const auto each = [&](const char* name, Type type, const char* help, auto number) {
    out.family(name, type, help);
    for_running(sample, [&](const VmSample& vm, const VmStats& stats) {
      out.sample(number(stats), {{"vm", vm.name}, {"id", vm.id}});
    });
  };
  each("capsa_vm_uptime_seconds", Type::Gauge, "Time since the machine ran.",
       [](const VmStats& stats) { return seconds(stats.uptime); });
  each("capsa_vm_cpu_seconds_total", Type::Counter, "CPU time of the threads of the vCPUs.",
       [](const VmStats& stats) { return seconds(stats.cpu_time); });
  each("capsa_vm_memory_bytes", Type::Gauge, "Memory that the guest was given.",
       [](const VmStats& stats) { return stats.memory_bytes; });
  each("capsa_vm_memory_resident_bytes", Type::Gauge,
       "Memory of the guest that the host holds now.",
       [](const VmStats& stats) { return stats.resident_memory_bytes; });
  each("capsa_vm_share_requests_total", Type::Counter, "Requests that the shares have answered.",
       [](const VmStats& stats) { return stats.share_requests; });
}

void write_devices(PrometheusText& out, const RuntimeSample& sample) {
  for (const auto& number : kDiskNumbers) {
    out.family(number.name, number.type, number.help);
    for_running(sample, [&](const VmSample& vm, const VmStats& stats) {
      for (const auto& disk : stats.disks)
        out.sample(disk.*number.value, {{"vm", vm.name}, {"id", vm.id}, {"device", disk.device}});
    });
  }
  for (const auto& number : kNetworkNumbers) {
    out.family(number.name, number.type, number.help);
    for_running(sample, [&](const VmSample& vm, const VmStats& stats) {
      if (stats.network)
        out.sample((*stats.network).*number.value, {{"vm", vm.name}, {"id", vm.id}});
    });
  }
}

}  // namespace

std::string prometheus_text(const RuntimeSample& sample) {
  PrometheusText out;
  write_runtime(out, sample);
  write_machines(out, sample);
  write_devices(out, sample);
  return out.text();
}

}  // namespace capsa::metrics
