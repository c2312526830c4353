#pragma once

#include <capsa/ip_address.hpp>
#include <cstddef>
#include <net/dns/message.hpp>
#include <optional>
#include <span>
#include <vector>

namespace capsa::net::dns {

/// Whether records of this type are read, checked and passed on; all others end with us.
bool is_known_data(Type type) noexcept;

/// The data of a record with all names in it written out, so that it stands for itself. Nothing
/// where it does not have exactly the form of its type, which is_known_data() (RFC 1035, 3.3; RFC
/// 2782; RFC 3596).
std::optional<std::vector<std::byte>> read_data(Type type, std::span<const std::byte> message,
                                                std::size_t at, std::size_t length);

/// The name that is all of the data of a CNAME, NS or PTR record.
std::optional<Name> name_in(const Record& record);
/// Of an A or AAAA record as read_data() gave it.
std::optional<IpAddress> address_in(const Record& record);

Record address_record(const Name& owner, const IpAddress& address, std::uint32_t ttl);
Record pointer_record(const Name& owner, const Name& target, std::uint32_t ttl);

}  // namespace capsa::net::dns
