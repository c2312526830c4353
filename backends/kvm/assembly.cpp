#include <backends/kvm/assembly.hpp>
#include <backends/kvm/confinement.hpp>
#include <string>
#include <system_error>

namespace capsa::kvm {

using hypervisor::EndCause;
using hypervisor::MachineEnd;

Assembly::Assembly(Loop& loop, hypervisor::MachineSpec spec, UniqueFd serial, Transports transports,
                   AssemblyEvents events)
    : loop_(loop),
      spec_(std::move(spec)),
      serial_(std::move(serial)),
      transports_(std::move(transports)),
      events_(std::move(events)) {}

Assembly::~Assembly() {
  join();
}

void Assembly::release(std::function<void()> released) {
  join();
  {
    // What belongs to the loop. All of it, and now: what the loop has yet to do may keep this
    // object beyond the machine's end.
    const std::lock_guard lock(mutex_);
    transports_.clear();
    port_bus_ = {};
    memory_bus_ = {};
    event_device_.reset();
    serial_line_.reset();
  }
  try {
    threads_.emplace_back([self = shared_from_this(), released]() mutable {
      ::pthread_setname_np(::pthread_self(), "capsa-release");
      self->dismantle();
      auto& loop = self->loop_;
      loop.post([held = std::move(self), told = std::move(released)] {
        held->join();
        told();
      });
    });
  } catch (const std::system_error&) {
    // The loop stands still meanwhile, which is better than a machine that never goes.
    dismantle();
    released();
  }
}

void Assembly::dismantle() {
  // Who still has a vCPU must not be the one with whom KVM's virtual machine goes: the kernel waits
  // for grace periods then.
  {
    const std::lock_guard lock(mutex_);
    for (const auto& vcpu : vcpus_)
      vcpu->let_go();
    vcpus_.clear();
  }
  vm_.reset();
  system_.reset();
  // Devices hold it until what they do with it is done, as a write to a disk that is under way.
  memory_.reset();
}

void Assembly::join() {
  for (auto& thread : threads_) {
    if (!thread.joinable()) continue;
    // The last reference may go with the thread itself, where the loop ended before it.
    if (thread.is_this_thread())
      thread.detach();
    else
      thread.join();
  }
}

result<void> Assembly::start() {
  running_ = 1;
  try {
    const std::lock_guard lock(mutex_);
    threads_.emplace_back([self = shared_from_this()]() mutable {
      self->build_and_run();
      // Let go of on the loop, which joins this thread; not here, where that cannot be done.
      auto& loop = self->loop_;
      loop.post([held = std::move(self)] {});
    });
  } catch (const std::system_error& e) {
    running_ = 0;
    return error_from_errno(e.code().value(), "begin a thread for the machine");
  }
  return {};
}

void Assembly::quit() {
  over_.store(true, std::memory_order_release);
  // Who waits for a device must not wait for the loop that waits for him.
  for (const auto& transport : transports_)
    transport->abandon();
  const std::lock_guard lock(mutex_);
  for (const auto& vcpu : vcpus_)
    vcpu->quit();
}

/// The first vCPU that leaves kicks the others: the loop may be busy, or behind this thread on its
/// CPU, which frees a stack and more before it is gone. Not by their mutex: nothing changes the
/// list while a vCPU's thread is there.
void Assembly::take_along(unsigned leaving) {
  if (!over_.load(std::memory_order_acquire) || taken_along_.exchange(true)) return;
  for (const auto& vcpu : vcpus_)
    if (vcpu->index() != leaving) vcpu->quit();
}

void Assembly::end(MachineEnd how) {
  over_.store(true, std::memory_order_release);
  events_.ended(std::move(how));
}

void Assembly::build_and_run() {
  if (const auto built = build(); !built) {
    end({EndCause::Failed, built.error().what()});
  } else {
    if (const auto begun = start_others(); !begun)
      end({EndCause::Failed, begun.error().what()});
    else
      events_.built();
    // At once over where not all could begin; from then on it is not kicked any more.
    run(*vcpus_.front());
  }
  // Who waits for the start ends with it.
  started_ = true;
  started_.notify_all();
  leave();
}

void Assembly::run(Vcpu& vcpu) {
  if (const auto confined = confine_this_thread(); !confined)
    end({EndCause::Failed, confined.error().what()});
  vcpu.run();
}

void Assembly::leave() {
  if (running_.fetch_sub(1) == 1) events_.finished();
}

result<void> Assembly::start_others() {
  try {
    for (unsigned i = 1; i < spec_.cpus; ++i) {
      // Shared: who waits may be gone before who notifies is done with it.
      const auto entered = std::make_shared<std::atomic<bool>>(false);
      ++running_;
      const std::lock_guard lock(mutex_);
      threads_.emplace_back([self = shared_from_this(), vcpu = vcpus_[i], entered]() mutable {
        vcpu->enter_thread();
        *entered = true;
        entered->notify_all();
        self->started_.wait(false);
        self->run(*vcpu);
        vcpu.reset();
        self->leave();
        auto& loop = self->loop_;
        loop.post([held = std::move(self)] {});
      });
      entered->wait(false);
    }
  } catch (const std::system_error& e) {
    --running_;
    return error_from_errno(e.code().value(), "begin a thread for a vCPU",
                            "give the VM fewer cpus");
  }
  // quit() may have come before the last of them could be told.
  if (over_.load(std::memory_order_acquire)) quit();
  started_ = true;
  started_.notify_all();
  return {};
}

}  // namespace capsa::kvm
