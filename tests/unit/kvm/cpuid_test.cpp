#include <algorithm>
#include <backends/kvm/cpuid.hpp>
#include <bit>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <map>
#include <set>

using namespace capsa::kvm;  // NOLINT: this is a test
namespace data = boost::unit_test::data;

namespace {

using Key = std::pair<std::uint32_t, std::uint32_t>;

kvm_cpuid_entry2 leaf(std::uint32_t function, std::uint32_t index = 0) {
  kvm_cpuid_entry2 entry{};
  entry.function = function;
  entry.index = index;
  return entry;
}

void set_vendor(kvm_cpuid_entry2& entry, const char (&name)[13]) {
  const auto word = [&name](int at) {
    std::uint32_t value = 0;
    for (int i = 3; i >= 0; --i)
      value = value << 8 | static_cast<unsigned char>(name[at + i]);
    return value;
  };
  entry.ebx = word(0);
  entry.edx = word(4);
  entry.ecx = word(8);
}

/// What KVM gives on a host with every bit that matters here.
std::vector<kvm_cpuid_entry2> host(bool amd) {
  std::vector<kvm_cpuid_entry2> out;
  auto& base = out.emplace_back(leaf(0));
  base.eax = 0x1f;
  if (amd)
    set_vendor(base, "AuthenticAMD");
  else
    set_vendor(base, "GenuineIntel");
  auto& features = out.emplace_back(leaf(1));
  features.ebx = 0x0510'0800;  // APIC id 5, 16 logical CPUs, cache lines of 64 bytes
  features.ecx = 0x7fff'ffff;
  features.edx = 0xffff'ffff;
  if (!amd) {
    for (std::uint32_t i = 0; i < 4; ++i) {
      auto& cache = out.emplace_back(leaf(4, i));
      constexpr std::uint32_t kLevels[] = {1, 1, 2, 3};
      cache.eax = 1 | kLevels[i] << 5 | 7U << 14 | 7U << 26;
      cache.ebx = 0x01c0'003f;
    }
    out.push_back(leaf(4, 4));
  }
  auto& counters = out.emplace_back(leaf(0xa));
  counters.eax = 0x0730'0402;
  for (std::uint32_t i = 0; i < 3; ++i)
    out.push_back(leaf(0xb, i));
  for (std::uint32_t i = 0; i < 4; ++i)
    out.push_back(leaf(0x1f, i));
  out.push_back(leaf(0x4000'0000));
  out.push_back(leaf(0x8000'0000));
  auto& more = out.emplace_back(leaf(0x8000'0001));
  more.ecx = amd ? 0xffff'ffff : 0x121;
  auto& sizes = out.emplace_back(leaf(0x8000'0008));
  sizes.eax = 0x3027;
  if (amd) {
    sizes.ecx = 0x0003'700f;
    auto& svm = out.emplace_back(leaf(0x8000'000a));
    svm.eax = 1;
    svm.edx = 0xff;
    for (std::uint32_t i = 0; i < 4; ++i)
      out.emplace_back(leaf(0x8000'001d, i)).eax = 1 | (i == 3 ? 3U : 1U) << 5 | 7U << 14;
    out.push_back(leaf(0x8000'001e));
  }
  return out;
}

struct Cpuid {
  Cpuid(bool amd, const CpuidOptions& options) : entries(make_cpuid(host(amd), options)) {}
  kvm_cpuid_entry2 at(std::uint32_t function, std::uint32_t index = 0) const {
    const auto found = std::find_if(entries.begin(), entries.end(), [&](const auto& entry) {
      return entry.function == function && entry.index == index;
    });
    BOOST_REQUIRE_MESSAGE(found != entries.end(), "no leaf " << std::hex << function);
    return *found;
  }
  std::vector<kvm_cpuid_entry2> entries;
};

const auto kCpus = data::make({1U, 2U, 3U, 4U, 64U, 255U});
const auto kVendors = data::make({false, true});

}  // namespace

BOOST_AUTO_TEST_SUITE(cpuid_of_a_vcpu)

BOOST_DATA_TEST_CASE(no_leaf_is_there_twice, kCpus* kVendors, cpus, amd) {
  std::set<Key> seen;
  for (const auto& entry : Cpuid(amd, {.index = cpus - 1, .cpus = cpus}).entries)
    BOOST_TEST(seen.insert({entry.function, entry.index}).second);
}

BOOST_DATA_TEST_CASE(topology_leaves_name_one_socket_of_single_threaded_cores, kCpus* kVendors,
                     cpus, amd) {
  const unsigned bits = static_cast<unsigned>(std::bit_width(cpus - 1));
  const Cpuid cpuid(amd, {.index = cpus - 1, .cpus = cpus});
  for (const std::uint32_t function : {0xbU, 0x1fU}) {
    const auto threads = cpuid.at(function, 0);
    BOOST_TEST(threads.eax == 0U);  // no bits of the id are a thread's
    BOOST_TEST(threads.ebx == 1U);
    BOOST_TEST(threads.ecx == (1U << 8 | 0U));
    BOOST_TEST(threads.edx == cpus - 1);
    const auto cores = cpuid.at(function, 1);
    BOOST_TEST(cores.eax == bits);
    BOOST_TEST(cores.ebx == cpus);
    BOOST_TEST(cores.ecx == (2U << 8 | 1U));
    BOOST_TEST(cores.edx == cpus - 1);
    const auto end = cpuid.at(function, 2);
    BOOST_TEST(end.eax == 0U);
    BOOST_TEST(end.ebx == 0U);
    BOOST_TEST(end.ecx == 2U);
    for (const auto& level : {threads, cores, end})
      BOOST_TEST((level.flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) != 0U);
  }
  // Every id fits into the bits that were named.
  BOOST_TEST((cpus - 1) >> bits == 0U);
}

BOOST_DATA_TEST_CASE(leaf_1_agrees_with_the_topology, kCpus* kVendors, cpus, amd) {
  const auto features = Cpuid(amd, {.index = cpus - 1, .cpus = cpus}).at(1);
  BOOST_TEST(features.ebx >> 24 == cpus - 1);
  BOOST_TEST((features.ebx >> 16 & 0xff) >= cpus);
  BOOST_TEST((features.ebx & 0xffff) == 0x0800U);
  BOOST_TEST(((features.edx >> 28 & 1) != 0) == (cpus > 1));
}

BOOST_DATA_TEST_CASE(the_bits_of_a_guest_are_there, kVendors, amd) {
  const auto with = Cpuid(amd, {.tsc_deadline = true}).at(1);
  BOOST_TEST((with.ecx >> 31 & 1) == 1U);  // hypervisor
  BOOST_TEST((with.ecx >> 21 & 1) == 1U);  // x2APIC
  BOOST_TEST((with.ecx >> 24 & 1) == 1U);  // TSC deadline
  BOOST_TEST((with.ecx >> 3 & 1) == 0U);   // MONITOR would leave the guest
  const auto without = Cpuid(amd, {.tsc_deadline = false}).at(1);
  BOOST_TEST((without.ecx >> 24 & 1) == 0U);
}

BOOST_AUTO_TEST_CASE(a_guest_has_no_virtualization_extensions) {
  BOOST_TEST((Cpuid(false, {}).at(1).ecx >> 5 & 1) == 0U);
  const Cpuid amd(true, {});
  BOOST_TEST((amd.at(0x8000'0001).ecx >> 2 & 1) == 0U);
  BOOST_TEST(amd.at(0x8000'000a).eax == 0U);
  BOOST_TEST(amd.at(0x8000'000a).edx == 0U);
}

BOOST_AUTO_TEST_CASE(a_nested_guest_has_them) {
  BOOST_TEST((Cpuid(false, {.nested = true}).at(1).ecx >> 5 & 1) == 1U);
  const Cpuid amd(true, {.nested = true});
  BOOST_TEST((amd.at(0x8000'0001).ecx >> 2 & 1) == 1U);
  BOOST_TEST(amd.at(0x8000'000a).edx == 0xffU);
}

BOOST_DATA_TEST_CASE(a_guest_has_no_performance_counters, kVendors, amd) {
  const Cpuid cpuid(amd, {});
  BOOST_TEST(cpuid.at(0xa).eax == 0U);
  BOOST_TEST((cpuid.at(1).ecx >> 15 & 1) == 0U);  // PDCM
  BOOST_TEST((cpuid.at(0x8000'0001).ecx >> 23 & 1) == 0U);
}

BOOST_AUTO_TEST_CASE(bits_of_amd_are_for_amd_alone) {
  // Reserved on Intel's, where a kernel that finds CmpLegacy looks no further for cores.
  const auto intel = Cpuid(false, {.cpus = 4}).at(0x8000'0001).ecx;
  BOOST_TEST((intel & (1U << 1 | 1U << 22)) == 0U);
  const auto amd = Cpuid(true, {.cpus = 4}).at(0x8000'0001).ecx;
  BOOST_TEST((amd & (1U << 1 | 1U << 22)) == (1U << 1 | 1U << 22));
  BOOST_TEST((Cpuid(true, {.cpus = 1}).at(0x8000'0001).ecx & 1U << 1) == 0U);
}

BOOST_DATA_TEST_CASE(amd_leaves_count_cores, kCpus, cpus) {
  const Cpuid cpuid(true, {.index = cpus - 1, .cpus = cpus});
  const auto sizes = cpuid.at(0x8000'0008);
  BOOST_TEST((sizes.ecx & 0xff) == cpus - 1);
  BOOST_TEST(1U << (sizes.ecx >> 12 & 0xf) >= cpus);
  BOOST_TEST(sizes.eax == 0x3027U);
  BOOST_TEST(sizes.ecx >> 16 == 3U);  // the counter's width is another matter
  const auto topology = cpuid.at(0x8000'001e);
  BOOST_TEST(topology.eax == cpus - 1);
  BOOST_TEST((topology.ebx & 0xff) == cpus - 1);
  BOOST_TEST(topology.ebx >> 8 == 0U);
  BOOST_TEST(topology.ecx == 0U);
}

BOOST_DATA_TEST_CASE(the_last_cache_is_shared_by_all_and_the_others_by_none, kCpus* kVendors, cpus,
                     amd) {
  const Cpuid cpuid(amd, {.index = 0, .cpus = cpus});
  const std::uint32_t function = amd ? 0x8000'001d : 4;
  for (std::uint32_t i = 0; i < 4; ++i) {
    const auto cache = cpuid.at(function, i);
    BOOST_TEST((cache.eax >> 14 & 0xfff) == (i == 3 ? cpus - 1 : 0));
    if (!amd) BOOST_TEST(cache.eax >> 26 == std::min(cpus - 1, 63U));
  }
  if (!amd) BOOST_TEST(cpuid.at(4, 4).eax == 0U);
}

BOOST_AUTO_TEST_CASE(a_host_without_a_leaf_gets_none) {
  auto old = host(false);
  old[0].eax = 0xa;
  std::erase_if(old,
                [](const auto& entry) { return entry.function == 0xb || entry.function == 0x1f; });
  for (const auto& entry : make_cpuid(old, {.cpus = 2}))
    BOOST_TEST((entry.function != 0xb && entry.function != 0x1f));
  BOOST_TEST(make_cpuid({}, {.cpus = 2}).empty());
}

BOOST_AUTO_TEST_CASE(vcpus_differ_in_their_ids_alone) {
  const Cpuid first(false, {.index = 0, .cpus = 4});
  const Cpuid last(false, {.index = 3, .cpus = 4});
  BOOST_REQUIRE(first.entries.size() == last.entries.size());
  for (std::size_t i = 0; i < first.entries.size(); ++i) {
    const auto& a = first.entries[i];
    const auto& b = last.entries[i];
    BOOST_TEST(a.eax == b.eax);
    BOOST_TEST(a.ecx == b.ecx);
    if (a.function != 1) BOOST_TEST(a.ebx == b.ebx);
    if (a.function != 0xb && a.function != 0x1f) BOOST_TEST(a.edx == b.edx);
  }
}

BOOST_AUTO_TEST_SUITE_END()
