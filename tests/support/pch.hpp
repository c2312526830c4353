#pragma once

#include <boost/test/unit_test.hpp>
#include <tools/cmake/pch.hpp>
