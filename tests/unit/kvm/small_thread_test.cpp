#include <pthread.h>

#include <backends/kvm/small_thread.hpp>
#include <boost/test/unit_test.hpp>
#include <memory>
#include <utility>
#include <vector>

using capsa::kvm::SmallThread;

BOOST_AUTO_TEST_SUITE(a_small_thread)

BOOST_AUTO_TEST_CASE(does_its_work_on_a_thread_of_its_own_with_a_stack_of_one_mib) {
  std::size_t stack = 0;
  pthread_t who{};
  SmallThread thread([&] {
    who = ::pthread_self();
    pthread_attr_t attributes;
    ::pthread_getattr_np(who, &attributes);
    ::pthread_attr_getstacksize(&attributes, &stack);
    ::pthread_attr_destroy(&attributes);
  });
  BOOST_TEST(thread.joinable());
  BOOST_TEST(!thread.is_this_thread());
  thread.join();
  BOOST_TEST(!thread.joinable());
  BOOST_TEST(::pthread_equal(who, ::pthread_self()) == 0);
  BOOST_TEST(stack == std::size_t{1} << 20);
}

BOOST_AUTO_TEST_CASE(lets_go_of_what_its_work_held_when_it_has_ended) {
  const auto held = std::make_shared<int>(1);
  SmallThread thread([held] {});
  thread.join();
  BOOST_TEST(held.use_count() == 1);
}

BOOST_AUTO_TEST_CASE(can_be_moved_and_joined_where_it_was_moved_to) {
  int ran = 0;
  std::vector<SmallThread> threads;
  SmallThread thread([&] { ++ran; });
  threads.push_back(std::move(thread));
  BOOST_TEST(threads.front().joinable());
  threads.front().join();
  BOOST_TEST(ran == 1);
}

BOOST_AUTO_TEST_SUITE_END()
