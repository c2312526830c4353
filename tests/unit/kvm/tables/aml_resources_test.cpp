#include <backends/kvm/tables/aml_resources.hpp>
#include <boost/test/unit_test.hpp>

#include "parsed_tables.hpp"

namespace capsa::kvm::aml {

BOOST_AUTO_TEST_SUITE(kvm_tables_aml_resources)

BOOST_AUTO_TEST_CASE(fixed_memory_has_its_address_and_size) {
  BOOST_TEST((memory32_fixed(0xD000'1000, 0x1000) ==
              bytes({0x86, 0x09, 0x00, 0x01, 0x00, 0x10, 0x00, 0xD0, 0x00, 0x10, 0x00, 0x00})));
}

BOOST_AUTO_TEST_CASE(ports_cannot_be_moved) {
  BOOST_TEST((io_ports(0x3F8, 8) == bytes({0x47, 0x01, 0xF8, 0x03, 0xF8, 0x03, 0x01, 0x08})));
}

BOOST_AUTO_TEST_CASE(an_interrupt_may_be_a_level) {
  // Consumer, active high, exclusive; neither bit 1 (edge) nor bit 3 (shared).
  BOOST_TEST((interrupt(9, Sharing::Exclusive, Trigger::Level)[3] == std::byte{0x01}));
}

BOOST_AUTO_TEST_CASE(an_interrupt_is_an_edge_that_may_be_shared) {
  BOOST_TEST((interrupt(9, Sharing::Exclusive) ==
              bytes({0x89, 0x06, 0x00, 0x03, 0x01, 0x09, 0x00, 0x00, 0x00})));
  BOOST_TEST((interrupt(23, Sharing::Shared) ==
              bytes({0x89, 0x06, 0x00, 0x0B, 0x01, 0x17, 0x00, 0x00, 0x00})));
}

BOOST_AUTO_TEST_CASE(resources_are_a_buffer_with_an_end_tag) {
  BOOST_TEST((resources({}) == bytes({0x11, 0x05, 0x0A, 0x02, 0x79, 0x00})));
  BOOST_TEST((
      resources({io_ports(0x505, 1)}) ==
      bytes({0x11, 0x0D, 0x0A, 0x0A, 0x47, 0x01, 0x05, 0x05, 0x05, 0x05, 0x01, 0x01, 0x79, 0x00})));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::kvm::aml
