#include <backends/kvm/tables/aml.hpp>
#include <backends/kvm/tables/little_endian.hpp>

namespace capsa::kvm::aml {

namespace {

enum Op : std::uint8_t {
  kZero = 0x00,
  kOne = 0x01,
  kName = 0x08,
  kByte = 0x0A,
  kWord = 0x0B,
  kDWord = 0x0C,
  kString = 0x0D,
  kQWord = 0x0E,
  kScope = 0x10,
  kBuffer = 0x11,
  kPackage = 0x12,
  kMethod = 0x14,
  kDualName = 0x2E,
  kExtended = 0x5B,
  kRoot = 0x5C,
  kLocal0 = 0x60,
  kStore = 0x70,
  kAnd = 0x7B,
  kNotify = 0x86,
  kIf = 0xA0,
};

enum ExtendedOp : std::uint8_t { kRegion = 0x80, kField = 0x81, kDevice = 0x82 };

constexpr std::uint8_t kSystemMemory = 0;
/// Of a field (20.2.5.2, FieldFlags): accessed in 32 bits, no lock, other bits written as zeros.
constexpr std::uint8_t kWhole32 = 3 | 2 << 5;

Code byte(std::uint8_t value) {
  return {static_cast<std::byte>(value)};
}

Code extended(ExtendedOp op) {
  return join({byte(kExtended), byte(op)});
}

/// `op`, the length of what follows, and that.
Code block(const Code& op, const Code& content) {
  return join({op, package_length(content.size()), content});
}

}  // namespace

Name Name::numbered(char letter, unsigned number) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  Name name;
  name.characters_[0] = letter;
  for (unsigned i = 0; i < 3; ++i)
    name.characters_[1 + i] = kDigits[number >> (4 * (2 - i)) & 0xF];
  return name;
}

Code Name::encoded() const {
  Code code;
  if (root_) append(code, std::uint8_t{kRoot});
  if (segments_ == 2) append(code, std::uint8_t{kDualName});
  append(code, std::string_view(characters_.data(), 4 * segments_));
  return code;
}

Code join(std::initializer_list<Code> terms) {
  Code all;
  for (const Code& term : terms)
    append(all, term);
  return all;
}

// -- lengths

Code length(std::size_t value) {
  // Six bits in one byte; else four, and eight more in each of up to three bytes, whose number is
  // in the two upper bits.
  if (value < 1U << 6) return byte(static_cast<std::uint8_t>(value));
  Code rest;
  for (std::size_t left = value >> 4; left != 0; left >>= 8)
    append(rest, static_cast<std::uint8_t>(left));
  return join({byte(static_cast<std::uint8_t>(rest.size() << 6 | (value & 0xF))), rest});
}

Code package_length(std::size_t content) {
  // Counting its own bytes may take it over a boundary, and then one byte longer.
  std::size_t own = 1;
  while (length(content + own).size() > own)
    ++own;
  return length(content + own);
}

// -- data

Code integer(std::uint64_t value) {
  Code code;
  if (value == 0) return byte(kZero);
  if (value == 1) return byte(kOne);
  if (value <= 0xFF) {
    append(code, std::uint8_t{kByte});
    append(code, static_cast<std::uint8_t>(value));
  } else if (value <= 0xFFFF) {
    append(code, std::uint8_t{kWord});
    append(code, static_cast<std::uint16_t>(value));
  } else if (value <= 0xFFFF'FFFF) {
    append(code, std::uint8_t{kDWord});
    append(code, static_cast<std::uint32_t>(value));
  } else {
    append(code, std::uint8_t{kQWord});
    append(code, value);
  }
  return code;
}

Code string(std::string_view text) {
  Code code = byte(kString);
  append(code, text);
  append(code, std::uint8_t{0});
  return code;
}

Code package(std::initializer_list<Code> elements) {
  return block(byte(kPackage),
               join({byte(static_cast<std::uint8_t>(elements.size())), join(elements)}));
}

Code buffer(std::span<const std::byte> bytes) {
  return block(byte(kBuffer), join({integer(bytes.size()), Code(bytes.begin(), bytes.end())}));
}

// -- declarations

Code define(const Name& name, const Code& value) {
  return join({byte(kName), name.encoded(), value});
}

Code scope(const Name& name, const Code& terms) {
  return block(byte(kScope), join({name.encoded(), terms}));
}

Code device(const Name& name, const Code& terms) {
  return block(extended(kDevice), join({name.encoded(), terms}));
}

Code method(const Name& name, unsigned arguments, bool serialized, const Code& terms) {
  const auto flags = static_cast<std::uint8_t>((arguments & 7U) | (serialized ? 8U : 0U));
  return block(byte(kMethod), join({name.encoded(), byte(flags), terms}));
}

Code memory_region(const Name& name, std::uint64_t address, std::uint64_t size) {
  return join(
      {extended(kRegion), name.encoded(), byte(kSystemMemory), integer(address), integer(size)});
}

Code register32(const Name& region, const Name& name) {
  // The width of a field is a number of bits in the form of a PkgLength that counts nothing else.
  return block(extended(kField),
               join({region.encoded(), byte(kWhole32), name.encoded(), length(32)}));
}

// -- statements and expressions

Code local(unsigned number) {
  return byte(static_cast<std::uint8_t>(kLocal0 + (number & 7U)));
}

Code reference(const Name& name) {
  return name.encoded();
}

Code store(const Code& value, const Code& target) {
  return join({byte(kStore), value, target});
}

Code bit_and(const Code& a, const Code& b) {
  // The target: none.
  return join({byte(kAnd), a, b, byte(kZero)});
}

Code when(const Code& condition, const Code& terms) {
  return block(byte(kIf), join({condition, terms}));
}

Code notify(const Name& device, std::uint8_t event) {
  return join({byte(kNotify), device.encoded(), integer(event)});
}

}  // namespace capsa::kvm::aml
