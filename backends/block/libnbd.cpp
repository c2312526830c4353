#include <dlfcn.h>

#include <backends/block/libnbd.hpp>
#include <string>
#include <type_traits>

namespace capsa::block {
namespace {

// With the number of its binary interface: another one would not be what our header says.
constexpr const char* kFile = "libnbd.so.0";

struct Loaded {
  Libnbd functions;
  std::string failure;  // empty: all are there
};

Loaded load() {
  Loaded out;
  // Never unloaded: its handles and threads' data may outlive whoever asked first.
  void* const library = ::dlopen(kFile, RTLD_NOW | RTLD_LOCAL);
  const auto take = [&](auto& function, const char* name) {
    if (!out.failure.empty()) return;
    void* const symbol = library != nullptr ? ::dlsym(library, name) : nullptr;
    if (symbol != nullptr) {
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(symbol);
      return;
    }
    const char* const why = ::dlerror();
    out.failure = why != nullptr ? why : std::string(name) + " is missing";
  };
#define CAPSA_LIBNBD_TAKE(name) take(out.functions.name, "nbd_" #name);
  CAPSA_LIBNBD_FUNCTIONS(CAPSA_LIBNBD_TAKE)
#undef CAPSA_LIBNBD_TAKE
  return out;
}

const Loaded& loaded() {
  // Never destroyed: stores of a static runtime outlive other static objects.
  static const Loaded& once = *new Loaded(load());
  return once;
}

}  // namespace

result<void> load_libnbd() {
  if (loaded().failure.empty()) return {};
  return error(ErrorCode::NotFound, "libnbd cannot be loaded: " + loaded().failure,
               "install it (Debian: libnbd0)");
}

const Libnbd& libnbd() {
  return loaded().functions;
}

}  // namespace capsa::block
