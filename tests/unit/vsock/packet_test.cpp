#include <algorithm>
#include <backends/virtio/vsock/packet.hpp>
#include <boost/test/unit_test.hpp>

namespace capsa::vsock {

namespace {

constexpr std::array<unsigned char, kHeaderSize> kWire = {
    0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,  // src_cid
    0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01,  // dst_cid
    0x34, 0x12, 0x00, 0x80,                          // src_port
    0xef, 0xbe, 0xad, 0xde,                          // dst_port
    0x00, 0x10, 0x00, 0x00,                          // len
    0x01, 0x00,                                      // type
    0x05, 0x00,                                      // op
    0x03, 0x00, 0x00, 0x40,                          // flags
    0x00, 0x00, 0x04, 0x00,                          // buf_alloc
    0xfe, 0xff, 0xff, 0xff,                          // fwd_cnt
};

constexpr Header kHeader{.src_cid = 2,
                         .dst_cid = 0x0102'0304'0506'0708,
                         .src_port = 0x8000'1234,
                         .dst_port = 0xdead'beef,
                         .len = 4096,
                         .type = kTypeStream,
                         .op = Op::ReadWrite,
                         .flags = 0x4000'0003,
                         .buf_alloc = 256 * 1024,
                         .fwd_cnt = 0xffff'fffe};

}  // namespace

BOOST_AUTO_TEST_SUITE(vsock_packet)

BOOST_AUTO_TEST_CASE(a_header_is_encoded_byte_by_byte_as_the_specification_says) {
  const auto bytes = encode(kHeader);
  const auto wire = std::as_bytes(std::span(kWire));
  BOOST_TEST(std::equal(bytes.begin(), bytes.end(), wire.begin(), wire.end()));
}

BOOST_AUTO_TEST_CASE(a_header_is_decoded_byte_by_byte_as_the_specification_says) {
  BOOST_TEST((decode(std::as_bytes(std::span(kWire))) == kHeader));
}

BOOST_AUTO_TEST_CASE(every_single_byte_survives_decoding_and_encoding) {
  for (std::size_t at = 0; at < kHeaderSize; ++at) {
    std::array<std::byte, kHeaderSize> wire{};
    wire[at] = std::byte{0xa5};
    BOOST_TEST((encode(decode(wire)) == wire), "byte " << at);
  }
}

BOOST_AUTO_TEST_CASE(an_operation_that_does_not_exist_is_kept_as_it_is) {
  Header header = kHeader;
  header.op = static_cast<Op>(0xfffe);
  BOOST_TEST((decode(encode(header)) == header));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::vsock
