#include <backends/kvm/tables/checksum.hpp>
#include <backends/kvm/tables/little_endian.hpp>
#include <backends/kvm/tables/system_table.hpp>

namespace capsa::kvm {

namespace {

constexpr std::size_t kLength = 4;
constexpr std::size_t kRevision = 8;
constexpr std::size_t kChecksum = 9;
constexpr std::size_t kOem = 10;
constexpr std::size_t kOemTable = 16;
constexpr std::size_t kOemRevision = 24;
constexpr std::size_t kCreator = 28;
constexpr std::size_t kCreatorRevision = 32;

}  // namespace

std::vector<std::byte> system_table(std::string_view signature, std::uint8_t revision,
                                    std::span<const std::byte> body) {
  std::vector<std::byte> table(kSystemTableHeader);
  append(table, body);
  put(table, 0, signature);
  put(table, kLength, static_cast<std::uint32_t>(table.size()));
  put(table, kRevision, revision);
  put(table, kOem, kOemId);
  put(table, kOemTable, std::string_view("CAPSAKVM"));
  put(table, kOemRevision, std::uint32_t{1});
  put(table, kCreator, std::string_view("CPSA"));
  put(table, kCreatorRevision, std::uint32_t{1});
  put(table, kChecksum, checksum(table));
  return table;
}

}  // namespace capsa::kvm
