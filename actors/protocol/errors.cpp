#include <actors/protocol/errors.hpp>

namespace capsa::protocol {

caf::error to_caf(const capsa::error& e) {
  // CAF takes code 0 for "no error" in places.
  return caf::error(static_cast<std::uint8_t>(static_cast<int>(e.code()) + 1), kErrorCategory,
                    caf::make_message(e.message(), e.hint(), e.guest_errno()));
}

capsa::error from_caf(const caf::error& e) {
  if (!e) return {ErrorCode::Internal, "an actor answered with an empty error"};
  if (e.category() == kErrorCategory && e.code() > 0 &&
      e.code() <= static_cast<int>(ErrorCode::Internal) + 1) {
    const auto code = static_cast<ErrorCode>(e.code() - 1);
    if (e.context().match_elements<std::string, std::string, int>())
      return {code, e.context().get_as<std::string>(0), e.context().get_as<std::string>(1),
              e.context().get_as<int>(2)};
    return {code, {}};
  }
  if (e == caf::sec::request_timeout)
    return {ErrorCode::Timeout, "the deadline of the operation passed"};
  // The units of a VM end with it, and the VM with its last handle.
  if (e == caf::sec::request_receiver_down || e.category() == caf::atom("exit"))
    return {ErrorCode::VmEnded, "the VM, or the part of it that was asked, has ended"};
  return {ErrorCode::Internal, "an actor answered: " + caf::to_string(e)};
}

std::string render(std::uint8_t code, caf::atom_value category, const caf::message& context) {
  return from_caf(caf::error(code, category, context)).what();
}

}  // namespace capsa::protocol
