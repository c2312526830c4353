#include <backends/kvm/tables/aml_resources.hpp>
#include <backends/kvm/tables/little_endian.hpp>

namespace capsa::kvm::aml {

namespace {

// Small descriptors have their length in the lower three bits.
constexpr std::uint8_t kIoPorts = 0x47;
constexpr std::uint8_t kEnd = 0x79;
constexpr std::uint8_t kMemory32Fixed = 0x86;
constexpr std::uint8_t kInterrupt = 0x89;

constexpr std::uint8_t kReadWrite = 1;
constexpr std::uint8_t kDecode16 = 1;
constexpr std::uint8_t kConsumer = 1;
constexpr std::uint8_t kEdge = 1 << 1;
constexpr std::uint8_t kShared = 1 << 3;

}  // namespace

Code memory32_fixed(std::uint32_t address, std::uint32_t size) {
  Code code;
  append(code, kMemory32Fixed);
  append(code, std::uint16_t{9});
  append(code, kReadWrite);
  append(code, address);
  append(code, size);
  return code;
}

Code io_ports(std::uint16_t first, std::uint8_t count) {
  Code code;
  append(code, kIoPorts);
  append(code, kDecode16);
  append(code, first);
  append(code, first);            // the highest base: it cannot be moved
  append(code, std::uint8_t{1});  // so its alignment does not matter
  append(code, count);
  return code;
}

Code interrupt(std::uint32_t line, Sharing sharing, Trigger trigger) {
  Code code;
  append(code, kInterrupt);
  append(code, std::uint16_t{6});
  append(code, static_cast<std::uint8_t>(kConsumer | (trigger == Trigger::Edge ? kEdge : 0) |
                                         (sharing == Sharing::Shared ? kShared : 0)));
  append(code, std::uint8_t{1});  // one line
  append(code, line);
  return code;
}

Code resources(std::initializer_list<Code> descriptors) {
  Code all = join(descriptors);
  append(all, kEnd);
  append(all, std::uint8_t{0});  // a checksum of zero counts as right (6.4.2.9)
  return buffer(all);
}

}  // namespace capsa::kvm::aml
