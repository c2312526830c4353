#include <backends/kvm/small_thread.hpp>
#include <cstddef>
#include <exception>
#include <memory>
#include <system_error>
#include <utility>

namespace capsa::kvm {
namespace {

constexpr std::size_t kStack = std::size_t{1} << 20;

void* run(void* given) {
  const std::unique_ptr<std::function<void()>> work(static_cast<std::function<void()>*>(given));
  (*work)();
  return nullptr;
}

}  // namespace

SmallThread::SmallThread(std::function<void()> work) {
  auto held = std::make_unique<std::function<void()>>(std::move(work));
  pthread_attr_t attributes;
  ::pthread_attr_init(&attributes);
  ::pthread_attr_setstacksize(&attributes, kStack);
  const int failed = ::pthread_create(&thread_, &attributes, run, held.get());
  ::pthread_attr_destroy(&attributes);
  if (failed != 0) throw std::system_error(failed, std::generic_category(), "begin a thread");
  static_cast<void>(held.release());
  joinable_ = true;
}

SmallThread::SmallThread(SmallThread&& other) noexcept
    : thread_(other.thread_), joinable_(std::exchange(other.joinable_, false)) {}

SmallThread& SmallThread::operator=(SmallThread&& other) noexcept {
  if (joinable_) std::terminate();
  thread_ = other.thread_;
  joinable_ = std::exchange(other.joinable_, false);
  return *this;
}

SmallThread::~SmallThread() {
  if (joinable_) std::terminate();
}

void SmallThread::join() {
  ::pthread_join(thread_, nullptr);
  joinable_ = false;
}

void SmallThread::detach() {
  ::pthread_detach(thread_);
  joinable_ = false;
}

}  // namespace capsa::kvm
