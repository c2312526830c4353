#define BOOST_TEST_MODULE capsa
#include <boost/test/unit_test.hpp>
