#include <tools/benchmarks/net_allocations.hpp>

#include <cstdlib>
#include <new>

namespace {
thread_local std::uint64_t allocations = 0;
}

// That the program's other measurements pay for it too is one addition to each.
void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace capsa::bench {

std::uint64_t allocations_here() noexcept {
  return allocations;
}

}  // namespace capsa::bench
