#include <algorithm>
#include <backends/kvm/cpuid.hpp>
#include <bit>
#include <cstdint>

namespace capsa::kvm {
namespace {

// Intel SDM volume 2A, CPUID; AMD APM volume 3, appendix E.
constexpr std::uint32_t kLeafFeatures = 0x1;
constexpr std::uint32_t kLeafCache = 0x4;
constexpr std::uint32_t kLeafPerformance = 0xA;
constexpr std::uint32_t kLeafTopology = 0xB;
constexpr std::uint32_t kLeafTopology2 = 0x1F;
constexpr std::uint32_t kLeafAmdFeatures = 0x8000'0001;
constexpr std::uint32_t kLeafAmdSizes = 0x8000'0008;
constexpr std::uint32_t kLeafAmdSvm = 0x8000'000A;
constexpr std::uint32_t kLeafAmdCache = 0x8000'001D;
constexpr std::uint32_t kLeafAmdTopology = 0x8000'001E;
constexpr std::uint32_t kLeafAmdPerformance = 0x8000'0022;

constexpr std::uint32_t kVmx = 1U << 5;                // leaf 1, ecx
constexpr std::uint32_t kMonitor = 1U << 3;            // leaf 1, ecx
constexpr std::uint32_t kPerfCapabilities = 1U << 15;  // leaf 1, ecx: PDCM
constexpr std::uint32_t kX2Apic = 1U << 21;            // leaf 1, ecx
constexpr std::uint32_t kTscDeadline = 1U << 24;       // leaf 1, ecx
constexpr std::uint32_t kHypervisor = 1U << 31;        // leaf 1, ecx
constexpr std::uint32_t kHyperThreading = 1U << 28;    // leaf 1, edx: more than one logical CPU
constexpr std::uint32_t kSvm = 1U << 2;                // 0x80000001, ecx
constexpr std::uint32_t kCmpLegacy = 1U << 1;          // 0x80000001, ecx
constexpr std::uint32_t kTopologyExtensions = 1U << 22;
// More counters than the first CPUs had: the core's, the northbridge's and the last cache's.
constexpr std::uint32_t kAmdCounters = 1U << 23 | 1U << 24 | 1U << 28;

// Leaf 0, ebx: how the vendor's name begins.
constexpr std::uint32_t kVendorAmd = 0x6874'7541;    // "Auth"
constexpr std::uint32_t kVendorHygon = 0x6f67'7948;  // "Hygo"

unsigned id_bits(unsigned cpus) {
  return static_cast<unsigned>(std::bit_width(cpus - 1));
}

void set_features(kvm_cpuid_entry2& entry, const CpuidOptions& options) {
  const unsigned logical = std::min(1U << id_bits(options.cpus), 255U);
  entry.ebx = (entry.ebx & 0x0000'ffff) | (logical << 16) | (options.index << 24);
  entry.ecx |= kHypervisor | kX2Apic;
  entry.ecx &= ~(kMonitor | kPerfCapabilities);
  if (options.tsc_deadline)
    entry.ecx |= kTscDeadline;
  else
    entry.ecx &= ~kTscDeadline;
  if (!options.nested) entry.ecx &= ~kVmx;
  entry.edx = options.cpus > 1 ? entry.edx | kHyperThreading : entry.edx & ~kHyperThreading;
}

/// Levels 0 (threads) and 1 (cores) of the extended topology leaves.
kvm_cpuid_entry2 topology(std::uint32_t leaf, std::uint32_t level, const CpuidOptions& options) {
  constexpr std::uint32_t kThreads = 1;
  constexpr std::uint32_t kCores = 2;
  kvm_cpuid_entry2 entry{};
  entry.function = leaf;
  entry.index = level;
  entry.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
  entry.edx = options.index;
  entry.ecx = level;
  if (level == 0) {
    entry.ebx = 1;
    entry.ecx |= kThreads << 8;
  } else if (level == 1) {
    entry.eax = id_bits(options.cpus);
    entry.ebx = options.cpus;
    entry.ecx |= kCores << 8;
  }
  return entry;
}

/// Which CPUs share a cache: the first two levels are each core's own, the third is everybody's.
void set_cache(kvm_cpuid_entry2& entry, const CpuidOptions& options, bool intel) {
  if ((entry.eax & 0x1f) == 0) return;  // no more caches
  const unsigned level = (entry.eax >> 5) & 7;
  const unsigned sharing = level >= 3 ? options.cpus - 1 : 0;
  entry.eax = (entry.eax & ~(0xfffU << 14)) | (std::min(sharing, 0xfffU) << 14);
  if (intel) entry.eax = (entry.eax & ~(0x3fU << 26)) | (std::min(options.cpus - 1, 0x3fU) << 26);
}

/// From leaf 0: AMD's CPUs and Hygon's, which are descended from them.
bool is_amd(std::span<const kvm_cpuid_entry2> supported) {
  return std::any_of(supported.begin(), supported.end(), [](const auto& entry) {
    return entry.function == 0 && (entry.ebx == kVendorAmd || entry.ebx == kVendorHygon);
  });
}

void set_amd_features(kvm_cpuid_entry2& entry, const CpuidOptions& options) {
  if (!options.nested) entry.ecx &= ~kSvm;
  entry.ecx &= ~kAmdCounters;
  entry.ecx |= kTopologyExtensions;
  entry.ecx = options.cpus > 1 ? entry.ecx | kCmpLegacy : entry.ecx & ~kCmpLegacy;
}

void adjust(kvm_cpuid_entry2& entry, const CpuidOptions& options, bool amd) {
  switch (entry.function) {
    case kLeafFeatures:
      return set_features(entry, options);
    case kLeafCache:
      return set_cache(entry, options, true);
    case kLeafPerformance:
    case kLeafAmdPerformance:
      // Counters leak what other tenants do, and nothing saves them over a pause.
      entry.eax = entry.ebx = entry.ecx = entry.edx = 0;
      return;
    case kLeafAmdFeatures:
      // Reserved on Intel's, where a kernel that finds CmpLegacy looks no further for cores.
      if (amd) set_amd_features(entry, options);
      return;
    case kLeafAmdSizes:
      entry.ecx = (entry.ecx & ~0xf0ffU) | (id_bits(options.cpus) << 12) | (options.cpus - 1);
      return;
    case kLeafAmdSvm:
      if (!options.nested) entry.eax = entry.ebx = entry.ecx = entry.edx = 0;
      return;
    case kLeafAmdCache:
      return set_cache(entry, options, false);
    case kLeafAmdTopology:
      entry.eax = options.index;
      entry.ebx = options.index;  // core id; one thread per core
      entry.ecx = 0;              // one node
      return;
    default:
      return;
  }
}

}  // namespace

std::vector<kvm_cpuid_entry2> make_cpuid(std::span<const kvm_cpuid_entry2> supported,
                                         const CpuidOptions& options) {
  std::vector<kvm_cpuid_entry2> out;
  const bool amd = is_amd(supported);
  bool has_topology2 = false;
  std::uint32_t highest = 0;
  for (auto entry : supported) {
    if (entry.function == 0) highest = entry.eax;
    if (entry.function == kLeafTopology || entry.function == kLeafTopology2) {
      has_topology2 |= entry.function == kLeafTopology2;
      continue;
    }
    adjust(entry, options, amd);
    out.push_back(entry);
  }
  for (const auto leaf : {kLeafTopology, kLeafTopology2}) {
    if (leaf > highest || (leaf == kLeafTopology2 && !has_topology2)) continue;
    for (std::uint32_t level = 0; level < 3; ++level)
      out.push_back(topology(leaf, level, options));
  }
  return out;
}

}  // namespace capsa::kvm
