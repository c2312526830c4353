#include <actors/agent_link/kept_output.hpp>
#include <actors/protocol/errors.hpp>

#include <algorithm>
#include <utility>

namespace capsa::agent_link {

std::size_t KeptOutput::add(std::span<const std::byte> bytes) {
  bytes_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return serve();
}

std::size_t KeptOutput::read(std::uint64_t reader, caf::response_promise promise) {
  readers_.push_back({reader, std::move(promise)});
  return serve();
}

void KeptOutput::end(result<void> how) {
  if (end_) return;
  end_ = std::move(how);
  serve();
}

void KeptOutput::give_up(std::uint64_t reader, const caf::error& why) {
  const auto it = std::find_if(readers_.begin(), readers_.end(),
                               [reader](const Reader& one) { return one.id == reader; });
  if (it == readers_.end()) return;
  it->promise.deliver(why);
  readers_.erase(it);
}

void KeptOutput::fail_all(const caf::error& why) {
  for (auto& reader : std::exchange(readers_, {}))
    reader.promise.deliver(why);
}

std::size_t KeptOutput::serve() {
  std::size_t read = 0;
  while (!readers_.empty() && (!bytes_.empty() || end_)) {
    auto promise = std::move(readers_.front().promise);
    readers_.pop_front();
    read += bytes_.size();
    if (bytes_.empty() && !end_->ok())
      promise.deliver(protocol::to_caf(end_->error()));
    else
      promise.deliver(std::exchange(bytes_, {}));
  }
  return read;
}

}  // namespace capsa::agent_link
