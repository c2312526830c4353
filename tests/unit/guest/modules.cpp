#include <actors/guest/cache.hpp>
#include <boost/test/unit_test.hpp>
#include <initializer_list>
#include <tests/unit/guest/samples.hpp>
#include <tools/guest/modules.hpp>

using namespace capsa;
using namespace capsa::guest;
using namespace capsa::guest::samples;

namespace {

struct Sample {
  const char* path;
  const char* depends;
  const char* softdep = "";
};

/// A tree of modules as a kernel package has it.
class Tree {
 public:
  explicit Tree(std::initializer_list<Sample> modules, const char* built_in = "") {
    std::filesystem::create_directories(directory_.path() / "kernel");
    BOOST_REQUIRE(write_file(directory_.path() / "modules.builtin", built_in).ok());
    for (const auto& module : modules) {
      std::string modinfo = std::string("license=GPL") + '\0' + "depends=" + module.depends + '\0';
      if (*module.softdep != '\0') modinfo += std::string("softdep=") + module.softdep + '\0';
      add(module.path, make_module(modinfo));
    }
  }
  void add(const char* path, const std::string& bytes) {
    const auto file = directory_.path() / "kernel" / path;
    std::filesystem::create_directories(file.parent_path());
    BOOST_REQUIRE(write_file(file, bytes).ok());
  }
  result<std::vector<std::string>> order(const std::vector<std::string>& wanted) const {
    const auto tree = ModuleTree::open(directory_.path());
    BOOST_REQUIRE(tree.ok());
    return tree->load_order(wanted);
  }
  const std::filesystem::path& path() const { return directory_.path(); }

 private:
  Scratch directory_;
};

using Names = std::vector<std::string>;

}  // namespace

BOOST_AUTO_TEST_SUITE(kernel_modules)

BOOST_AUTO_TEST_CASE(a_module_comes_after_all_it_needs) {
  const Tree tree({{"drivers/virtio/virtio_mmio.ko", "virtio,virtio_ring"},
                   {"drivers/virtio/virtio.ko", ""},
                   {"drivers/virtio/virtio_ring.ko", "virtio"},
                   {"net/vmw_vsock/vsock.ko", ""},
                   {"net/vmw_vsock/transport.ko", "vsock,virtio_ring,virtio"}});
  const auto order = tree.order({"virtio_mmio", "transport"});
  BOOST_REQUIRE(order.ok());
  BOOST_TEST((*order == Names{"virtio", "virtio_ring", "virtio_mmio", "vsock", "transport"}));
}

BOOST_AUTO_TEST_CASE(the_order_wanted_is_kept) {
  const Tree tree({{"a.ko", ""}, {"b.ko", ""}, {"c.ko", "a"}});
  BOOST_TEST((*tree.order({"c", "b", "a"}) == Names{"a", "c", "b"}));
  BOOST_TEST((*tree.order({"b", "c"}) == Names{"b", "a", "c"}));
}

BOOST_AUTO_TEST_CASE(dashes_and_underscores_are_the_same) {
  const Tree tree({{"drivers/virtio-rng.ko", "rng-core"}, {"drivers/rng-core.ko", ""}});
  BOOST_TEST((*tree.order({"virtio_rng"}) == Names{"rng_core", "virtio_rng"}));
  const auto opened = ModuleTree::open(tree.path());
  BOOST_TEST(opened->path_of("virtio_rng") == "kernel/drivers/virtio-rng.ko");
}

BOOST_AUTO_TEST_CASE(what_is_built_in_is_left_out) {
  const Tree tree({{"fs/virtiofs.ko", "fuse"}}, "kernel/fs/fuse/fuse.ko\nkernel/fs/ext4/ext4.ko\n");
  BOOST_TEST((*tree.order({"ext4", "virtiofs"}) == Names{"virtiofs"}));
}

BOOST_AUTO_TEST_CASE(a_soft_dependency_comes_first_where_it_exists) {
  const Tree tree({{"a.ko", "", "pre: b-2 gone post: c"}, {"b_2.ko", ""}, {"c.ko", ""}});
  BOOST_TEST((*tree.order({"a"}) == Names{"b_2", "a"}));
}

BOOST_AUTO_TEST_CASE(a_missing_module_is_named) {
  const Tree tree({{"a.ko", "gone"}});
  const auto order = tree.order({"a"});
  BOOST_REQUIRE(!order.ok());
  BOOST_TEST((order.error().code() == ErrorCode::NotFound));
  BOOST_TEST(order.error().message().find("gone") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_circle_is_refused) {
  const Tree tree({{"a.ko", "b"}, {"b.ko", "c"}, {"c.ko", "a"}});
  const auto order = tree.order({"a"});
  BOOST_REQUIRE(!order.ok());
  BOOST_TEST((order.error().code() == ErrorCode::InvalidConfig));
}

BOOST_AUTO_TEST_CASE(a_soft_circle_is_not_followed) {
  const Tree tree({{"a.ko", "b"}, {"b.ko", "", "pre: a"}});
  BOOST_TEST((*tree.order({"a"}) == Names{"b", "a"}));
}

BOOST_AUTO_TEST_CASE(a_packed_module_is_unpacked) {
  Tree tree({});
  const auto module = make_module(std::string("depends=") + '\0');
  tree.add("packed.ko.xz", pack_xz(module));
  tree.add("zipped.ko.gz", pack_gzip(module));
  const auto opened = ModuleTree::open(tree.path());
  BOOST_REQUIRE(opened.ok());
  BOOST_TEST((*opened->read("packed") == module));
  BOOST_TEST((*opened->read("zipped") == module));
  BOOST_TEST(opened->path_of("packed") == "kernel/packed.ko");
  BOOST_TEST((*opened->load_order({"packed"}) == Names{"packed"}));
}

BOOST_AUTO_TEST_CASE(a_module_cut_short_at_any_byte_does_no_harm) {
  const auto module = make_module(std::string("depends=a,b") + '\0');
  BOOST_TEST((parse_module(module)->depends == Names{"a", "b"}));
  for (std::size_t size = 0; size < module.size(); ++size)
    BOOST_TEST_REQUIRE(!parse_module(std::string_view(module).substr(0, size)).ok(),
                       "accepted with " << size << " bytes");
}

BOOST_AUTO_TEST_CASE(what_has_no_modinfo_is_no_module) {
  const auto parsed = parse_module(make_elf({}, {{".text", "code"}}, 1));
  BOOST_REQUIRE(!parsed.ok());
  BOOST_TEST((parsed.error().code() == ErrorCode::InvalidConfig));
}

BOOST_AUTO_TEST_SUITE_END()
